/* The transcript as a text to type in: one editable paragraph a block, shown only where somebody looks.

   In go documents, out come the changes that a person makes. Doubts, the word being spoken, cuts and what is searched
   for are painted over the text as ranges, so a paragraph stays the plain text that it is and typing costs no more in
   three hours than in three minutes. */

import { assignLanguages, broughtBy, clock } from "./format.js";
import { isCut, spansOf, startOf, tokenSpans } from "./model.js";
import { Stretch } from "./stretch.js";

/** Well within the first or the last line of a paragraph. */
const LINE_PX = 10;
const PAINTS = ["low", "overlap", "cut", "reported", "found", "sought", "spoken", "chosen"];

export class TextView {
  /**
   * @param pane Where the paragraphs are put; it scrolls.
   * @param host What is told: typed(id, text), replaced(from, to, text), chose(count), split(id, offset), merge(id), undo(), redo(), who(id), seek(ms);
   *   labelOf(speaker, document) gives a name to show, say(key, data) a text.
   */
  constructor(pane, host) {
    this.pane = pane;
    this.host = host;
    this.entries = new Map();
    this.document = null;
    this.marks = new Map(["reported", "found", "sought", "chosen"].map((name) => [name, new Map()]));
    this.paints = new Map(PAINTS.map((name) => [name, highlight(name)]));
    this.seen = new IntersectionObserver((changes) => this.#look(changes), { root: pane, rootMargin: "300px 0px" });
    this.stretch = new Stretch(this);
    pane.addEventListener("input", (event) => this.#onInput(event));
    pane.addEventListener("compositionend", (event) => this.#onComposed(event));
    pane.addEventListener("focusin", (event) => this.#stayAt(this.#entryOf(event.target)));
    pane.addEventListener("beforeinput", (event) => this.#onBeforeInput(event));
    pane.addEventListener("keydown", (event) => this.#onKey(event));
    pane.addEventListener("click", (event) => this.#onClick(event));
    pane.addEventListener("focusout", (event) => this.#tidy(event));
  }

  /** Show a document; only what differs from the one before is touched. */
  show(document) {
    const before = this.document;
    this.document = document;
    const kept = new Set(document.blocks.map(({ id }) => id));
    // First what goes: a paragraph that stays is not moved for it, which would take the caret from whoever is in it.
    for (const [id, entry] of this.entries) if (!kept.has(id)) this.#drop(id, entry);
    let place = this.pane.firstElementChild;
    for (const block of document.blocks) {
      const entry = this.entries.get(block.id) ?? this.#make(block);
      if (entry.section === place) place = place.nextElementSibling;
      else this.pane.insertBefore(entry.section, place);
      if (entry.block !== block || before?.speakers !== document.speakers) this.#fill(entry, block);
    }
    if (before?.cuts !== document.cuts) for (const entry of this.entries.values()) this.#paint(entry);
    if (before?.blocks !== document.blocks) this.stretch.clear();
    if (!this.entries.has(this.current?.block.id)) this.#stayAt(this.entries.get(document.blocks[0]?.id));
  }

  /** Let the Tab key stop at one paragraph only: the arrows go to the others, and what stands behind them is near. */
  #stayAt(entry) {
    if (!entry || entry === this.current) return;
    for (const [one, index] of [[this.current, -1], [entry, 0]]) {
      if (one) for (const each of [one.who, one.time, one.text]) each.tabIndex = index;
    }
    this.current = entry;
  }

  /** What the Tab key stops at in the text, in order. */
  get stops() {
    return this.current ? [this.current.who, this.current.time, this.current.text].filter((each) => !each.hidden) : [];
  }

  /** Go to where the person was last, or to the beginning. */
  focus() {
    this.current?.text.focus();
  }

  #make(block) {
    const section = element("section", "block");
    const who = element("button", "who");
    const time = element("button", "time");
    const text = element("p", "text");
    for (const button of [who, time]) button.type = "button";
    for (const each of [who, time, text]) each.tabIndex = -1;
    text.contentEditable = "plaintext-only";
    text.setAttribute("role", "textbox");
    text.setAttribute("aria-multiline", "true");
    text.spellcheck = true;
    section.dataset.id = block.id;
    section.append(who, time, text);
    const entry = { section, who, time, text, block: null, spoken: "", visible: false, ranges: [] };
    this.entries.set(block.id, entry);
    this.seen.observe(section);
    return entry;
  }

  #fill(entry, block) {
    const { document, host } = this;
    const first = entry.block === null;
    entry.block = block;
    const label = host.labelOf(block.speaker, document);
    const at = clock(startOf(document, block));
    entry.section.classList.toggle("joined", block.joined);
    entry.who.hidden = block.joined;
    write(entry.who, label);
    write(entry.time, at);
    describe(entry.who, host.say("who_button", { name: label, time: at }));
    describe(entry.time, host.say("play_from", { time: at }));
    describe(entry.text, host.say("text_label", { name: label, time: at }));
    const spoken = this.#spoken(block);
    if (first || entry.text.textContent !== block.text) this.#write(entry);
    else if (entry.spoken !== spoken && entry !== this.composing) this.#restate(entry);
    if (entry !== this.composing) entry.spoken = spoken;
    this.#paint(entry);
  }

  /** Which languages a block is in, word for word: what is typed in a browser's text goes on in that of where it stands. */
  #spoken(block) {
    const [main, runs] = assignLanguages(block, this.document.base);
    return runs.length > 1 ? runs.map(({ language, text }) => language + text.trim().split(/\s+/u).length).join(" ") : main;
  }

  /** Write a paragraph whose words are of other languages now; whoever is in it stays where they are. */
  #restate(entry) {
    const here = this.selection();
    this.#write(entry);
    if (here?.id === entry.block.id) this.select(here.id, here.from, here.to);
  }

  /** Put a block's text into its paragraph; words in another language than the paragraph's say so. */
  #write(entry) {
    const { base } = this.document;
    const [main, runs] = assignLanguages(entry.block, base);
    entry.text.lang = main;
    entry.text.replaceChildren(
      ...runs.map(({ language, text }) => {
        if (language === main) return text;
        const other = element("span");
        other.lang = language;
        other.textContent = text;
        return other;
      }),
    );
  }

  #drop(id, entry) {
    this.#unpaint(entry);
    this.seen.unobserve(entry.section);
    // First: whoever is in it leaves it with that, and there is nothing left to put in order.
    this.entries.delete(id);
    entry.section.remove();
  }

  /* What is painted over the text */

  #look(changes) {
    for (const { target, isIntersecting } of changes) {
      const entry = this.entries.get(Number(target.dataset.id));
      if (!entry) continue;
      entry.visible = isIntersecting;
      this.#paint(entry);
    }
  }

