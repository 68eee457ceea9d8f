/**
 * The search page: a question in the address or the box, answered with sessions and the moments in them.
 *
 * The address says all (`q`, `language`, `programme`, `year`), so a search can be sent to somebody and gone back to. Whatever
 * a session or a learner wrote is only ever put on the page as text.
 */

import { findMoments, highlight, matcher, parse, SearchIndex } from "./search-index.js";

/** Sessions shown at once, moments of each, and how many are read at once where words must be in order. */
const AT_ONCE = 10;
const MOMENTS = 3;
const READ_FOR_PHRASES = 50;
/** Rest after a key, in ms, before it is searched; from how many letters. */
const REST = 400;
const SHORTEST = 3;
/** Marks a step of the way here that somebody is still typing. */
const TYPED = "typed";
const FILTERS = ["language", "programme", "year"];
/** So many links to narrow the results stand open above them; more would push them out of sight. */
const FEW = 12;
const UNFILTERED = { language: "anyLanguage", programme: "anyProgramme", year: "anyYear" };

const page = document.documentElement.lang;
const root = new URL("../../", import.meta.url);
const index = new SearchIndex(root);
const form = document.querySelector(".search-box");
const box = document.getElementById("q");
const status = document.getElementById("status");
const filters = document.getElementById("filters");
const narrowed = document.getElementById("narrowed");
const results = document.getElementById("results");
const more = document.getElementById("more");
const texts = document.getElementById("texts").dataset;
const title = document.title;
// Made once, for making one takes longer than using it.
const days = new Intl.DateTimeFormat(`${page}-CA`, { dateStyle: "long", timeZone: "UTC" });
const lists = new Intl.ListFormat(page, { type: "conjunction" });
const numbers = new Intl.NumberFormat(`${page}-CA`);
let running = 0;
/** Whoever opens or closes the filters finds them so while they go on typing. */
let unfolded = false;

function say(text, values = {}) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

function make(tag, attributes = {}, ...content) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(name, value);
  element.append(...content);
  return element;
}

/** Return a text of two languages in the reader's, or else in the other: `[text, language]`. */
function inTheirs(told) {
  const own = told[page] === undefined ? Object.keys(told)[0] : page;
  return [told[own], own];
}

function said(told) {
  const [text, language] = inTheirs(told);
  return make("bdi", { lang: language === page ? null : language }, text);
}

function marked(text, language, match) {
  return highlight(text, language, match).map(([part, found]) => (found ? make("mark", {}, part) : part));
}

function day(date) {
  const shown = days.format(new Date(date));
  return make("time", { datetime: date }, page === "fr" ? shown.replace(/^1 /, "1er\u00a0") : shown);
}

