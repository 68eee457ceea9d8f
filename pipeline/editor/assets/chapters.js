/* The chapters beside the text: those that the words give, as suggestions, or a person's own.

   In goes the document, out come lists of chapters for the next one. Whoever changes a suggestion takes all of them
   over: half made by hand and half anew each time would move under the hand. */

import { button, byId, make } from "./dialogs.js";
import { clock } from "./format.js";
import { Refusal } from "./server.js";

function titleIn(field) {
  return field.value.trim().split(/ +/u).join(" ");
}

export class ChapterList {
  /**
   * @param host document and session as they are now; apply(chapters, kind) makes the next document, null for
   *   automatic ones, as one step with what came just before of the same kind; suggest(revision) asks for those that the words give; here() gives the chapter that would begin at the
   *   caret, now() the moment that plays, play(ms) plays from one; say(key, data), announce(text), refused(refusal).
   */
  constructor(host) {
    this.host = host;
    this.list = byId("chapters");
    // Begun before it is known what the words give: shown at once, so that a title can be typed while that is asked.
    this.begun = [];
    this.starts = new WeakMap();
    byId("chapter-add").addEventListener("click", () => this.add());
    byId("chapters-take").addEventListener("click", () => this.#settle(this.chapters));
    byId("chapters-automatic").addEventListener("click", () => this.#settle(null));
    byId("chapters-part").addEventListener("toggle", () => this.#wake());
  }

  /** As shown: a person's own, else what is suggested, as far as it is known, else what was begun meanwhile. */
  get chapters() {
    return this.#known ?? this.begun;
  }

  get #known() {
    return this.host.document.chapters ?? this.#suggested;
  }

  get #suggested() {
    return this.suggestion?.revision === this.host.session.revision ? this.suggestion.chapters : null;
  }

  /** Show the chapters of the document, where somebody looks. */
  show() {
    if (this.begun.length && this.#known) {
      this.#join();
      return;
    }
    if (!byId("chapters-part").open) return;
    if (!this.#known) this.#ask();
    const { chapters } = this;
    const own = this.host.document.chapters !== null;
    byId("chapters-state").textContent = this.host.say(this.#state(own, chapters.length));
    byId("chapters-take").hidden = own || !this.#suggested?.length;
    byId("chapters-automatic").hidden = !own;
    if (this.shown === chapters) return;
    this.shown = chapters;
    this.#lay(chapters);
  }

  /** Each chapter keeps its item, so that whoever works in one by keyboard stays in it, wherever others come or go. */
  #lay(chapters) {
    const wanted = new Set(chapters.map((chapter) => chapter.start_ms));
    const free = [...this.list.children].filter((item) => !wanted.has(this.starts.get(item)));
    const items = new Map([...this.list.children].map((item) => [this.starts.get(item), item]));
    const active = document.activeElement;
    chapters.forEach((chapter, at) => {
      const item = items.get(chapter.start_ms) ?? free.shift() ?? this.#item();
      this.starts.set(item, chapter.start_ms);
      if (this.list.children[at] !== item) this.list.insertBefore(item, this.list.children[at] ?? null);
      this.#fill(item, chapter);
    });
    for (const item of free) item.remove();
    if (document.activeElement !== active && active.isConnected) active.focus();
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

  /** What was begun while the suggestions were asked for stands among them. */
  #join() {
    const { begun } = this;
    this.begun = [];
    const starts = new Set(begun.map((chapter) => chapter.start_ms));
    this.host.apply([...this.#known.filter((chapter) => !starts.has(chapter.start_ms)), ...begun]);
  }

  #apply(chapters, kind) {
    if (this.#known) {
      this.host.apply(chapters, kind);
      return;
    }
    this.begun = chapters;
    this.show();
  }

  #item() {
    const { host } = this;
    const field = make("input", { className: "title", maxLength: 200, autocomplete: "off" });
    const time = button("", () => host.play(this.starts.get(item)), { className: "time" });
    const actions = [
      ["chapter_to_caret", () => this.#move(item, host.here().start_ms)],
      ["chapter_to_now", () => this.#move(item, host.now())],
      ["chapter_delete", () => this.#remove(item)],
    ].map(([key, act]) => button(host.say(key), act, { className: "small act" }));
    const item = make("li", {}, make("div", { className: "row chapter" }, time, field), make("div", { className: "row" }, ...actions));
    let before = "";
    field.addEventListener("focus", () => (before = field.value));
    // Taken as it is typed, so that it is kept like the text; a title left empty is the one of before.
    field.addEventListener("input", () => this.#rename(item, titleIn(field)));
    field.addEventListener("change", () => {
      if (!titleIn(field)) this.#rename(item, before);
      field.value = this.chapters[this.#at(item)].title;
    });
    return item;
  }

  #at(item) {
    return this.chapters.findIndex((chapter) => chapter.start_ms === this.starts.get(item));
  }

  #fill(item, { start_ms: start, title, language }) {
    const [time, field] = [item.querySelector(".time"), item.querySelector(".title")];
    const moment = clock(start);
    time.textContent = moment;
    time.setAttribute("aria-label", this.host.say("play_from", { time: moment }));
    if (titleIn(field) !== title) field.value = title;
    field.lang = language;
    field.setAttribute("aria-label", this.host.say("chapter_title", { time: moment }));
    for (const each of item.querySelectorAll(".act")) each.setAttribute("aria-label", `${each.textContent} ${title}`);
  }

  #rename(item, title) {
    const at = this.#at(item);
    const chapter = this.chapters[at];
    if (title && title !== chapter.title) this.#apply(this.chapters.with(at, { ...chapter, title }), `title ${chapter.start_ms}`);
  }

  #move(item, ms) {
    const start = this.#within(ms);
    const at = this.#at(item);
    const chapter = this.chapters[at];
    if (this.chapters.some((each) => each !== chapter && each.start_ms === start)) this.host.announce(this.host.say("chapter_taken"));
    else {
      this.#apply(this.chapters.with(at, { ...chapter, start_ms: start }));
      this.host.announce(this.host.say("chapter_moved", { title: chapter.title, time: clock(start) }));
    }
  }

  #remove(item) {
    const at = this.#at(item);
    const { title } = this.chapters[at];
    this.#settle(this.chapters.toSpliced(at, 1));
    this.host.announce(this.host.say("chapter_gone", { title }));
  }

  /** Begin a chapter at the caret, and let its title be typed, at once. */
  add() {
    const { start_ms: ms, title, language } = this.host.here();
    const start = this.#within(ms);
    byId("chapters-part").open = true;
    if (!this.chapters.some((each) => each.start_ms === start)) {
      this.#apply([...this.chapters, { start_ms: start, title: title || clock(start), language }]);
    }
    this.show();
    const field = [...this.list.children].find((item) => this.starts.get(item) === start).querySelector(".title");
    field.focus();
    field.select();
  }

  /** A chapter takes time: the last moment is none to begin at. */
  #within(ms) {
    return Math.max(0, Math.min(ms, this.host.session.duration_ms - 1));
  }

  /** Take over a list whose button may go with it: the focus waits at the heading. */
  #settle(chapters) {
    this.#apply(chapters);
    byId("chapters-title").focus();
  }
}