  #paint(entry) {
    this.#unpaint(entry);
    if (!entry.visible) return;
    const { base, cuts } = this.document;
    const points = textPoints(entry.text);
    const spans = tokenSpans(entry.block);
    const heard = cuts.length ? spansOf(this.document, this.document.blocks.indexOf(entry.block)) : [];
    entry.block.tokens.forEach((token, at) => {
      if (base.isLow(token)) this.#add(entry, "low", points, spans[at]);
      if (base.isOverlapped(token)) this.#add(entry, "overlap", points, spans[at]);
      if (cuts.length && isCut(cuts, heard[at])) this.#add(entry, "cut", points, spans[at]);
    });
    for (const [name, places] of this.marks) {
      for (const { from, to } of places.get(entry.block.id) ?? []) this.#add(entry, name, points, [from, to]);
    }
  }

  #add(entry, name, points, [from, to]) {
    const range = rangeOf(points, from, to);
    if (!range) return;
    entry.ranges.push([name, range]);
    this.paints.get(name)?.add(range);
  }

  #unpaint(entry) {
    for (const [name, range] of entry.ranges) this.paints.get(name)?.delete(range);
    entry.ranges = [];
  }

  /** Mark the word that is heard; gives its paragraph, or null where there is none. */
  markSpoken(place) {
    const block = place && this.document.blocks[place.block];
    const entry = block ? this.entries.get(block.id) : null;
    if (this.speaking !== entry) {
      this.speaking?.section.classList.remove("now");
      entry?.section.classList.add("now");
      this.speaking = entry;
    }
    this.paints.get("spoken")?.clear();
    if (!entry) return null;
    const range = rangeOf(textPoints(entry.text), ...tokenSpans(block)[place.token]);
    if (range) this.paints.get("spoken")?.add(range);
    return entry.section;
  }

  /** Mark places: "found" where they were searched for, "reported" where a learner says that something is wrong. */
  mark(name, places) {
    const before = this.marks.get(name);
    const now = Map.groupBy(places, (place) => place.id);
    this.marks.set(name, now);
    for (const id of new Set([...before.keys(), ...now.keys()])) if (this.entries.has(id)) this.#paint(this.entries.get(id));
  }

  /* Where the person is */

  /** The block and the stretch of its text that is selected, or null where the caret is elsewhere. */
  selection() {
    const chosen = getSelection();
    const text = chosen.anchorNode && closest(chosen.anchorNode, ".text");
    if (!text || !this.pane.contains(text) || !chosen.rangeCount) return null;
    const range = chosen.getRangeAt(0);
    return {
      id: Number(text.parentElement.dataset.id),
      from: offsetIn(text, range.startContainer, range.startOffset),
      to: offsetIn(text, range.endContainer, range.endOffset),
    };
  }

  /** Both ends of what is selected, an id and an offset each; null where the caret is elsewhere. */
  endsOfSelection() {
    const { anchorNode, anchorOffset, focusNode, focusOffset } = getSelection();
    const text = anchorNode && closest(anchorNode, ".text");
    if (!text || !this.pane.contains(text) || !text.contains(focusNode)) return null;
    const id = Number(text.parentElement.dataset.id);
    return { anchor: { id, offset: offsetIn(text, anchorNode, anchorOffset) }, head: { id, offset: offsetIn(text, focusNode, focusOffset) } };
  }

  /** The place in the text that is nearest to a point within a paragraph; null where no paragraph is. */
  placeAt(target, x, y) {
    const entry = this.#entryOf(target);
    if (!entry) return null;
    const { id, text } = entry.block;
    const box = entry.text.getBoundingClientRect();
    if (y < box.top || y > box.bottom) return { id, offset: y < box.top ? 0 : text.length };
    const at = document.caretPositionFromPoint?.(Math.min(Math.max(x, box.left + 1), box.right - 1), y);
    return at && entry.text.contains(at.offsetNode) ? { id, offset: offsetIn(entry.text, at.offsetNode, at.offset) } : null;
  }

  /** Go to a place in the text and select what is there. */
  select(id, from, to = from) {
    const entry = this.entries.get(id);
    if (!entry) return;
    this.stretch.clear();
    entry.text.focus({ preventScroll: true });
    const range = rangeOf(textPoints(entry.text), from, to);
    const chosen = getSelection();
    if (range) {
      chosen.removeAllRanges();
      chosen.addRange(range);
    }
    if (!range || !this.#inSight(range.getBoundingClientRect())) this.reveal(entry.section);
  }

  #inSight(box) {
    const pane = this.pane.getBoundingClientRect();
    return box.height > 0 && box.top >= pane.top && box.bottom <= pane.bottom;
  }

  revealBlock(id) {
    const entry = this.entries.get(id);
    if (entry) this.reveal(entry.section);
  }

  /** Scroll so that a paragraph is well in sight. */
  reveal(section) {
    const [box, pane] = [section.getBoundingClientRect(), this.pane.getBoundingClientRect()];
    if (this.#inSight(box)) return;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    section.scrollIntoView({ block: box.height < pane.height ? "center" : "start", behavior: still ? "instant" : "auto" });
  }

  /* What the person does */

  #blockAt(node) {
    const text = closest(node, ".text");
    return text && this.entries.get(Number(text.parentElement.dataset.id));
  }

  #entryOf(node) {
    return this.entries.get(Number(closest(node, ".block")?.dataset.id));
  }

  /** What is being composed, an accent or a syllable, is the browser's until it is done: its paragraph is not written anew. */
  #onInput(event) {
    const entry = this.#blockAt(event.target);
    if (!entry) return;
    this.composing = event.isComposing ? entry : null;
    this.host.typed(entry.block.id, entry.text.textContent);
  }

  #onComposed(event) {
    const entry = this.#blockAt(event.target);
    this.composing = null;
    if (entry) this.#fill(entry, entry.block);
  }

  #onBeforeInput(event) {
    const kind = event.inputType;
    if (kind === "historyUndo" || kind === "historyRedo") {
      event.preventDefault();
      this.host[kind === "historyUndo" ? "undo" : "redo"]();
    } else if (kind === "insertParagraph" || kind === "insertLineBreak") {
      event.preventDefault();
      this.#splitHere();
    } else if (kind === "insertFromPaste" || kind === "insertFromDrop") {
      event.preventDefault();
      document.execCommand("insertText", false, broughtBy(event));
    }
  }

  /** Begin a turn at the caret; what is selected goes, as it does in any text. */
  #splitHere() {
    const here = this.selection();
    if (!here) return;
    const { text } = this.entries.get(here.id).block;
    if (here.to > here.from) this.host.typed(here.id, text.slice(0, here.from) + text.slice(here.to));
    this.host.split(here.id, here.from);
  }

  #onKey(event) {
    const entry = this.#blockAt(event.target);
    const here = entry && this.selection();
    if (!here || event.isComposing || here.from !== here.to || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const [atStart, atEnd] = [here.from === 0, here.from >= entry.block.text.trimEnd().length];
    const [before, after] = [entry.section.previousElementSibling, entry.section.nextElementSibling];
    const to = (section, end) => section && this.#goTo(event, section, end);
    if (event.key === "Backspace" && atStart && before) this.#join(event, here.id);
    else if (event.key === "Delete" && atEnd && after) this.#join(event, Number(after.dataset.id));
    else if (event.key === "ArrowLeft" && atStart) to(before, true);
    else if (event.key === "ArrowRight" && atEnd) to(after, false);
    else if (event.key === "ArrowUp" && before && this.#onEdgeLine(entry, "top")) this.#goToLine(event, before, "bottom");
    else if (event.key === "ArrowDown" && after && this.#onEdgeLine(entry, "bottom")) this.#goToLine(event, after, "top");
  }

  #join(event, id) {
    event.preventDefault();
    this.host.merge(id);
  }

  #goTo(event, section, end) {
    event.preventDefault();
    const { block } = this.entries.get(Number(section.dataset.id));
    const offset = end ? block.text.length : 0;
    this.select(block.id, offset);
  }

  /** Go to the nearest line of another paragraph, as far from the margin as before. */
  #goToLine(event, section, edge) {
    const caret = getSelection().getRangeAt(0).getClientRects()[0];
    this.#goTo(event, section, edge === "bottom");
    const { block, text } = this.#entryOf(section);
    const box = text.getBoundingClientRect();
    const place = caret && this.placeAt(text, caret.left, edge === "top" ? box.top + LINE_PX : box.bottom - LINE_PX);
    if (place) this.select(block.id, place.offset);
  }

  #onEdgeLine(entry, edge) {
    const caret = getSelection().getRangeAt(0).getClientRects()[0];
    if (!caret) return true;
    const box = entry.text.getBoundingClientRect();
    return Math.abs(caret[edge] - box[edge]) < caret.height;
  }

  #onClick(event) {
    const section = closest(event.target, ".block");
    if (!section) return;
    const { block } = this.entries.get(Number(section.dataset.id));
    if (closest(event.target, ".who")) this.host.who(block.id);
    else if (closest(event.target, ".time")) this.host.seek(startOf(this.document, block));
    else if (event.altKey && this.selection()) this.host.seek(null);
  }

  /** A paragraph that was left has its words written in order again: one space between two. */
  #tidy(event) {
    const entry = this.#blockAt(event.target);
    if (!entry) return;
    const tidy = entry.block.tokens.map((token) => token.text).join(" ");
    if (entry.text.textContent !== tidy && this.entries.has(entry.block.id)) {
      this.host.typed(entry.block.id, tidy);
      this.#write(entry);
      this.#paint(entry);
    }
  }
}

