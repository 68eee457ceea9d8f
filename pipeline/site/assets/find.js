/**
 * Finds words in the transcript: counts them, shows them all, walks from one to the next.
 *
 * Capitals, accents, hyphens and the shapes of quotes make no difference, and a phrase is found also where the page
 * breaks it into passages; never across two people's turns. Only what the speaker filter shows is searched. Matches are
 * painted over the text where the browser can do that, and else marked in it. The count is told politely; the pane alone
 * scrolls.
 */

import { bringIntoSight, letGo, pane, passagesIn, seek, startOf } from "./transcript.js";

const box = document.getElementById("find");
const found = document.getElementById("found");
const back = document.getElementById("find-back");
const on = document.getElementById("find-on");
const play = document.getElementById("find-play");

/** Fewer letters than this would match nearly everything. */
const SHORTEST = 2;
/** Milliseconds without a key after which what is typed is looked for. */
const PAUSE = 200;

const SAME = new Map(Object.entries({ œ: "oe", æ: "ae", ß: "ss", "’": "'", "‘": "'", "ʼ": "'", "“": '"', "”": '"' }));
for (const dash of "‒–—") SAME.set(dash, "-");
// Whoever looks for "etats unis" means "États-Unis".
for (const space of "-‐‑\u00a0\u2009\u202f") SAME.set(space, " ");

let index = null;
let matches = [];
let at = -1;
let sought = "";
let pending = null;

/** Return one character as it is compared; nothing for an accent that stands alone. */
function foldOne(character) {
  if (character >= " " && character <= "~" && character !== "-") return character.toLowerCase();
  const bare = character.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  return [...bare].map((each) => SAME.get(each) ?? each).join("");
}

/** Return a text as it is compared. */
function fold(text) {
  let folded = "";
  for (const character of text) folded += foldOne(character);
  return folded;
}

/** Return where in a text the letter lies that came to lie at `position` when it was folded. */
function unfold(text, position) {
  let folded = 0;
  let raw = 0;
  for (const character of text) {
    const length = foldOne(character).length;
    if (folded + length > position) break;
    folded += length;
    raw += character.length;
  }
  return raw;
}

/** Return all that is shown as one text, with where each passage begins in it. A new line parts turns. */
function makeIndex() {
  const passages = [];
  const starts = [];
  let whole = "";
  for (const turn of pane.querySelectorAll(".turn:not([hidden])")) {
    whole += "\n";
    for (const passage of passagesIn(turn)) {
      passages.push(passage);
      starts.push(whole.length);
      whole += `${fold(passage.textContent)} `;
    }
  }
  return { passages, starts, whole };
}

/** Return which passage a place of the whole text lies in. */
function passageOf(place) {
  let low = 0;
  let high = index.starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (index.starts[middle] <= place) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Return a place of the whole text as a passage and a place in its own text. */
function placed(place) {
  const passage = passageOf(place);
  return { passage, offset: unfold(index.passages[passage].textContent, place - index.starts[passage]) };
}

function search(needle) {
  const hits = [];
  if (needle.length < SHORTEST) return hits;
  for (let place = index.whole.indexOf(needle); place >= 0; place = index.whole.indexOf(needle, place + needle.length)) {
    const last = placed(place + needle.length - 1);
    const letter = String.fromCodePoint(index.passages[last.passage].textContent.codePointAt(last.offset));
    hits.push({ from: placed(place), to: { passage: last.passage, offset: last.offset + letter.length } });
  }
  return hits;
}

/** Paints matches over the text, which stays as it is. */
const overlay = {
  show(hits) {
    CSS.highlights.set("found", new Highlight(...hits.map((hit) => new StaticRange(ends(hit)))));
  },
  stress(hit) {
    const one = new Highlight(new StaticRange(ends(hit)));
    one.priority = 1;
    CSS.highlights.set("found-now", one);
    const range = document.createRange();
    const { startContainer, startOffset, endContainer, endOffset } = ends(hit);
    range.setStart(startContainer, startOffset);
    range.setEnd(endContainer, endOffset);
    return range;
  },
  clear() {
    CSS.highlights.delete("found");
    CSS.highlights.delete("found-now");
  },
};

function ends({ from, to }) {
  return {
    startContainer: index.passages[from.passage].firstChild,
    startOffset: from.offset,
    endContainer: index.passages[to.passage].firstChild,
    endOffset: to.offset,
  };
}

/** Puts marks into the text, for browsers that cannot paint over it. */
const marks = {
  touched: new Set(),
  show(hits) {
    // From the last to the first, so that what lies before in the same passage stays where it was found.
    for (let number = hits.length - 1; number >= 0; number--) {
      const { from, to } = hits[number];
      for (let passage = to.passage; passage >= from.passage; passage--) {
        const element = index.passages[passage];
        const text = element.firstChild;
        const start = passage === from.passage ? from.offset : 0;
        text.splitText(passage === to.passage ? to.offset : text.length);
        const middle = text.splitText(start);
        const mark = document.createElement("mark");
        mark.dataset.match = number;
        middle.replaceWith(mark);
        mark.append(middle);
        this.touched.add(element);
      }
    }
  },
  stress(hit) {
    for (const mark of pane.querySelectorAll("mark.now")) mark.classList.remove("now");
    const own = pane.querySelectorAll(`mark[data-match="${matches.indexOf(hit)}"]`);
    for (const mark of own) mark.classList.add("now");
    return own[0];
  },
  clear() {
    for (const element of this.touched) element.textContent = element.textContent;
    this.touched.clear();
  },
};

const painter = globalThis.Highlight && CSS.highlights ? overlay : marks;

/** Look for what stands in the box, and show the first match. */
function look() {
  clearTimeout(pending);
  pending = null;
  painter.clear();
  index ??= makeIndex();
  sought = fold(box.value).trim().replace(/\s+/g, " ");
  matches = search(sought);
  painter.show(matches);
  for (const button of [back, on, play]) if (button) button.disabled = !matches.length;
  at = -1;
  if (matches.length) go(0);
  else found.textContent = sought.length < SHORTEST ? "" : found.dataset.none;
}

/** Show a match; after the last comes the first again. */
function go(number) {
  at = (number + matches.length) % matches.length;
  const shown = at;
  letGo();
  bringIntoSight(painter.stress(matches[at]), () => shown === at);
  found.textContent = found.dataset.count.replace("{now}", at + 1).replace("{all}", matches.length);
}

function step(by) {
  if (pending !== null) look();
  else if (matches.length) go(at + by);
}

if (box) {
  box.addEventListener("input", () => {
    clearTimeout(pending);
    pending = setTimeout(look, PAUSE);
  });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    step(event.shiftKey ? -1 : 1);
  });
  back.addEventListener("click", () => step(-1));
  on.addEventListener("click", () => step(1));
  play?.addEventListener("click", () => seek(startOf(index.passages[matches[at].from.passage]), true));
  pane.addEventListener("filtered", () => {
    // Marks stand in what was shown before, so they go first.
    painter.clear();
    index = null;
    if (box.value) look();
  });
  // What was typed before this was here, or is put back with the page, is looked for too.
  if (box.value) look();
}
