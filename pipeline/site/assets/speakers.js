/**
 * Shows what some of the speakers say and hides the rest, from sight and from screen readers alike.
 *
 * A turn belongs to the name that stands above it. How many turns are shown is told politely.
 */

import { pane } from "./transcript.js";

const filter = document.getElementById("filter");
const told = document.getElementById("filter-told");
const everyone = document.getElementById("filter-all");
const boxes = [...(filter?.querySelectorAll("input") ?? [])];

function apply() {
  const chosen = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  const turns = [...pane.querySelectorAll(".turn")];
  for (const turn of turns) turn.hidden = !chosen.has(turn.querySelector(".who").textContent);
  const shown = turns.filter((turn) => !turn.hidden).length;
  everyone.disabled = chosen.size === boxes.length;
  told.textContent = everyone.disabled ? "" : told.dataset.shown.replace("{shown}", shown).replace("{all}", turns.length);
  pane.dispatchEvent(new Event("filtered"));
}

if (filter && pane) {
  filter.addEventListener("change", apply);
  everyone.addEventListener("click", () => {
    for (const box of boxes) box.checked = true;
    // The button is of no use now, and whoever pressed it must not lose their place.
    boxes[0].focus();
    apply();
  });
  // What was chosen before this was here, or is put back with the page, holds.
  if (boxes.some((box) => !box.checked)) apply();
}
