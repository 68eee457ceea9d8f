/**
 * Reads the index of all sessions as `pipeline/search_store.py` writes it, and as little of it as a question needs.
 *
 * `search/index.json` names segments; each has a list of its sessions and shards of words in order, so that a word is
 * in one shard of each segment. A question becomes items, one a word, and a session is found when it has them all.
 */

import { askedKeys, findKeys, splitCompounds, splitWords, stripAccents } from "./search-text.js";

/** Words of a question that are looked up; nobody asks for more, but anybody may paste more. */
const MOST_WORDS = 16;
/** Letters from which a word may be the beginning of another, and how many such words are looked at. */
const SHORTEST_PREFIX = 3;
const MOST_ENDINGS = 200;
/** Letters from which a word that nobody says may be a slip, and from which it may hold two. */
const SHORTEST_SLIP = 4;
const TWO_SLIPS = 8;
/** How soon more of the same word says nothing more, and how much longer sessions count less (Okapi BM25). */
const K1 = 1.2;
const B = 0.75;
/** Grammar: asked for together with other words it says nothing. Only what is nothing else in the other language. */
const COMMON = new Set(
  `a an and are as at be by do for from how in is it of that the their they this to was we what when which who why with
   you your au aux avec ce ces cette comment dans de des du elle est et il ils je la le les leur leurs nous ou par pas
   pour que quel quelle quels quelles qui se ses sont sur un une vos votre vous à`.split(/\s+/),
);

/** Something of the index is not there; it may have been replaced since `index.json` was read. */
class NotThere extends Error {}

