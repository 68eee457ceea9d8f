/* A stretch of the text that goes over several paragraphs.

   Each paragraph is an editable text of its own, and a browser's selection ends with the one that it began in. In go the
   mouse and the keys where they leave a paragraph, out come the two ends of what is chosen, painted over the text, and
   what is to be put in its place. Within one paragraph everything is left to the browser. */

import { broughtBy } from "./format.js";
import { indexOfBlock, partsOf } from "./model.js";

const WORD_AHEAD = /^\s*\S+/u;
const WORD_BEHIND = /\S+\s*$/u;

export class Stretch {
  /** @param view The text: pane, document, mark(), select(), endsOfSelection(), placeAt(x, y); its host
      is told replaced(from, to, text) and chose(count). */
  constructor(view) {
    this.view = view;
    this.chosen = null;
    this.drag = null;
    const { pane } = view;
    const heard = { mousedown: this.#onPress, mousemove: this.#onDrag, keydown: this.#onKey, beforeinput: this.#onInput };
    for (const [name, act] of Object.entries(heard)) pane.addEventListener(name, (event) => act.call(this, event), { capture: true });
    pane.addEventListener("compositionstart", () => this.chosen && this.#replace(""));
    for (const name of ["copy", "cut"]) pane.addEventListener(name, (event) => this.#onCopy(event));
    document.addEventListener("mouseup", () => (this.drag = null));
  }

  /** Both ends in the order of the text, an id and an offset each; null where no two paragraphs are chosen. */
  get ends() {
    if (!this.chosen) return null;
    const { anchor, head } = this.chosen;
    const [one, other] = [anchor, head].map(({ id }) => indexOfBlock(this.view.document, id));
    return one < other ? [anchor, head] : [head, anchor];
  }

  clear() {
    if (!this.chosen) return;
    this.chosen = null;
    this.view.mark("chosen", []);
  }

  #choose(anchor, head) {
    if (anchor.id === head.id) {
      this.clear();
      this.view.select(anchor.id, Math.min(anchor.offset, head.offset), Math.max(anchor.offset, head.offset));
      return;
    }
    this.chosen = { anchor, head };
    const parts = partsOf(this.view.document, ...this.ends);
    this.view.mark("chosen", parts);
    this.view.host.chose(parts.length);
    this.view.revealBlock(head.id);
  }

  #replace(text) {
    const ends = this.ends;
    this.clear();
    this.view.host.replaced(...ends, text);
  }

  /* The mouse */

  #onPress(event) {
    if (event.button !== 0) return;
    const before = this.chosen?.anchor ?? this.view.endsOfSelection()?.anchor;
    const here = this.view.placeAt(event.target, event.clientX, event.clientY);
    this.drag = here;
    if (event.shiftKey && before && here && before.id !== here.id) {
      event.preventDefault();
      this.drag = before;
      this.#choose(before, here);
    } else this.clear();
  }

  #onDrag(event) {
    if (!this.drag || event.buttons !== 1) return;
    const here = this.view.placeAt(event.target, event.clientX, event.clientY);
    if (!here) return;
    if (here.id !== this.drag.id) this.#choose(this.drag, here);
    else this.clear();
  }

  /* The keys */

  #onKey(event) {
    if (event.isComposing || event.altKey) return;
    const control = event.ctrlKey || event.metaKey;
    if (control && event.key.toLowerCase() === "a" && !event.shiftKey) this.#chooseAll(event);
    else if (event.shiftKey) this.#extend(event, control);
    else if (!this.chosen || control) return;
    else if (event.key === "Backspace" || event.key === "Delete") this.#taken(event, () => this.#replace(""));
    else if (event.key.startsWith("Arrow")) this.#taken(event, () => this.#collapse(event.key));
    // A dead key or an input method begins a word: it does so in a text that is already there.
    else if (event.key === "Dead" || event.key === "Process") this.#replace("");
  }

  #taken(event, act) {
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  /** A paragraph that is chosen whole already: then all of them. */
  #chooseAll(event) {
    const { blocks } = this.view.document;
    const [first, last] = [blocks[0], blocks.at(-1)];
    const here = this.view.selection();
    const whole = here && here.from === 0 && here.to >= this.#text(here.id).trimEnd().length;
    if (first === last || !(this.chosen || whole)) return;
    this.#taken(event, () => this.#choose({ id: first.id, offset: 0 }, { id: last.id, offset: last.text.length }));
  }

  #extend(event, control) {
    const ends = this.chosen ?? this.view.endsOfSelection();
    const head = ends && this.#moved(ends.head, event.key, control);
    if (!head || (!this.chosen && head.id === ends.anchor.id)) return;
    this.#taken(event, () => this.#choose(ends.anchor, head));
  }

  #text(id) {
    const { document } = this.view;
    return document.blocks[indexOfBlock(document, id)].text;
  }

  /** Where an end goes with a key, by characters, words or paragraphs; null where the key moves nothing. */
  #moved({ id, offset }, key, control) {
    const { blocks } = this.view.document;
    const at = indexOfBlock(this.view.document, id);
    const { text } = blocks[at];
    const [before, after] = [blocks[at - 1], blocks[at + 1]];
    const [start, end] = [{ id, offset: 0 }, { id, offset: text.length }];
    const atEnd = offset >= text.trimEnd().length;
    const step = (pattern, part) => (control ? (part.match(pattern)?.[0].length ?? 0) : 1);
    switch (key) {
      case "ArrowRight":
        if (atEnd) return after ? { id: after.id, offset: 0 } : null;
        return { id, offset: offset + step(WORD_AHEAD, text.slice(offset)) };
      case "ArrowLeft":
        if (offset === 0) return before ? { id: before.id, offset: before.text.length } : null;
        return { id, offset: offset - step(WORD_BEHIND, text.slice(0, offset)) };
      case "ArrowDown":
        if (!atEnd) return end;
        return after ? { id: after.id, offset: after.text.length } : null;
      case "ArrowUp":
        if (offset > 0) return start;
        return before ? { id: before.id, offset: 0 } : null;
      case "Home":
        return control ? { id: blocks[0].id, offset: 0 } : start;
      case "End":
        return control ? { id: blocks.at(-1).id, offset: blocks.at(-1).text.length } : end;
      default:
        return null;
    }
  }

  #collapse(key) {
    const [from, to] = this.ends;
    const place = key === "ArrowLeft" || key === "ArrowUp" ? from : to;
    this.clear();
    this.view.select(place.id, place.offset);
  }

  /* What is typed or pasted */

  #onInput(event) {
    // What an input method writes cannot be refused: its paragraph was made ready when it began.
    if (!this.chosen || event.inputType === "insertCompositionText" || event.inputType.startsWith("history")) return;
    this.#taken(event, () => this.#replace(event.inputType.startsWith("insert") ? broughtBy(event) : ""));
  }

  #onCopy(event) {
    if (!this.chosen) return;
    const parts = partsOf(this.view.document, ...this.ends).map(({ id, from, to }) => this.#text(id).slice(from, to));
    event.clipboardData.setData("text/plain", parts.join("\n"));
    event.preventDefault();
    if (event.type === "cut") this.#replace("");
  }
}
