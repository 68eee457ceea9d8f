/* The chapters beside the text: those that the words give, as suggestions, or a person's own.

   In goes the document, out come lists of chapters for the next one. Whoever changes a suggestion takes all of them
   over: half made by hand and half anew each time would move under the hand. */

import { button, byId, make } from "./dialogs.js";
import { clock } from "./format.js";
import { Refusal } from "./server.js";

export class ChapterList {
  /**
   * @param host document and session as they are now; apply(chapters) makes the next document, null for automatic
   *   ones; suggest(revision) asks for those that the words give; here() gives the chapter that would begin at the
   *   caret, now() the moment that plays, play(ms) plays from one; say(key, data), announce(text), refused(refusal).
   */
  constructor(host) {
    this.host = host;
    this.list = byId("chapters");
    byId("chapter-add").addEventListener("click", () => this.add());
    byId("chapters-take").addEventListener("click", () => this.#settle(this.chapters));
    byId("chapters-automatic").addEventListener("click", () => this.#settle(null));
    byId("chapters-part").addEventListener("toggle", () => this.#wake());
  }

  /** As shown: a person's own, else what is suggested, as far as it is known. */
  get chapters() {
    return this.host.document.chapters ?? this.#suggested ?? [];
  }

  get #suggested() {
    return this.suggestion?.revision === this.host.session.revision ? this.suggestion.chapters : null;
  }

  /** Show the chapters of the document, where somebody looks. */
  show() {
    const { document } = this.host;
    if (!byId("chapters-part").open) return;
    if (!document.chapters && !this.#suggested) this.#ask();
    const { chapters } = this;
    const own = document.chapters !== null;
    byId("chapters-state").textContent = this.host.say(this.#state(own, chapters.length));
    byId("chapters-take").hidden = own || !chapters.length;
    byId("chapters-automatic").hidden = !own;
    if (this.shown === chapters) return;
    this.shown = chapters;
    // Items stay where they are, so that whoever works in one by keyboard stays in it.
    while (this.list.children.length > chapters.length) this.list.lastElementChild.remove();
    while (this.list.children.length < chapters.length) this.list.append(this.#item(this.list.children.length));
    chapters.forEach((chapter, at) => this.#fill(this.list.children[at], chapter));
  }

  #state(own, count) {
    if (own) return count ? "chapters_own" : "chapters_own_none";
    if (!this.#suggested) return "chapters_asked";
    return count ? "chapters_suggested" : "chapters_none";
  }

  #wake() {
    this.shown = null;
    this.show();
  }

  /** Ask for what the words of this revision give, once. */
  async #ask() {
    const { revision } = this.host.session;
    if (this.asked?.revision !== revision) this.asked = { revision, answer: this.host.suggest(revision) };
    try {
      this.suggestion = { revision, chapters: await this.asked.answer };
    } catch (refusal) {
      this.asked = null;
      if (!(refusal instanceof Refusal)) throw refusal;
      this.host.refused(refusal);
      return;
    }
    this.show();
  }

  #item(at) {
    const { host } = this;
    const field = make("input", { className: "title", maxLength: 200, autocomplete: "off" });
    field.addEventListener("change", () => this.#rename(at, field));
    const time = button("", () => host.play(this.chapters[at].start_ms), { className: "time" });
    const actions = [
      ["chapter_to_caret", () => this.#move(at, host.here().start_ms)],
      ["chapter_to_now", () => this.#move(at, host.now())],
      ["chapter_delete", () => this.#remove(at)],
    ].map(([key, act]) => button(host.say(key), act, { className: "small act" }));
    return make("li", {}, make("div", { className: "row chapter" }, time, field), make("div", { className: "row" }, ...actions));
  }

  #fill(item, { start_ms: start, title, language }) {
    const [time, field] = [item.querySelector(".time"), item.querySelector(".title")];
    const moment = clock(start);
    time.textContent = moment;
    time.setAttribute("aria-label", this.host.say("play_from", { time: moment }));
    field.value = title;
    field.lang = language;
    field.setAttribute("aria-label", this.host.say("chapter_title", { time: moment }));
    for (const each of item.querySelectorAll(".act")) each.setAttribute("aria-label", `${each.textContent} ${title}`);
  }

  #rename(at, field) {
    const chapter = this.chapters[at];
    const title = field.value.trim().split(/ +/u).join(" ");
    field.value = title || chapter.title;
    if (title && title !== chapter.title) this.host.apply(this.chapters.with(at, { ...chapter, title }));
  }

  #move(at, ms) {
    const start = this.#within(ms);
    const chapter = this.chapters[at];
    if (this.chapters.some((each) => each !== chapter && each.start_ms === start)) this.host.announce(this.host.say("chapter_taken"));
    else {
      this.host.apply(this.chapters.with(at, { ...chapter, start_ms: start }));
      this.host.announce(this.host.say("chapter_moved", { title: chapter.title, time: clock(start) }));
    }
  }

  #remove(at) {
    const { title } = this.chapters[at];
    this.#settle(this.chapters.toSpliced(at, 1));
    this.host.announce(this.host.say("chapter_gone", { title }));
  }

  /** Begin a chapter at the caret, and let its title be typed. */
  async add() {
    const { start_ms: ms, title, language } = this.host.here();
    const start = this.#within(ms);
    byId("chapters-part").open = true;
    if (!this.host.document.chapters && !this.#suggested) await this.#ask();
    if (!this.host.document.chapters && !this.#suggested) return;
    if (!this.chapters.some((each) => each.start_ms === start)) {
      this.host.apply([...this.chapters, { start_ms: start, title: title || clock(start), language }]);
    }
    this.show();
    const at = this.chapters.findIndex((each) => each.start_ms === start);
    const field = this.list.children[at].querySelector(".title");
    field.focus();
    field.select();
  }

  /** A chapter takes time: the last moment is none to begin at. */
  #within(ms) {
    return Math.max(0, Math.min(ms, this.host.session.duration_ms - 1));
  }

  /** Take over a list whose button may go with it: the focus waits at the heading. */
  #settle(chapters) {
    this.host.apply(chapters);
    byId("chapters-title").focus();
  }
}