function element(name, className = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  return made;
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function describe(node, label) {
  if (node.getAttribute("aria-label") !== label) node.setAttribute("aria-label", label);
}

function closest(node, selector) {
  return (node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement)?.closest(selector) ?? null;
}

/** A set of painted ranges that the style sheet knows by name; undefined where the browser cannot paint. */
function highlight(name) {
  if (!CSS.highlights) return undefined;
  const made = new Highlight();
  made.priority = PAINTS.indexOf(name);
  CSS.highlights.set(name, made);
  return made;
}

/** Every text node of a paragraph with the offset that it begins at. */
function textPoints(text) {
  const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
  const points = [];
  for (let from = 0; walker.nextNode(); from += walker.currentNode.length) points.push([walker.currentNode, from]);
  return points;
}

function rangeOf(points, from, to) {
  const start = pointAt(points, from);
  const end = pointAt(points, to);
  if (!start || !end) return null;
  const range = new Range();
  range.setStart(...start);
  range.setEnd(...end);
  return range;
}

function pointAt(points, offset) {
  for (const [node, from] of points) if (offset <= from + node.length) return [node, Math.max(0, offset - from)];
  const last = points.at(-1);
  return last ? [last[0], last[0].length] : null;
}

function offsetIn(text, node, offset) {
  const range = new Range();
  range.selectNodeContents(text);
  range.setEnd(node, offset);
  return range.toString().length;
}
