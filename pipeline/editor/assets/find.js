/* Find and replace: where a text is written, which of those places is looked at, and what is put there instead.

   In goes the document as it is at that moment, out come changes of it. Places are looked for again before each step, for
   somebody may type between two; which one is looked at is painted, so that the keys stay in the field. */

import { byId } from "./dialogs.js";
import { findAll, indexOfBlock, replaceAll } from "./model.js";

export class FindBar {
  /**
   * @param host document as it is now; apply(next) makes the next one; here() gives the place of the caret, or null;
   *   mark(name, places) marks passages, reveal(place) scrolls to one, select(place) goes there; say(key, data).
   */
  constructor(host) {
    this.host = host;
    this.bar = byId("find");
    this.what = byId("find-what");
    this.places = [];
    this.at = -1;
    const actions = {
      "find-next": () => this.next(1),
      "find-previous": () => this.next(-1),
      "find-replace": () => this.#replace(),
      "find-replace-all": () => this.#replaceAll(),
      "find-close": () => this.close(),
      "find-toggle": () => (this.bar.hidden ? this.open() : this.close()),
    };
    for (const [id, act] of Object.entries(actions)) byId(id).addEventListener("click", act);
    for (const id of ["find-what", "find-exact", "find-whole"]) byId(id).addEventListener("input", () => this.#begin());
    this.bar.addEventListener("keydown", (event) => this.#onKey(event));
  }

  open() {
    const chosen = getSelection().toString();
    this.bar.hidden = false;
    byId("find-toggle").setAttribute("aria-expanded", "true");
    this.from = this.host.here();
    if (chosen && chosen.length < 80) this.what.value = chosen;
    this.what.select();
    this.what.focus();
    this.#begin();
  }

  /** Leave off; whoever looked at a place is in the text there. */
  close() {
    this.show();
    const place = this.places[this.at];
    this.bar.hidden = true;
    byId("find-toggle").setAttribute("aria-expanded", "false");
    for (const name of ["found", "sought"]) this.host.mark(name, []);
    if (place) this.host.select(place);
    else byId("find-toggle").focus();
  }

  /** Look again in a document that has changed; the place that is looked at stays, where it is still there. */
  show() {
    if (this.bar.hidden || this.searched === this.host.document) return;
    const before = this.places[this.at];
    this.#search();
    this.at = this.places.findIndex((place) => before && place.id === before.id && place.from === before.from);
    if (before && this.at < 0) this.from = before;
    this.#tell();
  }

  /** Go to the next place, or with -1 to the one before, round the whole session. */
  next(step) {
    if (this.bar.hidden) {
      this.open();
      return;
    }
    this.show();
    const { length } = this.places;
    if (!length) return;
    if (this.at >= 0) this.at = (this.at + step + length) % length;
    else {
      const after = this.#firstAfter();
      this.at = step > 0 ? Math.max(after, 0) : (after > 0 ? after : length) - 1;
    }
    this.host.reveal(this.places[this.at]);
    this.#tell();
  }

  #begin() {
    this.at = -1;
    this.#search();
    this.#tell();
  }

  #search() {
    const { document } = this.host;
    this.searched = document;
    this.places = findAll(document, this.what.value, { exact: byId("find-exact").checked, whole: byId("find-whole").checked });
  }

  /** The first place at or after where the search began; -1 where there is none. */
  #firstAfter() {
    if (!this.from) return this.places.length ? 0 : -1;
    const { document } = this.host;
    const block = indexOfBlock(document, this.from.id);
    return this.places.findIndex(({ id, from }) => {
      const at = indexOfBlock(document, id);
      return at > block || (at === block && from >= this.from.from);
    });
  }

  #tell() {
    const place = this.places[this.at];
    const data = { number: this.at + 1, count: this.places.length };
    this.host.mark("found", this.places);
    this.host.mark("sought", place ? [place] : []);
    byId("find-count").textContent = this.host.say(place ? "found_at" : "found", data);
  }

  /** Replace the place that is looked at and go on to the next; without one, go to the first. */
  #replace() {
    this.show();
    const place = this.places[this.at];
    if (!place) return this.next(1);
    const text = byId("find-with").value;
    this.host.apply(replaceAll(this.host.document, [place], text));
    this.#search();
    this.at = -1;
    // What was put there may hold what is searched for.
    this.from = { id: place.id, from: place.from + text.length };
    return this.places.length ? this.next(1) : this.#tell();
  }

  #replaceAll() {
    this.show();
    const { length } = this.places;
    if (!length) return;
    this.host.apply(replaceAll(this.host.document, this.places, byId("find-with").value));
    this.#begin();
    byId("find-count").textContent = this.host.say("replaced", { count: length });
  }

  #onKey(event) {
    if (event.isComposing) return;
    if (event.key === "Escape") this.close();
    else if (event.key === "Enter" && event.target === this.what) this.next(event.shiftKey ? -1 : 1);
    else if (event.key === "Enter" && event.target.id === "find-with") this.#replace();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
