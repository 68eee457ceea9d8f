/* The review editor: puts the text, the recording, the drafts and the dialogs together. */

import { ChapterList } from "./chapters.js";
import { askAuthor, askConflict, askCut, askWho, button, byId, changeItems, make, proposalItem, ask, renew, shut, undisturbed, wireDialogs } from "./dialogs.js";
import { Drafts } from "./drafts.js";
import { FindBar } from "./find.js";
import { assignLanguages, clock, exactClock, languageAt } from "./format.js";
import { History } from "./history.js";
import { broughtBack, rebase } from "./merge.js";
import * as model from "./model.js";
import { Player } from "./player.js";
import { ReportList } from "./reports.js";
import { Refusal, Server } from "./server.js";
import { TextView } from "./text.js";

const PEAKS_PER_SECOND = 50;
const LOOK_EVERY_MS = 10_000;
const CUT_MS = 10_000;
const IDLE_MS = 250;
/** What is heard around a passage, so that it is understood. */
const LEAD_MS = 700;
const TAIL_MS = 400;
const VOICE_MS = 8000;
const QUOTE_LEAD = 20;
const QUOTE_LENGTH = 80;
/** The parts of the page that F6 goes through. */
const PARTS = [".tools", ".listen", ".words", ".aside"];
const STOPS = "button:not(:disabled), input, select, summary";

const texts = JSON.parse(byId("messages").textContent);
const language = document.documentElement.lang;

function say(key, data = {}) {
  return texts[key].replace(/\{(\w+)\}/gu, (_, name) => data[name]);
}

/** Two texts where they begin to differ, short enough to be read at a glance. */
function around(one, other) {
  let same = 0;
  while (same < one.length && one[same] === other[same]) same += 1;
  const from = one.lastIndexOf(" ", same - QUOTE_LEAD) + 1;
  return [one, other].map((text) => {
    const end = from + QUOTE_LENGTH;
    return `${from > 0 ? "…" : ""}${text.slice(from, end)}${end < text.length ? "…" : ""}`;
  });
}

/** What somebody said no to in a session, kept in this browser. */
class Refused {
  constructor(session) {
    this.place = `tribune.refused.${session}`;
    try {
      this.keys = new Set(JSON.parse(localStorage.getItem(this.place)) ?? []);
    } catch {
      this.keys = new Set();
    }
  }

  has(key) {
    return this.keys.has(key);
  }

  add(key) {
    this.keys.add(key);
    try {
      localStorage.setItem(this.place, JSON.stringify([...this.keys]));
    } catch {
      // Full, or forbidden here: it holds as long as the page is open.
    }
  }
}

class Editor {
  constructor(id, key) {
    this.id = id;
    this.server = new Server(id, key);
    this.view = new TextView(byId("pane"), this);
    this.player = new Player(byId("media"), byId("wave"), { say, tick: (ms) => this.#tick(ms) });
    this.refused = new Refused(id);
    this.place = `tribune.place.${id}`;
    this.saving = null;
    this.conflicting = null;
    // How often where the session stands was asked, and which of these questions was answered last.
    this.looks = { asked: 0, answered: 0 };
    this.histories = 0;
    this.say = say;
    this.find = new FindBar(this.#findHost());
    this.chapters = new ChapterList(this.#chapterHost());
    this.reports = new ReportList(this.#reportHost());
  }

  get document() {
    return this.history.present;
  }

  get changed() {
    return this.document !== this.opened;
  }

  /* Opening */

  async open() {
    this.author = localStorage.getItem("tribune.author") ?? "";
    const session = await this.server.get();
    this.#take(session);
    this.player.setLength(session.duration_ms);
    this.#showAuthor();
    await this.#findDraft();
    await this.#look();
    this.#findPlace();
    this.#wire();
    byId("loading").hidden = true;
    // Until here nothing could be typed or pressed: a draft that came later would have taken its place, and where the
    // session stands would have moved everything below it.
    for (const part of document.querySelectorAll("[inert]")) part.inert = false;
    setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.server.bytes("/peaks").then((peaks) => this.player.setPeaks(peaks, PEAKS_PER_SECOND), () => byId("wave").classList.add("flat"));
    await this.#lookForProposal();
    document.body.dataset.ready = "all";
  }

  /** Show a revision, with what is typed on it where there is something; whoever was in the text goes on where they were. */
  #take(session, typed = null) {
    const at = this.history && byId("pane").contains(document.activeElement) ? this.#caretMs() : null;
    this.#forgetNotices();
    this.session = session;
    this.opened = model.openDocument(session, new model.Base(session));
    this.history = new History(this.opened, () => this.#onChange());
    this.#startDrafts();
    if (typed) this.history.apply(typed(this.opened));
    if (!this.changed) this.#show();
    if (at !== null && !byId("pane").contains(document.activeElement)) this.#goToMoment(at);
  }

  #goToMoment(ms) {
    const place = model.spokenAt(this.document, ms);
    if (!place) return;
    const block = this.document.blocks[place.block];
    this.view.select(block.id, model.tokenSpans(block)[place.token][0]);
  }

  #startDrafts() {
    const { server, id, author, drafts: before } = this;
    const onState = (state) => this.#tell(state);
    this.drafts = new Drafts({ server, session: id, author, basedOn: this.session.revision, onState, before });
  }

  /** Ask for the person's name, and keep under it what they have typed. */
  async #changeAuthor() {
    const name = await askAuthor(this.author);
    if (!name || name === this.author) return;
    this.author = name;
    localStorage.setItem("tribune.author", name);
    this.#showAuthor();
    this.#startDrafts();
    if (this.changed) this.drafts.keep(this.document);
  }

  /** Whether we know who the person is; asked only once they do what a name has to stand beside. */
  async #named() {
    if (!this.author) await this.#changeAuthor();
    return Boolean(this.author);
  }

  #showAuthor() {
    byId("author").textContent = this.author;
    byId("as-author").hidden = !this.author;
    byId("change-author").textContent = say(this.author ? "change_author" : "say_author");
  }

