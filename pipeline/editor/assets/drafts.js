/* What is typed and not saved, kept where neither a closed browser nor a killed server can lose it.

   Each change goes to the server within a third of a second, where it lies on disk before it is acknowledged, and at
   the same time into the browser's own store, for while the server is away. */

import { toPayload } from "./model.js";

const SOON_MS = 300;
const AGAIN_MS = 1500;

export class Drafts {
  /**
   * @param options server, session, author, basedOn; onState(name) is told kept, keeping, nameless, unreachable or
   *   elsewhere; before, the drafts that these go on from, which send nothing more.
   */
  constructor({ server, session, author, basedOn, onState, before = null }) {
    Object.assign(this, { server, author, basedOn, onState });
    before?.forget();
    this.place = `tribune.draft.${session}`;
    // One opening of the page is one writer, whatever revision it goes on from: what it sent before is its own.
    this.writer = before?.writer ?? crypto.randomUUID();
    this.follows = before?.follows ?? [];
    this.at = before?.at ?? 0;
    this.waiting = null;
    this.timer = 0;
    // What is under way still arrives: after a revision that it did not wait for, it would be something unsaved again.
    this.sending = before?.sending ?? null;
    this.ended = false;
  }

  /** The newest draft of this person, from the server or from this browser; null where there is none. */
  async find() {
    const here = this.#stored();
    const there = this.author ? await this.server.get("/draft", { author: this.author }) : null;
    const newest = here && (!there || here.at_ms > there.at_ms) ? here : there;
    this.follows = [here?.writer, there?.writer].filter(Boolean);
    return newest;
  }

  #stored() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.place));
      return kept?.author === this.author ? kept : null;
    } catch {
      return null;
    }
  }

  /** Keep a document soon; several changes at once are kept together. */
  keep(document) {
    this.waiting = document;
    if (this.ended) return;
    this.onState("keeping");
    if (!this.timer) this.timer = setTimeout(() => this.flush(), SOON_MS);
  }

  /** Keep what is waiting now. */
  async flush({ last = false } = {}) {
    clearTimeout(this.timer);
    this.timer = 0;
    if (this.sending && !last) await this.sending;
    if (!this.waiting || this.ended) return;
    const [document, draft] = [this.waiting, this.#draft(this.waiting)];
    this.waiting = null;
    this.#store(draft);
    // The server keeps drafts by name: as long as we know none, this browser keeps it alone.
    if (!this.author) {
      this.onState("nameless");
      return;
    }
    const sending = Promise.all([this.sending, this.#send(draft, document, last)]);
    this.sending = sending;
    await sending;
    if (this.sending === sending) this.sending = null;
  }

  #draft(document) {
    const { author, basedOn, writer, follows } = this;
    // Always later than the one before, so that of two that overtake each other the server keeps the right one.
    this.at = Math.max(Date.now(), this.at + 1);
    return { author, based_on: basedOn, writer, follows, at_ms: this.at, session: toPayload(document) };
  }

  #store(draft) {
    try {
      localStorage.setItem(this.place, JSON.stringify(draft));
    } catch {
      // Full, or forbidden here: the server has it.
    }
  }

  async #send(draft, document, last) {
    try {
      await this.server.send("PUT", "/draft", draft, { last });
      if (!this.waiting && !this.ended && this.at === draft.at_ms) this.onState("kept");
    } catch (refusal) {
      if (this.ended) return;
      if (refusal.said?.code === "editor.elsewhere") this.#end();
      // One that a later one has overtaken would, sent again, take its place.
      else if (this.at === draft.at_ms) this.#retry(document);
    }
  }

  #retry(document) {
    this.waiting ??= document;
    this.onState("unreachable");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), AGAIN_MS);
  }

  #end() {
    this.ended = true;
    this.onState("elsewhere");
  }

  /** Wait for what is under way and send no more: the document is about to become a revision. */
  async pause() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.waiting = null;
    await this.sending;
  }

  /** What was typed has become a revision: this browser is not to find it again as something unsaved. */
  drop() {
    localStorage.removeItem(this.place);
  }

  /** Send and say nothing more: what was typed has become a revision, or another hand keeps it. */
  forget() {
    this.ended = true;
    clearTimeout(this.timer);
  }
}