function clock(ms) {
  const seconds = Math.floor(ms / 1000);
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

function spoken(languages) {
  return lists.format(languages.map((language) => texts[language]));
}

function about(session) {
  const parts = [
    session.date && day(session.date),
    session.programme && said(session.programme),
    session.week && say(texts.week, { week: session.week }),
    make("span", {}, spoken(session.languages)),
  ].filter(Boolean);
  return make("p", { class: "meta" }, ...parts.flatMap((part, place) => (place ? [" · ", part] : [part])));
}

/** Return a moment: its time, which opens the session there, and what is said. */
function moment({ start, phrases }, address, match) {
  const time = clock(start);
  const link = make("a", { class: "time", href: `${address}#t=${start / 1000}` }, time);
  link.setAttribute("aria-label", say(texts.moment, { time }));
  const words = phrases.map(({ text, language }) =>
    make("span", { lang: language === page ? null : language }, ...marked(text, language, match)),
  );
  return make("li", {}, link, " ", make("span", {}, ...words.flatMap((part, place) => (place ? [" ", part] : [part]))));
}

function result(hit, session, moments, match) {
  const address = new URL(`sessions/${hit.id}/${page}.html`, root).href;
  const [name, language] = inTheirs(session.title);
  const heading = make("bdi", { lang: language === page ? null : language }, ...marked(name, language, match));
  const item = make("li", { class: "result" }, make("h2", {}, make("a", { href: address }, heading)), about(session));
  if (session.guests.length) {
    const guests = lists.format(session.guests);
    const shown = marked(say(texts.guests, { guests }), session.languages[0], match);
    item.append(make("p", { class: "guests" }, ...shown));
  }
  if (moments.length) {
    const shown = moments.map((each) => moment(each, address, match));
    item.append(make("ul", { class: "result-moments", "aria-label": say(texts.moments, { title: name }) }, ...shown));
  }
  return item;
}

/** Return how a filter reads a hit. */
function values(filter, hit) {
  if (filter === "language") return hit.languages;
  const value = filter === "year" ? hit.year : hit.programme?.[0];
  return value === null || value === undefined ? [] : [String(value)];
}

function chosen(asked, hits) {
  const active = FILTERS.filter((filter) => asked.get(filter));
  return hits.filter((hit) => active.every((filter) => values(filter, hit).includes(asked.get(filter))));
}

function nameOf(filter, value, hits) {
  if (filter === "language") return texts[value] ?? value;
  if (filter === "year" || page === "en") return value;
  return hits.find((hit) => hit.programme?.[0] === value)?.programme[1] ?? value;
}

/** Show what the results can be narrowed to, as links, each with how many sessions are behind it. */
function offerFilters(asked, hits) {
  filters.append(
    ...FILTERS.flatMap((filter) => {
      const others = new URLSearchParams(asked);
      others.delete(filter);
      const among = chosen(others, hits);
      const counts = new Map();
      for (const value of among.flatMap((hit) => values(filter, hit))) counts.set(value, (counts.get(value) ?? 0) + 1);
      const own = asked.get(filter);
      const narrows = [...counts.values()].some((count) => count < among.length);
      if (!narrows && !own) return [];
      const order = filter === "year" ? (a, b) => b[0] - a[0] : (a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1);
      const links = [...counts].sort(order).map(([value, count]) => {
        const address = new URLSearchParams(others);
        address.set(filter, value);
        const current = value === own ? "true" : null;
        return make("li", {}, make("a", { href: `?${address}`, "aria-current": current }, nameOf(filter, value, hits)), ` (${numbers.format(count)})`);
      });
      const all = make("a", { href: `?${others}`, "aria-current": own ? null : "true" }, texts[UNFILTERED[filter]]);
      const heading = make("h3", { id: `filter-${filter}` }, texts[filter]);
      return [make("div", {}, heading, make("ul", { "aria-labelledby": heading.id }, make("li", {}, all), ...links))];
    }),
  );
  const own = FILTERS.filter((filter) => asked.get(filter)).map((filter) => nameOf(filter, asked.get(filter), hits));
  narrowed.textContent = own.join(", ");
  filters.hidden = filters.childElementCount === 1;
  if (!unfolded) filters.open = filters.querySelectorAll("a").length <= FEW;
}

function told(count, filtered, ordered) {
  if (count === 0 && filtered) return texts.noneFiltered;
  if (count === 0) return ordered ? texts.noneOrdered : texts.none;
  return count === 1 ? texts.one : say(texts.many, { count: numbers.format(count) });
}

/** Say which words nobody says, where others much like them are shown instead. */
function toldSlips(question, near) {
  const words = question.items.filter((_, item) => near[item].length).flatMap((item) => item.words);
  return words.length ? ` ${say(texts.similar, { words: lists.format(words) })}` : "";
}

/** Show results one page at a time; the rest is behind a button. */
class Answer {
  constructor(run, question, found, hits, filtered) {
    Object.assign(this, { run, question, found, hits, filtered, read: 0, shown: 0, reading: null });
    this.match = matcher(question, found.begun, found.near);
  }

  /** Read and show the next ones, once however often they are asked for meanwhile; returns the first new one. */
  next() {
    this.reading ??= this.readNext().finally(() => (this.reading = null));
    return this.reading;
  }

  async readNext() {
    const { question, found, hits } = this;
    const ordered = question.phrases.length > 0;
    const until = this.shown + AT_ONCE;
    const readUntil = this.read + (ordered ? READ_FOR_PHRASES : AT_ONCE);
    let first = null;
    while (this.shown < until && this.read < Math.min(readUntil, hits.length)) {
      const batch = hits.slice(this.read, this.read + AT_ONCE);
      const sessions = await Promise.all(batch.map((hit) => index.session(hit.id).catch(() => null)));
      if (this.run !== running) return null;
      this.read += batch.length;
      for (const [place, session] of sessions.entries()) {
        // One that was withdrawn since is passed over.
        const moments = session && findMoments(session, question, found.telling, this.match, MOMENTS);
        if (!moments) continue;
        const item = result(batch[place], session, moments, this.match);
        results.append(item);
        first ??= item;
        this.shown += 1;
      }
    }
    this.tell(ordered);
    return first;
  }

  tell(ordered) {
    const left = this.read < this.hits.length;
    more.hidden = !left;
    more.textContent = ordered ? texts.further : texts.more;
    const [count, read, found] = [this.hits.length, this.read, this.shown].map((number) => numbers.format(number));
    if (ordered && left) {
      status.textContent = say(texts.phrase, { count, read, found });
      return;
    }
    const all = ordered ? this.shown : this.hits.length;
    // Of what has the words in another order there is nothing to narrow.
    if (!all && !this.filtered) filters.hidden = true;
    status.textContent = told(all, this.filtered, ordered && this.hits.length > 0) + (all ? toldSlips(this.question, this.found.near) : "");
  }
}

let answer = null;

async function run(typing = false) {
  running += 1;
  const own = running;
  const asked = new URLSearchParams(location.search);
  const text = (asked.get("q") ?? "").trim();
  document.title = text ? `${text} – ${title}` : title;
  const question = parse(text.slice(0, box.maxLength));
  if (!question.items.length) {
    clear(text ? texts.none : "");
    return;
  }
  if (!typing) clear(texts.searching);
  try {
    const found = await index.search(question, typing);
    if (own !== running) return;
    const hits = chosen(asked, found.hits);
    const { href } = document.activeElement;
    clear("");
    offerFilters(asked, found.hits);
    answer = new Answer(own, question, found, hits, FILTERS.some((filter) => asked.get(filter)));
    await answer.next();
    // Whoever was at a link by keyboard is at the same one again.
    if (href && own === running && document.activeElement === document.body) {
      ([...document.links].find((link) => link.href === href) ?? box).focus();
    }
  } catch (failure) {
    console.error(failure);
    if (own === running) clear(texts.failed);
  }
}

function clear(text) {
  status.textContent = text;
  filters.hidden = true;
  while (filters.childElementCount > 1) filters.lastElementChild.remove();
  results.replaceChildren();
  more.hidden = true;
}

/**
 * Put what is in the box into the address, as a step of its own that can be gone back from. What is being typed is one
 * step, and the same one still when it is asked for by key, however long the keys rested before.
 */
function address(typing) {
  const asked = new URLSearchParams();
  if (box.value.trim()) asked.set("q", box.value.trim());
  const query = asked.toString();
  const step = history.state === TYPED ? "replaceState" : "pushState";
  history[step](typing ? TYPED : null, "", `${location.pathname}${query ? `?${query}` : ""}`);
}

function fill() {
  box.value = new URLSearchParams(location.search).get("q") ?? "";
  run();
}

function start() {
  let resting = 0;
  // What was typed before is gone from the box.
  addEventListener("popstate", () => {
    clearTimeout(resting);
    fill();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(resting);
    address(false);
    run();
  });
  box.addEventListener("input", () => {
    clearTimeout(resting);
    if (box.value.trim().length < SHORTEST) return;
    resting = setTimeout(() => {
      address(true);
      run(true);
    }, REST);
  });
  more.addEventListener("click", async () => {
    const asked = document.activeElement;
    const first = await answer.next();
    // Whoever has gone elsewhere meanwhile stays there.
    if (document.activeElement === asked || document.activeElement === document.body) first?.querySelector("a").focus();
  });
  filters.firstElementChild.addEventListener("click", () => (unfolded = true));
  // What was typed before this was here is not to be put back to what the address says.
  if (box.value.trim() && box.value.trim() !== new URLSearchParams(location.search).get("q")) {
    run();
    box.dispatchEvent(new Event("input"));
  } else fill();
}

if (globalThis.DecompressionStream) start();
else status.textContent = texts.tooOld;
