/* The dialogs: who speaks, what is cut, who you are, what others changed, what the keys do. */

import { clock, exactClock, readClock } from "./format.js";

const PRESSED_MS = 100;

export const byId = (id) => document.getElementById(id);

/** Make an element with properties and children; what a person wrote is only ever text. */
export function make(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== null));
  return made;
}

export function button(text, onClick, properties = {}) {
  const made = make("button", { type: "button", ...properties }, text);
  made.addEventListener("click", onClick);
  return made;
}

/** Do something at the Enter key. The key does nothing else: it would press the button that has the focus by then. */
function onEnter(field, act) {
  field.onkeydown = (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    event.stopPropagation();
    act();
  };
}

/** Wait until no dialog is open: one that came of itself would take the keys of whoever types in another. */
export async function undisturbed() {
  for (let open; (open = document.querySelector("dialog[open]")); ) {
    await new Promise((resolve) => open.addEventListener("close", resolve, { once: true }));
  }
}

function nameOf(element) {
  return element.getAttribute("aria-label") ?? element.textContent;
}

/** What each list is to hold. */
const due = new WeakMap();

/** Make a list anew. Whoever is in it by keyboard stays at the button that they were at, or goes elsewhere where it is gone. */
export function renew(list, items, elsewhere) {
  due.set(list, items);
  // A button that goes while it is pressed is never pressed: what begins at one and ends at another is no click.
  if (list.matches(":active")) {
    setTimeout(() => due.get(list) === items && renew(list, items, elsewhere), PRESSED_MS);
    return;
  }
  const here = list.contains(document.activeElement) ? document.activeElement : null;
  const alike = () => [...list.querySelectorAll("button")].filter((each) => nameOf(each) === nameOf(here));
  const at = here ? alike().indexOf(here) : -1;
  list.replaceChildren(...items);
  if (here) (alike()[at] ?? elsewhere).focus();
}

/** Who waits for the answer of a dialog that is shown. */
const waiting = new WeakMap();

function answer(dialog) {
  waiting.get(dialog)?.(dialog.returnValue);
  waiting.delete(dialog);
}

/** Show a dialog until it is closed; gives the value of the button that closed it, "" where it was left. */
export function ask(dialog) {
  answer(dialog);
  dialog.returnValue = "";
  return new Promise((resolve) => {
    waiting.set(dialog, resolve);
    dialog.showModal();
  });
}

/** Close a dialog and give its answer at once: a browser tells of it only later, and the next key, one that saves, may
    come before that. */
export function shut(dialog, value = "") {
  dialog.close(value);
  answer(dialog);
}

/** Let buttons with a value close the dialog that they are in, as a form would that could be sent nowhere. */
export function wireDialogs() {
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => {
      const chosen = event.target.closest("button[value]");
      if (chosen) shut(dialog, chosen.value);
    });
    dialog.addEventListener("cancel", () => shut(dialog));
    // By then it may be open again, for another question.
    dialog.addEventListener("close", () => dialog.open || answer(dialog));
  }
}

/** Ask who the person is; gives the name, "" where they would not say. */
export async function askAuthor(known) {
  const [dialog, field, accept] = [byId("author-dialog"), byId("author-name"), byId("author-ok")];
  field.value = known;
  accept.disabled = !known;
  field.oninput = () => {
    accept.disabled = !field.value.trim();
  };
  onEnter(field, () => field.value.trim() && shut(dialog, "ok"));
  return (await ask(dialog)) === "ok" ? field.value.trim() : "";
}

/** Ask who speaks in a turn, or, naming, what the one who does is called. Gives {key}, {added: true}, {rename: name} or null. */
export async function askWho({ speakers, current, label, proposals, naming, say }) {
  const dialog = byId("who-dialog");
  let chosen = null;
  const choose = (value) => {
    chosen = value;
    shut(dialog, "chosen");
  };
  byId("who-list").replaceChildren(
    ...speakers.map(({ key }, at) => {
      const number = at < 9 ? make("kbd", {}, `Alt+${at + 1}`) : null;
      const made = button("", () => choose({ key }));
      made.replaceChildren(make("bdi", {}, label(key)), " ", number ?? "");
      if (key === current) made.setAttribute("aria-current", "true");
      return make("li", {}, made);
    }),
    make("li", {}, button(say("somebody_else"), () => choose({ added: true }))),
  );
  dialog.onkeydown = (event) => {
    const number = /^Digit([1-9])$/u.exec(event.code)?.[1];
    if (!event.altKey || !number || number > speakers.length) return;
    event.preventDefault();
    // In the text it gives the turn of the caret to somebody, and that may be another turn.
    event.stopPropagation();
    choose({ key: speakers[number - 1].key });
  };
  byId("who-naming").hidden = current === null;
  const field = byId("who-name");
  field.value = speakers.find(({ key }) => key === current)?.name ?? "";
  byId("who-rename").onclick = () => choose({ rename: field.value });
  onEnter(field, () => choose({ rename: field.value }));
  byId("who-proposals").replaceChildren(...proposals.map((each) => proposalItem(each, () => choose({ rename: each.name }), say)));
  const answered = ask(dialog);
  if (naming) field.focus();
  await answered;
  return chosen;
}

