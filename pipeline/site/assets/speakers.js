/**
 * Shows what some of the speakers say and hides the rest, from sight and from screen readers alike.
 *
 * A turn belongs to the name that stands above it. How many turns are shown is told politely.
 */

import { pane } from "./transcript.js";

const filter = document.getElementById("filter");
const told = document.getElementById("filter-told");
const boxes = [...(filter?.querySelectorAll("input") ?? [])];

function apply() {
  const chosen = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  const turns = [...pane.querySelectorAll(".turn")];
  for (const turn of turns) turn.hidden = !chosen.has(turn.querySelector(".who").textContent);
  const shown = turns.filter((turn) => !turn.hidden).length;
  const all = chosen.size === boxes.length;
  told.textContent = all ? "" : told.dataset.shown.replace("{shown}", shown).replace("{all}", turns.length);
  pane.dispatchEvent(new Event("filtered"));
}

if (filter && pane) {
  filter.addEventListener("change", apply);
  document.getElementById("filter-all").addEventListener("click", () => {
    for (const box of boxes) box.checked = true;
    apply();
  });
}