async function read(address, cache) {
  const response = await fetch(address, { cache });
  if (!response.ok) throw new NotThere(`${response.status} ${address}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  // Some server on the way may have unpacked it already.
  const packed = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const body = packed ? new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")) : bytes;
  return new Response(body).json();
}

/** Return what is read or being read under a name; what could not be read is asked for anew the next time. */
function askOnce(known, name, ask) {
  if (!known.has(name)) {
    const asked = ask();
    known.set(name, asked);
    asked.catch(() => known.delete(name));
  }
  return known.get(name);
}

/** Return a question as items, each a word or a word with hyphens, and phrases: words that follow each other. */
export function parse(text) {
  const items = [];
  const phrases = [];
  for (const [, straight, curly, plain] of text.matchAll(/"([^"]*)"?|[“«]([^”»]*)[”»]?|([^\s"“«]+)/g)) {
    const quoted = straight ?? curly;
    if (quoted !== undefined) {
      const words = splitWords(quoted);
      if (words.length > 1) phrases.push(words);
      items.push(...words.map((word) => ({ words: [word], joined: null })));
    } else {
      const words = splitWords(plain);
      const [joined, ...others] = splitCompounds(plain);
      if (joined && !others.length && words.length > 1) items.push({ words, joined });
      else items.push(...words.map((word) => ({ words: [word], joined: null })));
    }
  }
  const once = [...new Map(items.map((item) => [item.words.join(" "), item])).values()];
  const telling = once.filter((item) => !item.words.every((word) => COMMON.has(word)));
  return { items: (telling.length ? telling : once).slice(0, MOST_WORDS), phrases };
}

/** Return the place of the last shard that begins at or before a key. */
function shardOf(starts, key) {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare(starts[middle], key) <= 0) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

/** Compare as Python sorts, by code point: JavaScript compares halves of surrogate pairs. */
function compare(a, b) {
  const left = [...a];
  const right = [...b];
  for (let at = 0; at < Math.min(left.length, right.length); at += 1) {
    if (left[at] !== right[at]) return left[at].codePointAt(0) - right[at].codePointAt(0);
  }
  return left.length - right.length;
}

/** Return in how many letters two words differ: more, fewer, other, or two that changed places. */
function slips(one, other) {
  let before = [];
  let last = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let row = 1; row <= one.length; row += 1) {
    const now = [row];
    for (let column = 1; column <= other.length; column += 1) {
      const same = one[row - 1] === other[column - 1];
      now[column] = Math.min(last[column] + 1, now[column - 1] + 1, last[column - 1] + (same ? 0 : 1));
      const swapped = row > 1 && column > 1 && one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      if (swapped) now[column] = Math.min(now[column], before[column - 2] + 1);
    }
    [before, last] = [last, now];
  }
  return last[other.length];
}

function addPostings(found, postings) {
  let at = 0;
  for (let index = 0; index < postings.length; index += 2) {
    at += postings[index];
    found.set(at, Math.max(found.get(at) ?? 0, postings[index + 1]));
  }
}

class Segment {
  constructor(folder, { name, starts }) {
    this.folder = new URL(`${name}/`, folder);
    this.starts = starts;
    this.read = new Map();
  }

  load(name) {
    return askOnce(this.read, name, () => read(new URL(`${name}.bin`, this.folder), "default"));
  }

  members() {
    return this.load("sessions");
  }

  /** Return the sessions with a word, by their place, with its weight. */
  async word(word) {
    const found = new Map();
    const keys = [...askedKeys(word)];
    const shards = await Promise.all(keys.map((key) => this.load(shardOf(this.starts, key))));
    for (const [place, key] of keys.entries()) {
      if (Object.hasOwn(shards[place], key)) addPostings(found, shards[place][key]);
    }
    return found;
  }

  /** Return the sessions with a word that begins like this. */
  async prefix(word) {
    const beginning = stripAccents(word);
    const found = new Map();
    const first = shardOf(this.starts, beginning);
    let endings = 0;
    for (let place = first; place < this.starts.length; place += 1) {
      if (place > first && !this.starts[place].startsWith(beginning)) break;
      for (const [key, postings] of Object.entries(await this.load(place))) {
        if (!key.startsWith(beginning)) continue;
        addPostings(found, postings);
        endings += 1;
        if (endings >= MOST_ENDINGS) return found;
      }
    }
    return found;
  }

  /** Return the words nearest to one that nobody says, among those that begin much like it, with how far they are. */
  async near(word) {
    const most = word.length < TWO_SLIPS ? 1 : 2;
    const keys = [...askedKeys(word)];
    const shards = await Promise.all(keys.map((key) => this.load(shardOf(this.starts, key))));
    const found = new Map();
    for (const [place, key] of keys.entries()) {
      for (const other of Object.keys(shards[place])) {
        if (Math.abs(other.length - key.length) > most || other[0] !== key[0]) continue;
        const far = slips(key, other);
        if (far <= most) found.set(other, Math.min(far, found.get(other) ?? far));
      }
    }
    return found;
  }

  /** Return the sessions with any of these words, written as the index has them. */
  async anyOf(keys) {
    const found = new Map();
    for (const key of keys) {
      const shard = await this.load(shardOf(this.starts, key));
      if (Object.hasOwn(shard, key)) addPostings(found, shard[key]);
    }
    return found;
  }

  /** Return the sessions with an item: its words, or all of them written as one. */
  async item({ words, joined }) {
    const [first, ...others] = await Promise.all(words.map((word) => this.word(word)));
    for (const other of others) {
      for (const [place, weight] of first) {
        if (other.has(place)) first.set(place, Math.min(weight, other.get(place)));
        else first.delete(place);
      }
    }
    if (joined) for (const [place, weight] of await this.word(joined)) first.set(place, weight);
    return first;
  }
}

export class SearchIndex {
  /** @param {URL} root Of the site. */
  constructor(root) {
    this.root = root;
    this.passages = new Map();
  }

  async open() {
    const folder = new URL("search/", this.root);
    const { segments } = await read(new URL("index.json", folder), "no-cache");
    const kept = new Map((this.segments ?? []).map((segment) => [segment.folder.href, segment]));
    this.segments = segments.map((told) => {
      const segment = new Segment(folder, told);
      return kept.get(segment.folder.href) ?? segment;
    });
    this.count = segments.reduce((sum, segment) => sum + segment.count, 0);
    this.average = Math.max(1, segments.reduce((sum, segment) => sum + segment.length, 0) / Math.max(1, this.count));
  }

  /**
   * Return the sessions that have every item, the best first (`hits`), how telling each item is (`telling`), and which
   * are taken for the beginning of a word (`begun`) or for words much like it (`near`, as the index has them).
   *
   * A word that nobody has said may be the beginning of one; the last word is, while somebody is typing it. It may also be
   * a slip, unless words are asked for in order.
   */
  async search(question, typing) {
    if (!this.segments) await this.open();
    try {
      return await this.rank(question, typing);
    } catch (failure) {
      if (!(failure instanceof NotThere)) throw failure;
      // Segments that were merged meanwhile are gone.
      await this.open();
      return this.rank(question, typing);
    }
  }

  async rank({ items, phrases }, typing) {
    // Another question may open the index anew meanwhile; this one is answered from what it began with.
    const { segments, count, average } = this;
    const look = (item, index) => this.look(segments, item, typing && index === items.length - 1, !phrases.length);
    const looked = await Promise.all(items.map(look));
    const found = looked.map(({ places }) => places);
    const telling = found.map((bySegment) => {
      const have = bySegment.reduce((sum, places) => sum + places.size, 0);
      return Math.log(1 + (count - have + 0.5) / (have + 0.5));
    });
    const ranked = await Promise.all(
      segments.map((segment, number) => this.rankSegment(segment, average, found.map((each) => each[number]), telling)),
    );
    const order = (a, b) => b.score - a.score || (b.year ?? 0) - (a.year ?? 0) || (a.id < b.id ? -1 : 1);
    return { hits: ranked.flat().sort(order), telling, begun: looked.map(({ begun }) => begun), near: looked.map(({ near }) => near) };
  }

  /** Return by segment where an item is, and whether as the beginning of words, or as which words much like it. */
  async look(segments, item, typing, slip) {
    const [word, ...others] = item.words;
    const exact = await Promise.all(segments.map((segment) => segment.item(item)));
    const begun = !others.length && [...word].length >= SHORTEST_PREFIX && (typing || !exact.some((each) => each.size));
    if (!begun) return { places: exact, begun, near: [] };
    const longer = await Promise.all(segments.map((segment) => segment.prefix(word)));
    const places = longer.map((each, number) => new Map([...each, ...exact[number]]));
    // Another number is never what was meant.
    const maySlip = slip && !typing && [...word].length >= SHORTEST_SLIP && !/\p{N}/u.test(word);
    const near = maySlip && !places.some((each) => each.size) ? await this.near(segments, word) : [];
    if (!near.length) return { places, begun, near };
    return { places: await Promise.all(segments.map((segment) => segment.anyOf(near))), begun: false, near };
  }

  /** Return the words of all segments that are nearest to one. */
  async near(segments, word) {
    const bySegment = await Promise.all(segments.map((segment) => segment.near(word)));
    const found = bySegment.flatMap((each) => [...each]);
    const nearest = Math.min(...found.map(([, far]) => far));
    return [...new Set(found.filter(([, far]) => far === nearest).map(([key]) => key))];
  }

  async rankSegment(segment, average, found, telling) {
    const [fewest] = [...found].sort((a, b) => a.size - b.size);
    const places = [...(fewest?.keys() ?? [])].filter((place) => found.every((each) => each.has(place)));
    if (!places.length) return [];
    const members = await segment.members();
    return places.map((place) => {
      const long = K1 * (1 - B + (B * members.lengths[place]) / average);
      const score = found.reduce((sum, each, item) => {
        const weight = each.get(place);
        return sum + (telling[item] * weight * (K1 + 1)) / (weight + long);
      }, 0);
      return {
        id: members.ids[place],
        score,
        year: members.years[place],
        languages: members.languages[place].split(" "),
        programme: members.programmes[members.programme[place] ?? -1] ?? null,
      };
    });
  }

  /** Return what is published of a session, to show it. */
  session(id) {
    return askOnce(this.passages, id, () => read(new URL(`sessions/${id}/passages.bin`, this.root), "no-cache"));
  }
}

/** Return for a word as it is shown which items it stands for; one for all that is shown of an answer, as it remembers. */
export function matcher({ items }, begun, near) {
  const asked = items.map(({ words, joined }) => words.concat(joined ?? []).map((word) => askedKeys(word)));
  const beginnings = items.map(({ words }, item) => (begun[item] ? stripAccents(words[0]) : null));
  const seen = { en: new Map(), fr: new Map() };
  const match = (shown, language) => {
    const words = [...splitWords(shown), ...splitCompounds(shown)];
    const keys = words.map((word) => findKeys(word, language));
    return items.flatMap((_, item) => {
      const exact = keys.some((own) => asked[item].some((wanted) => [...own].some((key) => wanted.has(key))));
      const beginning = beginnings[item];
      const like = near[item].length > 0 && keys.some((own) => near[item].some((key) => own.has(key)));
      return exact || like || (beginning && words.some((word) => stripAccents(word).startsWith(beginning))) ? [item] : [];
    });
  };
  return (shown, language) => {
    const known = (seen[language] ??= new Map());
    if (!known.has(shown)) known.set(shown, match(shown, language));
    return known.get(shown);
  };
}

/** Return a text in runs, those that were asked for marked: `[text, marked]`. */
export function highlight(text, language, match) {
  return text.split(/(\s+)/).map((part) => [part, Boolean(part.trim()) && match(part, language).length > 0]);
}

/** Return the phrases of a session, each with its place in its paragraph. */
function layOut(said) {
  return said.flatMap(([language, ...parts], paragraph) => {
    const phrases = [];
    for (let index = 0; index < parts.length; index += 2) {
      phrases.push({ language, paragraph, start: parts[index], text: parts[index + 1] });
    }
    return phrases;
  });
}

/** Return the phrases in which words begin that follow each other as asked, across phrases too. */
function findPhrase(phrases, words) {
  const stream = phrases.flatMap((phrase, place) =>
    splitWords(phrase.text).map((word) => ({ keys: findKeys(word, phrase.language), place })),
  );
  const wanted = words.map((word) => askedKeys(word));
  const has = (at, number) => stream[at] && [...stream[at].keys].some((key) => wanted[number].has(key));
  return new Set(stream.flatMap((each, at) => (wanted.every((_, number) => has(at + number, number)) ? [each.place] : [])));
}

/** Return whether a text that a person wrote of a session has words in this order. */
function namedSo(session, words) {
  const texts = [session.title, session.programme ?? {}, ...session.topics].flatMap(Object.entries);
  texts.push(...session.guests.flatMap((name) => [["en", name], ["fr", name]]));
  return texts.some(([language, text]) => findPhrase([{ language, text }], words).size > 0);
}

/**
 * Return the moments of a session that answer a question best, in order of time, or null where a phrase is not in it.
 *
 * A moment is a phrase, with the next one of its paragraph: `{ start, phrases }`.
 */
export function findMoments(session, question, telling, match, most) {
  const phrases = layOut(session.said);
  const quoted = question.phrases.map((words) => findPhrase(phrases, words));
  if (quoted.some((places, number) => !places.size && !namedSo(session, question.phrases[number]))) return null;
  const items = phrases.map((phrase) => new Set(phrase.text.split(/\s+/).flatMap((word) => match(word, phrase.language))));
  const windows = phrases.flatMap((phrase, place) => {
    const inQuotes = quoted.filter((places) => places.has(place)).length;
    if (!items[place].size || (quoted.some((places) => places.size) && !inQuotes)) return [];
    const next = phrases[place + 1]?.paragraph === phrase.paragraph ? place + 1 : null;
    const both = new Set([...items[place], ...(next === null ? [] : items[next])]);
    const score = [...both].reduce((sum, item) => sum + telling[item], inQuotes) + 0.01 * items[place].size;
    return [{ place, next, score }];
  });
  const chosen = [];
  for (const window of windows.sort((a, b) => b.score - a.score || a.place - b.place)) {
    if (chosen.length === most) break;
    if (chosen.every((other) => Math.abs(other.place - window.place) > 1)) chosen.push(window);
  }
  return chosen
    .sort((a, b) => a.place - b.place)
    .map(({ place, next }) => ({
      start: phrases[place].start,
      phrases: [phrases[place], ...(next === null ? [] : [phrases[next]])],
    }));
}