export function proposalItem({ name, quote, start_ms: start }, accept, say, refuse = null) {
  return make(
    "li",
    {},
    make("p", {}, make("strong", {}, make("bdi", {}, name)), say("proposal", { quote: quote.replace(/[\s,;:]+$/u, ""), time: clock(start) })),
    button(say("accept_name", { name }), accept),
    refuse && button(say("refuse_name", { name }), refuse),
  );
}

/** Ask for a cut; others() gives those that it must not meet, show(cut) is told what it would be, preview(cut) lets it be
    heard and seen. Gives the cut, or null. */
export async function askCut(start, { say, others, total, now, show, preview }) {
  const dialog = byId("cut-dialog");
  const fields = { from: byId("cut-from"), to: byId("cut-to"), sound: byId("cut-sound"), picture: byId("cut-picture") };
  const kinds = [...dialog.querySelectorAll("input[name=cut-kind]")];
  fields.from.value = exactClock(start.start_ms);
  fields.to.value = exactClock(start.end_ms);
  for (const kind of kinds) kind.checked = kind.value === (start.kind ?? "remove");
  fields.sound.value = start.sound ?? "tone";
  fields.picture.value = start.picture ?? "untouched";
  byId("cut-error").textContent = "";
  const showMask = () => {
    byId("cut-mask").hidden = kinds.find((kind) => kind.checked).value !== "mask";
  };
  for (const kind of kinds) kind.onchange = showMask;
  showMask();
  /** The cut as the fields have it; null, and the reason is said, where it cannot be. */
  const read = () => {
    const [from, to] = [readClock(fields.from.value), readClock(fields.to.value)];
    const wrong = from === null || to === null ? "cut_not_a_time" : wrongCut(from, to, others(), total);
    byId("cut-error").textContent = wrong ? say(wrong) : "";
    if (wrong) return null;
    const kind = kinds.find((each) => each.checked).value;
    const cut = { start_ms: from, end_ms: Math.min(to, total), kind, sound: fields.sound.value, picture: fields.picture.value };
    show(cut);
    return cut;
  };
  const moments = { "cut-from-start": () => 0, "cut-from-now": now, "cut-to-now": now, "cut-to-end": () => total };
  for (const [id, moment] of Object.entries(moments)) {
    byId(id).onclick = () => {
      (id.startsWith("cut-from") ? fields.from : fields.to).value = exactClock(moment());
    };
  }
  byId("cut-preview").onclick = () => {
    const cut = read();
    if (cut) preview(cut);
  };
  let made = null;
  const accept = () => {
    made = read();
    if (made) shut(dialog, "ok");
  };
  byId("cut-ok").onclick = accept;
  for (const field of [fields.from, fields.to]) onEnter(field, accept);
  await ask(dialog);
  return made;
}

function wrongCut(from, to, cuts, total) {
  if (from >= to || from >= total) return "cut_backwards";
  return cuts.some((cut) => from < cut.end_ms && cut.start_ms < to) ? "cut_overlaps" : "";
}

/** Say what somebody else saved meanwhile; gives "merge" or "". */
export function askConflict({ text, changes }, say) {
  byId("conflict-text").textContent = text;
  byId("conflict-changes").replaceChildren(...changeItems(changes, say));
  return ask(byId("conflict-dialog"));
}

/** Differences as a list: what was there struck out, what is there now marked. */
export function changeItems(changes, say, most = 60) {
  const items = changes.slice(0, most).map(({ before, after, start_ms: start, kind }) =>
    make(
      "li",
      {},
      make("span", { className: "small" }, `${clock(start)} · ${say(`change_${kind}`)}`),
      make("p", {}, before ? make("del", {}, before) : null, " ", after ? make("ins", {}, after) : null),
    ),
  );
  if (changes.length > most) items.push(make("li", {}, say("more_changes", { count: changes.length - most })));
  return items.length ? items : [make("li", {}, say("no_changes"))];
}