  /** Take up what this person typed and did not save. */
  async #findDraft() {
    const draft = await this.drafts.find();
    if (!draft) return;
    if (draft.based_on !== this.session.revision) {
      await this.#takeOldDraft(draft);
      return;
    }
    this.history.apply(model.fromPayload(draft.session, this.opened));
    if (this.changed) this.#notice(say("draft_back"), [say("draft_drop"), () => this.#dropDraft()]);
  }

  /** What was typed on an older revision: put it on the newest, as after a conflict. */
  async #takeOldDraft(draft) {
    const newest = this.session;
    let old;
    try {
      old = await this.server.get("", { revision: draft.based_on });
    } catch (refusal) {
      // A revision that is gone must not keep the session closed for good.
      if (refusal.status !== 404) throw refusal;
      await this.#onRefused(refusal);
      return;
    }
    this.#take(old, (opened) => model.fromPayload(draft.session, opened));
    if (this.changed) await this.#conflict(newest);
    else this.#take(newest);
  }

  /** Go on where this person left off: nobody looks for that in three hours. */
  #findPlace() {
    const at = Number(localStorage.getItem(this.place));
    const place = at > 0 ? model.spokenAt(this.document, at) : null;
    if (!place) return;
    const block = this.document.blocks[place.block];
    const [from] = model.tokenSpans(block)[place.token];
    this.lastPlace = { id: block.id, from, to: from };
    this.view.revealBlock(block.id);
    this.player.seek(at);
  }

  /** Remember where the person is: where they type, else what they hear. */
  #keepPlace() {
    const typed = this.view.selection() ? this.#caretMs() : this.player.now;
    try {
      localStorage.setItem(this.place, String(typed));
    } catch {
      // Full, or forbidden here: next time it opens at the beginning.
    }
  }

  #dropDraft() {
    this.history.apply(this.opened);
  }

  /* Showing */

  #onChange() {
    this.#show();
    if (this.drafts) this.drafts.keep(this.document);
  }

  #show() {
    const { document: now } = this;
    this.view.show(now);
    this.player.setCuts(now.cuts);
    this.chapters.show();
    for (const [id, list] of [["undo", this.history.past], ["redo", this.history.future]]) byId(id).disabled = !list.length;
    clearTimeout(this.idle);
    this.idle = setTimeout(() => this.#showAside(), IDLE_MS);
  }

  /** What stands beside the text, once nobody types. */
  #showAside() {
    const { document: now } = this;
    const doubts = model.allDoubts(now).length;
    byId("doubts").textContent = say("doubts", { count: doubts });
    for (const id of ["next-doubt", "previous-doubt", "confirm"]) byId(id).disabled = !doubts;
    const title = now.title ?? this.session.title;
    byId("title").textContent = title[language] ?? title.en ?? title.fr;
    for (const each of ["en", "fr"]) if (document.activeElement !== byId(`title-${each}`)) byId(`title-${each}`).value = title[each] ?? "";
    this.#showSpeakers();
    this.#showCuts();
    this.#showHiddenInTitles();
    this.reports.show();
    this.#showSuggestions();
    this.find.show();
  }

  labelOf(key, shown = this.document) {
    const speaker = shown.speakers.find((each) => each.key === key);
    if (!speaker) return say("nobody");
    return speaker.name ?? say("unnamed", { number: key.slice(1) });
  }

  #proposals(key) {
    const named = this.document.speakers.find((each) => each.key === key)?.name;
    const found = this.session.speakers.find((each) => each.key === key)?.proposals ?? [];
    return named ? [] : found.filter((each) => !this.refused.has(`${key} ${each.name}`));
  }

  #showSpeakers() {
    const { document: now } = this;
    const names = new Set([...this.session.people, ...now.speakers.map(({ name }) => name).filter(Boolean)]);
    byId("people").replaceChildren(...[...names].map((name) => make("option", { value: name })));
    if (byId("speakers").contains(document.activeElement)) return;
    byId("speakers").replaceChildren(...now.speakers.map(({ key, name }) => this.#speakerItem(key, name)));
  }

  #speakerItem(key, name) {
    const field = make("input", { value: name ?? "", placeholder: say("unnamed", { number: key.slice(1) }), autocomplete: "off" });
    field.setAttribute("list", "people");
    field.setAttribute("aria-label", say("name_of", { name: this.labelOf(key) }));
    field.addEventListener("change", () => this.#name(key, field.value));
    const hear = button(say("hear"), () => this.#hear(key));
    hear.setAttribute("aria-label", say("hear_somebody", { name: this.labelOf(key) }));
    const proposals = this.#proposals(key).map((each) =>
      proposalItem(each, () => this.#name(key, each.name), say, () => {
        this.refused.add(`${key} ${each.name}`);
        byId("speakers-title").focus();
        this.#showSpeakers();
      }),
    );
    return make("li", {}, make("div", { className: "row" }, field, hear), proposals.length ? make("ul", { className: "proposals" }, ...proposals) : null);
  }

  #showCuts() {
    const { cuts } = this.document;
    byId("cuts-none").hidden = cuts.length > 0;
    renew(
      byId("cuts"),
      cuts.map((cut) => {
        const told = clock(cut.start_ms) === clock(cut.end_ms) ? exactClock : clock;
        const time = `${told(cut.start_ms)} – ${told(cut.end_ms)}`;
        const preview = button(say("cut_preview"), () => this.player.preview(cut));
        const change = button(say("cut_change"), () => this.#cut(cut));
        const remove = button(say("cut_undo"), () => {
          this.history.apply(model.withCuts(this.document, this.#cutsBut(cut)));
          byId("cut").focus();
        });
        for (const each of [preview, change, remove]) each.setAttribute("aria-label", `${each.textContent} ${time}`);
        return make("li", { className: "row" }, make("span", {}, `${time} · ${say(`cut_${cut.kind}`)}`), preview, change, remove);
      }),
      byId("cut"),
    );
  }

  /** The cuts as they are by now, without one: no two begin at the same moment. */
  #cutsBut(cut) {
    return this.document.cuts.filter((each) => each.start_ms !== cut?.start_ms);
  }

  /** A title may quote what is cut: which of its words tell too much, the person decides. */
  #showHiddenInTitles() {
    const words = model.hiddenInTitles(this.document);
    const said = words.length ? say("titles_hold_hidden", { words: words.join(", ") }) : "";
    if (byId("chapters-hidden").textContent === said) return;
    byId("chapters-hidden").textContent = said;
    if (said) byId("chapters-part").open = true;
  }

  #tell(state) {
    if (this.told === state) return;
    this.told = state;
    byId("kept").textContent = say(`state_${state}`);
    byId("kept").dataset.state = state;
    if (state === "elsewhere") this.#notice(say("elsewhere"), [say("reload"), () => location.reload()]);
  }

  /** Say something until it is closed or acted on; an action that only shows a place leaves it. */
  #notice(text, ...actions) {
    const all = byId("notices");
    for (const each of all.children) if (each.dataset.text === text) each.remove();
    const made = make("div", { className: "notice" }, make("p", {}, text));
    made.dataset.text = text;
    const close = (act) => () => {
      made.remove();
      act?.();
    };
    made.append(...actions.map(([label, act, stays]) => button(label, stays ? act : close(act))), button(say("close"), close()));
    all.append(made);
    return made;
  }

  /** What was said of the revision that was there before is no longer so. */
  #forgetNotices() {
    for (const each of byId("notices").querySelectorAll(".notice:not([data-stays])")) each.remove();
  }

  #announce(text) {
    byId("said").textContent = text;
  }

  /* The text asks */

  typed(id, text) {
    this.history.apply(model.setText(this.document, id, text), `typed ${id}`);
  }

  split(id, offset) {
    const [next, made] = model.splitBlock(this.document, id, offset);
    if (made === null) return;
    this.history.apply(next);
    this.view.select(made, 0);
    this.#announce(say("was_split"));
  }

  merge(id) {
    const [next, into, offset] = model.mergeBlock(this.document, id);
    if (into === null) return;
    this.history.apply(next);
    this.view.select(into, offset);
    this.#announce(say("was_merged"));
  }

  /** A stretch over several paragraphs has been typed over or deleted. */
  replaced(from, to, text) {
    const [next, { id, offset }] = model.replaceStretch(this.document, from, to, text);
    this.history.apply(next);
    this.view.select(id, offset);
  }

  chose(count) {
    this.player.choose(null);
    this.#announce(say("chosen", { count }));
  }

  undo() {
    this.#back(() => this.history.undo());
  }

  redo() {
    this.#back(() => this.history.redo());
  }

  /** Whoever takes something back sees where; with the caret in the text, they are there. */
  #back(move) {
    const [before, here] = [this.document, this.view.selection()];
    const typing = byId("pane").contains(document.activeElement);
    if (!move()) return;
    const place = model.changedPlace(before, this.document) ?? (here && { id: here.id, offset: here.from });
    if (!place) return;
    const offset = place.offset ?? (here?.id === place.id ? here.from : 0);
    if (typing) this.view.select(place.id, offset);
    else this.view.revealBlock(place.id);
  }

  seek(ms) {
    this.player.playFrom(ms ?? this.#caretMs());
  }

  async who(id, { naming = false } = {}) {
    const block = this.document.blocks[model.indexOfBlock(this.document, id)];
    const label = (key) => this.labelOf(key);
    const chosen = await askWho({
      speakers: this.document.speakers,
      current: block.speaker,
      label,
      proposals: this.#proposals(block.speaker),
      naming,
      say,
    });
    if (chosen?.key) this.#assign([id], chosen.key);
    else if (chosen?.added) {
      const [next, key] = model.addSpeaker(this.document);
      this.history.apply(model.assignTurn(next, id, key));
      await this.who(id, { naming: true });
    } else if (chosen) this.#name(block.speaker, chosen.rename);
  }

  #assign(ids, key) {
    // Another revision may have come while somebody chose.
    if (ids.some((id) => model.indexOfBlock(this.document, id) < 0)) return;
    this.history.apply(ids.reduce((now, id) => model.assignTurn(now, id, key), this.document));
    this.#announce(say("was_assigned", { name: this.labelOf(key) }));
  }

  #name(key, name) {
    this.history.apply(model.nameSpeaker(this.document, key, name));
    if (this.document.speakers.some((each) => each.key === key)) this.#announce(say("was_named", { name: this.labelOf(key) }));
    else {
      this.#notice(say("voices_one", { name }));
      if (byId("speakers").contains(document.activeElement)) byId("speakers-title").focus();
    }
    this.#showSpeakers();
  }

  /** Let a voice be heard where it says most in one go. */
  #hear(key) {
    const said = this.document.blocks.filter((each) => each.speaker === key);
    if (!said.length) return;
    const most = said.reduce((one, other) => (other.tokens.length > one.tokens.length ? other : one));
    const start = model.startOf(this.document, most);
    const end = model.timeOf(this.document, most, most.tokens.length - 1) + TAIL_MS;
    this.player.playStretch(start, Math.min(start + VOICE_MS, end));
  }

  /* Where the caret is */

  #here() {
    const place = this.view.selection() ?? this.lastPlace;
    return place && model.indexOfBlock(this.document, place.id) >= 0 ? place : null;
  }

  /** What is selected, a part of each paragraph; the caret alone is a part of no length. */
  #parts() {
    const { ends } = this.view.stretch;
    if (ends) return model.partsOf(this.document, ...ends);
    const here = this.#here();
    return here ? [here] : [];
  }

  /** The time of the words in some parts; null where none are selected. */
  #timeOf(parts) {
    const spans = parts.filter(({ from, to }) => to > from).flatMap((part) => {
      const at = model.indexOfBlock(this.document, part.id);
      const places = model.tokenSpans(this.document.blocks[at]);
      return model.spansOf(this.document, at).filter((_, token) => places[token][0] < part.to && places[token][1] > part.from);
    });
    if (!spans.length) return null;
    return { start_ms: spans.reduce((least, [start]) => Math.min(least, start), Infinity), end_ms: spans.reduce((most, [, end]) => Math.max(most, end), 0) };
  }

  /** Play what is selected, with a little around it; without a selection, from the caret on. */
  #playHere() {
    const time = this.player.chosen ?? this.#timeOf(this.#parts());
    if (time) this.player.playStretch(time.start_ms - LEAD_MS, time.end_ms + TAIL_MS);
    else this.seek(null);
  }

  /** Index of the token at an offset of a block. */
  #tokenAt(block, offset) {
    const at = model.tokenSpans(block).findIndex(([, end]) => offset <= end);
    return at < 0 ? block.tokens.length - 1 : at;
  }

  #caretMs() {
    const here = this.#here();
    if (!here) return this.player.now;
    const block = this.document.blocks[model.indexOfBlock(this.document, here.id)];
    return model.timeOf(this.document, block, this.#tokenAt(block, here.from));
  }

  #doubt(step) {
    const here = this.#here();
    const at = here ? model.indexOfBlock(this.document, here.id) : -1;
    const block = this.document.blocks[at];
    const token = block ? this.#tokenAt(block, step > 0 ? here.to : here.from) : -1;
    const doubt = model.nextDoubt(this.document, at, token, step);
    if (!doubt) return;
    const found = this.document.blocks[doubt.block];
    const spans = model.tokenSpans(found);
    const [from, to] = [spans[doubt.from][0], spans[doubt.to - 1][1]];
    this.view.select(found.id, from, to);
    const ms = model.timeOf(this.document, found, doubt.from);
    // Whoever listens on anyway does so from there; else the passage alone is heard.
    if (this.player.media.paused || this.player.until !== null) this.#playHere();
    else this.player.seek(ms);
    this.#announce(say("doubt_at", { text: found.text.slice(from, to), time: clock(ms), name: this.labelOf(found.speaker) }));
  }

  /** What is selected is right: it is in doubt no longer, and the next passage that is gets its turn. */
  #confirm() {
    const parts = this.#parts();
    if (!parts.length) return;
    this.history.apply(parts.reduce((now, { id, from, to }) => model.confirmWords(now, id, from, to), this.document));
    const { id, to } = parts.at(-1);
    if (parts.length > 1) this.view.select(id, to);
    this.#doubt(1);
  }

  /** Say of the words that are selected, or of the one at the caret, that they are in the other language. */
  #turnLanguage() {
    const { document: now } = this;
    const parts = this.#parts().flatMap(({ id, from, to }) => {
      const block = now.blocks[model.indexOfBlock(now, id)];
      if (!block.tokens.length) return [];
      const [start, end] = to > from ? [from, to] : model.tokenSpans(block)[this.#tokenAt(block, from)];
      return [{ block, from: start, to: end }];
    });
    if (!parts.length) {
      this.#announce(say("language_where"));
      return;
    }
    const [first] = parts;
    const [, runs] = assignLanguages(first.block, now.base);
    const other = languageAt(runs, first.from) === "fr" ? "en" : "fr";
    this.history.apply(parts.reduce((next, { block, from, to }) => model.setLanguage(next, block.id, from, to, other), now));
    if (parts.length === 1) this.view.select(first.block.id, first.from, first.to);
    this.#announce(say(`language_${other}`, { text: parts.map(({ block, from, to }) => block.text.slice(from, to)).join(" ") }));
  }

  /* What the program suggests */

  #showSuggestions() {
    const { document: now, session } = this;
    const open = (key) => !this.refused.has(key);
    const places = model.findWords(now, [...session.spellings, ...session.personal]);
    const spellings = session.spellings.flatMap((each, at) => {
      const place = places[at];
      // Times stay from one revision to the next, numbers of words do not.
      const key = `spelling ${now.base.start[each.first]} ${each.text}`;
      return place && open(key) ? [this.#suggestion(key, place, each)] : [];
    });
    const masked = (each) => now.cuts.some((cut) => cut.start_ms < each.end_ms && each.start_ms < cut.end_ms);
    const personal = session.personal.flatMap((each, at) => {
      const place = places[session.spellings.length + at];
      const key = `personal ${each.start_ms}`;
      return place && open(key) && !masked(each) ? [this.#personal(key, place, each)] : [];
    });
    this.undecided = { spellings: spellings.length, personal: personal.length };
    byId("suggestions-part").hidden = !spellings.length && !personal.length;
    byId("suggestions-count").textContent = String(spellings.length + personal.length);
    renew(byId("suggestions"), [...personal, ...spellings], byId("suggestions-title"));
  }

  #quote({ id, from, to }) {
    return this.document.blocks[model.indexOfBlock(this.document, id)].text.slice(from, to);
  }

  #suggestion(key, place, found) {
    const said = this.#quote(place);
    const { text } = found;
    const accept = (now) => this.history.apply(model.replaceAll(this.document, [now], text));
    return this.#suggestionItem(key, found, `${said} → ${text}`, [say("accept"), say("accept_spelling", { said, text }), accept]);
  }

  #personal(key, place, found) {
    const { kind, start_ms: start, end_ms: end } = found;
    const said = this.#quote(place);
    const cut = { start_ms: start, end_ms: end, kind: "mask", sound: "tone", picture: "untouched" };
    const accept = () => this.history.apply(model.withCuts(this.document, [...this.document.cuts, cut]));
    return this.#suggestionItem(key, found, `${say(`personal_${kind}`)} ${said}`, [say("mask"), say("mask_this", { said }), accept]);
  }

  /** The list is made anew only when nobody types, so where the words stand is looked up when a button is pressed. */
  #suggestionItem(key, found, text, [label, description, accept]) {
    const { session } = this;
    const place = () => (this.session === session ? model.findWords(this.document, [found])[0] : null);
    const settle = (act) => () => {
      const now = place();
      if (now) act(now);
      byId("suggestions-title").focus();
      this.#showSuggestions();
    };
    const show = button(say("show"), () => {
      const now = place();
      if (now) this.view.select(now.id, now.from, now.to);
    });
    const take = button(label, settle(accept));
    const leave = button(say("leave"), settle(() => this.refused.add(key)));
    take.setAttribute("aria-label", description);
    for (const each of [show, leave]) each.setAttribute("aria-label", `${each.textContent} ${text}`);
    return make("li", { className: "row" }, make("span", {}, text), take, leave, show);
  }

  /** A later recognition never replaces the text by itself: it is shown, and taken when somebody says so. */
  async #lookForProposal() {
    const proposal = await this.server.get("/proposal").catch((refusal) => this.#onRefused(refusal));
    if (!proposal) return;
    const data = { count: proposal.changes.length };
    const notice = this.#notice(say("proposal_there", data), [say("conflict_show"), () => this.#showProposal(proposal)]);
    notice.dataset.stays = "";
  }

  async #showProposal({ changes }) {
    byId("proposal-changes").replaceChildren(...changeItems(changes, say));
    if ((await ask(byId("proposal-dialog"))) !== "ok" || !(await this.save()) || !(await this.#named())) return;
    try {
      await this.#goOn(await this.server.send("POST", "/proposal", { author: this.author, revision: this.session.revision }));
      this.#look();
    } catch (refusal) {
      await this.#onRefused(refusal);
    }
  }

  /* Cuts */

  async #cut(changed = null) {
    const start = changed ?? this.#chosenStretch();
    this.player.setCuts(this.document.cuts, start);
    const made = await askCut(start, {
      say,
      others: () => this.#cutsBut(changed),
      total: this.session.duration_ms,
      now: () => this.player.now,
      show: (cut) => this.player.setCuts(this.document.cuts, cut),
      preview: (cut) => this.player.preview(cut),
    });
    this.player.media.pause();
    this.player.setCuts(this.document.cuts);
    if (!made) return;
    this.player.choose(null);
    this.history.apply(model.withCuts(this.document, [...this.#cutsBut(changed), made]));
  }

  /** What is chosen in the picture of the sound, or the time of the selected words; without any, ten seconds from now. */
  #chosenStretch() {
    const from = this.player.now;
    return this.player.chosen ?? this.#timeOf(this.#parts()) ?? { start_ms: from, end_ms: Math.min(from + CUT_MS, this.session.duration_ms) };
  }

  /* Chapters */

  #chapterHost() {
    const editor = this;
    return {
      say,
      get document() {
        return editor.document;
      },
      get session() {
        return editor.session;
      },
      apply: (chapters, kind) => this.history.apply(model.withChapters(this.document, chapters), kind),
      suggest: (revision) => this.server.get("/chapters", { revision }),
      here: () => this.#chapterHere(),
      now: () => this.player.now,
      play: (ms) => this.player.playFrom(ms),
      announce: (text) => this.#announce(text),
      refused: (refusal) => this.#onRefused(refusal),
    };
  }

  /** The chapter that would begin at the caret; without one, at what is heard now. */
  #chapterHere() {
    const here = this.#here();
    const { blocks } = this.document;
    if (here) {
      const block = blocks[model.indexOfBlock(this.document, here.id)];
      return model.chapterFrom(this.document, block, this.#tokenAt(block, here.from));
    }
    const place = model.spokenAt(this.document, this.player.now);
    if (!place) return { start_ms: this.player.now, title: "", language: this.session.language };
    return { ...model.chapterFrom(this.document, blocks[place.block], place.token), start_ms: this.player.now };
  }

  /* Reports of learners */

  #reportHost() {
    const editor = this;
    return {
      say,
      server: this.server,
      get document() {
        return editor.document;
      },
      get session() {
        return editor.session;
      },
      place: (report) => model.placeOf(this.document, report),
      show: (report) => this.#showReport(report),
      put: (places, written) => this.history.apply(model.replaceEach(this.document, places, written)),
      decide: (id, state) => this.#decide(id, state),
      mark: (places) => this.view.mark("reported", places),
      announce: (text) => this.#announce(text),
    };
  }

  #showReport(report) {
    const place = model.placeOf(this.document, report);
    if (place) this.view.select(place.id, place.from, place.to);
    this.player.seek(report.start_ms);
  }

  async #decide(id, state) {
    if (!(await this.#named())) return;
    try {
      await this.server.send("PUT", `/reports/${id}`, { author: this.author, state });
      await this.#look();
    } catch (refusal) {
      await this.#onRefused(refusal);
    }
  }

  /* Search */

  #findHost() {
    const editor = this;
    return {
      say,
      get document() {
        return editor.document;
      },
      here: () => this.#here(),
      apply: (next) => this.history.apply(next),
      mark: (name, places) => this.view.mark(name, places),
      reveal: ({ id }) => this.view.revealBlock(id),
      select: ({ id, from, to }) => this.view.select(id, from, to),
    };
  }

  /* Saving */

  /** Save what was typed as a revision. Says whether that was done; whoever asks again meanwhile asks for the same. */
  save() {
    this.saving ??= this.#save().finally(() => (this.saving = null));
    return this.saving;
  }

  async #save() {
    if (!this.changed) return true;
    if (!(await this.#named()) || this.drafts.ended || this.conflicting) return false;
    await this.drafts.pause();
    const document = this.document;
    try {
      const sent = { author: this.author, based_on: this.session.revision, session: model.toPayload(document) };
      const saved = await this.server.send("POST", "/revisions", sent);
      await this.#onSaved(saved, document);
      return true;
    } catch (refusal) {
      this.drafts.keep(this.document);
      this.#onRefused(refusal);
      return false;
    }
  }

  /** Go on from the saved revision; what was typed while it was being saved is still there. */
  async #onSaved(saved, document) {
    this.drafts.drop();
    this.#forgetNotices();
    const settled = model.settle(document, this.document, new model.Base(saved));
    if (settled) {
      const [opened, now] = settled;
      Object.assign(this, { session: saved, opened });
      this.#startDrafts();
      this.history = new History(opened, () => this.#onChange());
      this.history.apply(now);
      this.#show();
    } else await this.#goOn(saved, document);
    this.#tell("saved_now");
    if (byId("history-part").open) this.#showHistory();
    this.#look();
  }

  /** Go on from a revision that the server made of a document; what was typed since is put on top of it. */
  async #goOn(made, document = this.opened) {
    if (this.document === document) {
      this.#take(made);
      return;
    }
    const { same } = await this.server.get("/changes", { from: this.session.revision, to: made.revision });
    const typed = this.document;
    this.#take(made, (opened) => rebase(typed, document, opened, same).document);
  }

  async #onRefused(refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    if (refusal.said.code === "review.conflict") await this.#conflict();
    else this.#notice(refusal.said[language] ?? say("unreachable"));
  }

  /** Somebody else saved first: show what they changed, and put mine on top when asked to; once, however often it is met. */
  #conflict(newest = null) {
    this.conflicting ??= this.#settleConflict(newest)
      .catch((refusal) => this.#onRefused(refusal))
      .finally(() => (this.conflicting = null));
    return this.conflicting;
  }

  async #settleConflict(known) {
    const newest = known ?? (await this.server.get());
    const { revision } = this.session;
    const { changes, same } = await this.server.get("/changes", { from: revision, to: newest.revision });
    this.warned = newest.revision;
    const data = { author: newest.saved.author, number: newest.revision, based_on: revision };
    await undisturbed();
    const answer = await askConflict({ text: say("conflict", data), changes }, say);
    if (answer !== "merge") {
      this.#notice(say("conflict_open", data), [say("conflict_show"), () => this.#conflict(newest)]);
      return;
    }
    const [mine, before] = [this.document, this.opened];
    let clashes = [];
    this.#take(newest, (opened) => {
      const merged = rebase(mine, before, opened, same);
      clashes = merged.clashes;
      return merged.document;
    });
    if (!clashes.length) this.#notice(say("merged", data));
    else this.#notice(say("merged_clashes", { ...data, count: clashes.length }), ...clashes.map((each) => this.#clashAction(each)));
  }

  #clashAction({ mine, theirs, block, chapters = false }) {
    if (chapters) return [say("chapters"), () => this.#showChapters(), true];
    const shown = around(mine, theirs).join(" ↔ ");
    return [shown, () => block !== null && this.view.select(block, 0), true];
  }

  #showChapters() {
    byId("chapters-part").open = true;
    byId("chapters-title").focus();
  }

  async #approve() {
    if (!(await this.#named())) return;
    const [dialog, accept] = [byId("approve-dialog"), byId("approve-ok")];
    byId("approve-text").textContent = say("approve_saving");
    byId("approve-undecided").hidden = true;
    accept.disabled = true;
    // Open at once: what came only after the answer would take the keys of whoever has gone on typing.
    const answered = ask(dialog);
    while (dialog.open && this.changed) if (!(await this.save())) shut(dialog);
    if (!dialog.open) return;
    const { revision } = this.session;
    byId("approve-text").textContent = say("approve_text", { number: revision, author: this.author });
    this.#showUndecided();
    accept.disabled = false;
    if ((await answered) !== "ok") return;
    try {
      const state = await this.server.send("POST", "/approval", { author: this.author, revision });
      // What was asked before says nothing of it.
      this.looks.answered = this.looks.asked;
      this.#showState(state);
      this.#notice(say("approved"));
    } catch (refusal) {
      await this.#onRefused(refusal);
    }
  }

  /** Before somebody stands by a session, what nobody has decided yet. */
  #showUndecided() {
    this.#showAside();
    const counts = {
      undecided_personal: this.undecided.personal,
      undecided_doubts: model.allDoubts(this.document).length,
      undecided_spellings: this.undecided.spellings,
      undecided_reports: this.reports.open.length,
    };
    const left = Object.entries(counts).filter(([, count]) => count);
    byId("approve-undecided").hidden = !left.length;
    byId("approve-counts").replaceChildren(...left.map(([key, count]) => make("li", {}, say(key, { count }))));
  }

  /* What others do */

  async #look() {
    const asked = (this.looks.asked += 1);
    try {
      const state = await this.server.get("/state", { author: this.author, writer: this.drafts.writer });
      if (asked <= this.looks.answered) return;
      this.looks.answered = asked;
      this.#showState(state);
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
    }
  }

  #showState(state) {
    this.reports.look(state.reports);
    byId("state").textContent = state[`text_${language}`];
    const page = state.pages.find(([spoken]) => spoken === language)?.[1] ?? "";
    byId("published").hidden = !/^https?:/u.test(page);
    byId("published").href = page;
    byId("others").textContent = state.others.length ? say("others", { names: state.others.join(", ") }) : "";
    // What is newer may be what is being saved.
    if (this.saving || this.conflicting) return;
    if (state.latest.number <= this.session.revision || this.warned === state.latest.number) return;
    this.warned = state.latest.number;
    const data = { author: state.latest.author, number: state.latest.number };
    const action = this.changed
      ? [say("conflict_show"), () => this.#conflict()]
      : [say("reload"), () => location.reload()];
    this.#notice(say("newer", data), action);
  }

  async #showHistory() {
    const asked = (this.histories += 1);
    const history = await this.server.get("/history").catch((refusal) => this.#onRefused(refusal));
    if (!history || asked !== this.histories) return;
    const format = new Intl.DateTimeFormat(`${language}-CA`, { dateStyle: "medium", timeStyle: "short" });
    renew(
      byId("history"),
      history.toReversed().map((entry) => {
        const data = { number: entry.number, author: entry.author, when: format.format(new Date(entry.saved_at)) };
        const shown = make("ul", { className: "changes" });
        const differences = button(say("differences"), async () => {
          const asked = this.server.get("/changes", { from: entry.based_on, to: entry.number });
          const found = await asked.catch((refusal) => this.#onRefused(refusal));
          if (found) shown.replaceChildren(...changeItems(found.changes, say));
        });
        differences.setAttribute("aria-label", say("differences_of", data));
        const back = button(say("revision_back"), () => this.#bringBack(entry.number));
        back.setAttribute("aria-label", say("revision_back_to", data));
        const approval = entry.approval && make("p", { className: "small" }, say("approved_by", { author: entry.approval.author }));
        const actions = [entry.based_on && differences, entry.number < this.session.revision && back].filter(Boolean);
        return make("li", {}, make("p", {}, say("history_item", data)), approval, make("div", { className: "row" }, ...actions), shown);
      }),
      document.querySelector("#history-part summary"),
    );
  }

  /** Put an earlier revision's text, names, cuts and chapters in place of what is there; it can be undone, and is to be saved. */
  async #bringBack(number) {
    try {
      const { document: before, session: { revision } } = this;
      const old = await this.server.get("", { revision: number });
      const { same } = await this.server.get("/changes", { from: number, to: revision });
      if (revision !== this.session.revision) return;
      const put = () => {
        this.history.apply(broughtBack(model.openDocument(old, new model.Base(old)), this.opened.base, same));
        this.#notice(say("revision_is_back", { number }));
      };
      if (this.document === before) put();
      else this.#notice(say("revision_is_there", { number }), [say("revision_back"), put]);
    } catch (refusal) {
      await this.#onRefused(refusal);
    }
  }

  /* The recording */

  #tick(ms) {
    if (!this.history) return;
    const place = model.spokenAt(this.document, ms);
    const section = this.view.markSpoken(place);
    const typing = byId("pane").contains(document.activeElement) && performance.now() - (this.typedAt ?? -1e9) < 4000;
    if (!byId("follow").checked || this.player.media.paused || typing) this.followed = null;
    // Whoever scrolls away while it plays is left there until the next paragraph.
    else if (section && section !== this.followed) {
      this.view.reveal(section);
      this.followed = section;
    }
  }

  /* Keys and buttons */

  #wire() {
    const actions = {
      save: () => this.save(),
      approve: () => this.#approve(),
      undo: () => this.undo(),
      redo: () => this.redo(),
      "next-doubt": () => this.#doubt(1),
      "previous-doubt": () => this.#doubt(-1),
      confirm: () => this.#confirm(),
      cut: () => this.#cut(),
      "turn-language": () => this.#turnLanguage(),
      help: () => ask(byId("help-dialog")),
      "change-author": () => this.#changeAuthor(),
      back: () => this.player.step(-1),
      forward: () => this.player.step(1),
      play: () => this.player.toggle(),
      "zoom-in": () => this.player.zoom(1),
      "zoom-out": () => this.player.zoom(-1),
    };
    for (const [id, act] of Object.entries(actions)) byId(id).addEventListener("click", act);
    byId("speed").addEventListener("change", (event) => (byId("media").playbackRate = Number(event.target.value)));
    byId("history-part").addEventListener("toggle", (event) => event.target.open && this.#showHistory());
    for (const each of ["en", "fr"]) byId(`title-${each}`).addEventListener("input", () => this.#retitle());
    for (const event of ["play", "pause"]) byId("media").addEventListener(event, () => this.#showPlaying());
    this.#showPlaying();
    document.addEventListener("keydown", (event) => this.#onKey(event));
    document.addEventListener("selectionchange", () => this.#onSelection());
    // A browser tells late of what was selected: by then a stretch may be drawn. What is done in the text after that counts.
    byId("wave").addEventListener("pointerdown", () => (this.drawnOver = this.view.selection()));
    for (const event of ["pointerdown", "keydown"]) byId("pane").addEventListener(event, () => (this.drawnOver = null), { capture: true });
    byId("pane").addEventListener("input", () => (this.typedAt = performance.now()));
    document.addEventListener("visibilitychange", () => document.hidden && this.#leave());
    addEventListener("pagehide", () => this.#leave());
    // Sooner than that: a browser may hide a page only after the next one has asked what was typed here. A name that is
    // being typed counts as given.
    addEventListener("beforeunload", () => {
      document.activeElement?.blur();
      this.#leave();
    });
  }

  /** What was done last counts: words that are selected, or a stretch of the sound. */
  #onSelection() {
    const [here, before] = [this.view.selection(), this.drawnOver];
    if (!here) return;
    this.lastPlace = here;
    const known = here.id === before?.id && here.from === before.from && here.to === before.to;
    if (!known && here.to > here.from) this.player.choose(null);
  }

  #leave() {
    this.drafts.flush({ last: true });
    this.#keepPlace();
  }

  #showPlaying() {
    byId("play").textContent = say(byId("media").paused ? "play" : "pause");
  }

  #retitle() {
    const title = { en: byId("title-en").value.trim() || null, fr: byId("title-fr").value.trim() || null };
    this.history.apply(model.withTitle(this.document, title.en || title.fr ? title : null), "title");
  }

  #onKey(event) {
    if (event.isComposing || document.querySelector("dialog[open]")) return;
    if (event.key === "Tab" && !event.ctrlKey && !event.altKey && !event.metaKey) this.#tab(event);
    const act = this.#keyAction(event);
    if (!act) return;
    event.preventDefault();
    act();
  }

  #keyAction(event) {
    const typing = event.target.isContentEditable || event.target.matches("input, select, textarea");
    const control = event.ctrlKey || event.metaKey;
    const name = [control && "Ctrl", event.altKey && "Alt", event.shiftKey && "Shift", event.key.length === 1 ? event.key.toUpperCase() : event.key];
    const inField = typing && !event.target.isContentEditable;
    const speaker = /^Digit([1-9])$/u.exec(event.code);
    if (event.altKey && !control && speaker) return () => this.#assignHere(Number(speaker[1]));
    if (!typing && event.key === "?") return () => ask(byId("help-dialog"));
    const keys = {
      "Ctrl+S": () => this.save(),
      "Ctrl+Z": inField ? null : () => this.undo(),
      "Ctrl+Shift+Z": inField ? null : () => this.redo(),
      "Ctrl+Y": inField ? null : () => this.redo(),
      "Ctrl+F": () => this.find.open(),
      F3: () => this.find.next(1),
      "Shift+F3": () => this.find.next(-1),
      "Alt+Enter": () => this.#confirm(),
      "Ctrl+Enter": () => this.#playHere(),
      "Ctrl+Shift+X": () => this.#cut(),
      "Ctrl+,": () => this.player.step(-1),
      "Ctrl+.": () => this.player.step(1),
      Escape: () => this.player.toggle(),
      F1: () => ask(byId("help-dialog")),
      F2: () => this.#doubt(1),
      "Shift+F2": () => this.#doubt(-1),
      F4: () => this.#whoHere(),
      F6: () => this.#goToPart(1),
      "Shift+F6": () => this.#goToPart(-1),
      F8: () => this.chapters.add(),
      F9: () => this.#turnLanguage(),
    };
    return keys[name.filter(Boolean).join("+")] ?? null;
  }

  /** Give the turn of the caret, or every turn that a stretch meets, to a speaker. */
  #assignHere(number) {
    const [parts, speaker] = [this.#parts(), this.document.speakers[number - 1]];
    if (parts.length && speaker) this.#assign(parts.map(({ id }) => id), speaker.key);
  }

  /** Go to the next part of the page: in the text to where one was, elsewhere to the first that can be used. */
  #goToPart(step) {
    const at = PARTS.findIndex((part) => document.querySelector(part).contains(document.activeElement));
    const part = PARTS.at(at < 0 ? (step > 0 ? 0 : -1) : (at + step) % PARTS.length);
    if (part === ".words") this.#returnToText();
    else this.#stopsIn(document.querySelector(part))[0].focus();
  }

  #stopsIn(part) {
    return [...part.querySelectorAll(STOPS)].filter((each) => each.checkVisibility());
  }

  /** Into the text and out of it: a browser that looks for the next stop itself lays out every paragraph on its way. */
  #tab(event) {
    const { stops, pane } = this.view;
    const before = [".listen", ".words-head", "#find"].flatMap((part) => this.#stopsIn(document.querySelector(part))).at(-1);
    const [after] = this.#stopsIn(document.querySelector(".aside"));
    const step = event.shiftKey ? -1 : 1;
    const order = [before, ...stops, after];
    const here = document.activeElement;
    const at = order.indexOf(here);
    const next = at >= 0 ? order[at + step] : pane.contains(here) && stops[0];
    if (!next) return;
    event.preventDefault();
    next.focus();
  }

  #returnToText() {
    const here = this.#here();
    if (here) this.view.select(here.id, here.from, here.to);
    else this.view.focus();
  }

  #whoHere() {
    const here = this.#here();
    if (here) this.who(here.id).then(() => this.view.select(here.id, here.from));
  }
}

wireDialogs();
const editor = new Editor(document.body.dataset.session, document.body.dataset.key);
editor.open().catch((failure) => {
  byId("loading").textContent = failure instanceof Refusal ? (failure.said[language] ?? say("unreachable")) : say("broken");
  throw failure;
});
