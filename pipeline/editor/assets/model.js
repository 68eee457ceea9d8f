/* The document while somebody works on it: values that are never changed, and functions that make the next one.

   In goes what the server sent (words with their times), out come documents that can be shown, undone, kept and saved.
   A document is a list of blocks; a block is one paragraph of one person, a list of tokens; a token is a word as it is
   written now, with the index of the recognised word that it was, where it was one, and the language that a person gave
   it, where somebody did. Nothing here knows the page. */

const LONG_BLOCK = 90;
const SENTENCE_END = /[.?!…]["»”’)]*$/u;
const LOW = 0.5;
const TITLE_WORDS = 6;
const TELLING = 3;

let lastId = 0;

/** The words as they were recognised or last saved, column by column. */
export class Base {
  constructor(session) {
    const words = session.turns.flatMap((turn) => turn.words);
    this.text = words.map((word) => word[0]);
    this.start = words.map((word) => word[1]);
    this.end = words.map((word) => word[2]);
    this.probability = words.map((word) => word[3]);
    this.language = words.map((word) => word[4]);
    this.overlapped = words.map((word) => Boolean(word[5]));
    this.main = session.language;
    this.duration = session.duration_ms;
  }

  /** Whether the recogniser was unsure of a token that nobody has changed. */
  isLow(token) {
    return this.isUntouched(token) && this.probability[token.word] < LOW;
  }

  isOverlapped(token) {
    return this.isUntouched(token) && this.overlapped[token.word] && this.probability[token.word] < 1;
  }

  isDoubtful(token) {
    return this.isLow(token) || this.isOverlapped(token);
  }

  isUntouched(token) {
    return token.word !== null && token.text === this.text[token.word] && !token.sure;
  }

  /** What a person said, else what was recognised; null for a word typed anew, which goes on in the one before it. */
  languageOf(token) {
    return token.language ?? (token.word === null ? null : this.language[token.word]);
  }
}

function makeBlock(speaker, joined, tokens, text = null, id = null) {
  const shown = text ?? tokens.map((token) => token.text).join(" ");
  return Object.freeze({ id: id ?? (lastId += 1), speaker, joined, tokens, text: shown });
}

/** The document of a session as the server has it. */
export function openDocument(session, base) {
  let next = 0;
  const blocks = [];
  for (const turn of session.turns) {
    const tokens = turn.words.map((word) => ({ text: word[0], word: next++ }));
    blocks.push(...paragraphs(turn.speaker, tokens));
  }
  // Where nothing was recognised, a person may have heard something all the same.
  if (!blocks.length) blocks.push(makeBlock(null, false, []));
  return Object.freeze({
    blocks,
    speakers: session.speakers.map(({ key, name }) => Object.freeze({ key, name })),
    cuts: session.cuts.map((cut) => Object.freeze(cut)),
    title: session.own_title ? Object.freeze(session.title) : null,
    chapters: frozenChapters(session.chapters),
    base,
  });
}

/** Cut one turn into paragraphs that are quick to show; only the first opens the turn. */
function paragraphs(speaker, tokens) {
  const found = [];
  let from = 0;
  for (let at = 0; at < tokens.length; at += 1) {
    const length = at + 1 - from;
    const ends = length >= LONG_BLOCK / 2 && SENTENCE_END.test(tokens[at].text);
    if (ends || length === LONG_BLOCK || at + 1 === tokens.length) {
      found.push(makeBlock(speaker, found.length > 0, tokens.slice(from, at + 1)));
      from = at + 1;
    }
  }
  return found;
}

function withBlocks(document, from, count, ...blocks) {
  const all = document.blocks.slice();
  all.splice(from, count, ...blocks);
  return Object.freeze({ ...document, blocks: all });
}

export function indexOfBlock(document, id) {
  return document.blocks.findIndex((block) => block.id === id);
}

/* Text */

/** Words are parted by white space; a no-break space belongs to its word, as French punctuation has it. */
function splitWords(text) {
  return text.split(/[ \t\r\n]+/u).filter(Boolean);
}

function commonStart(one, other) {
  const most = Math.min(one.length, other.length);
  let at = 0;
  while (at < most && one[at] === other[at]) at += 1;
  return at;
}

function commonEnd(one, other, most) {
  let count = 0;
  while (count < most && one[one.length - 1 - count] === other[other.length - 1 - count]) count += 1;
  return count;
}

/** Tokens of a changed text: whoever is still there keeps the word that it was. */
function retokenise(tokens, text, base) {
  const before = tokens.map((token) => token.text);
  const now = splitWords(text);
  const head = commonStart(before, now);
  const tail = commonEnd(before, now, Math.min(before.length, now.length) - head);
  const old = tokens.slice(head, before.length - tail);
  const changed = now.slice(head, now.length - tail);
  return [...tokens.slice(0, head), ...matched(old, changed, base), ...tokens.slice(before.length - tail)];
}

/** As many words as before are the same words written otherwise; else only equal ones in order are. */
function matched(old, changed, base) {
  if (old.length === changed.length) return changed.map((text, at) => rewritten(old[at], text));
  if (old.length === 1 && changed.join("") === old[0].text) return parted(old[0], changed, base);
  let from = 0;
  return changed.map((text) => {
    const found = old.findIndex((token, at) => at >= from && token.text === text);
    if (found < 0) return { text, word: null };
    from = found + 1;
    return rewritten(old[found], text);
  });
}

/** A token that spaces part: what was typed right before or behind a word is none of it. The part that reads as recognised,
    else the longest, is the word that it was, with its time and language. */
function parted(token, parts, base) {
  const longest = parts.reduce((most, part, at) => (part.length > parts[most].length ? at : most), 0);
  const recognised = parts.indexOf(base.text[token.word]);
  const kept = recognised < 0 ? longest : recognised;
  return parts.map((text, at) => (at === kept ? rewritten(token, text) : { text, word: null }));
}

/** A token written otherwise; a language that a person gave stays. */
function rewritten({ word, language }, text) {
  return { text, word, ...(language ? { language } : {}) };
}

/** Say which language the words in a stretch of a block are in. */
export function setLanguage(document, id, from, to, language) {
  const at = indexOfBlock(document, id);
  const block = document.blocks[at];
  const spans = tokenSpans(block);
  const told = block.tokens.map((token, number) => {
    const meant = spans[number][0] < to && spans[number][1] > from;
    return meant && document.base.languageOf(token) !== language ? { ...token, language } : token;
  });
  if (told.every((token, number) => token === block.tokens[number])) return document;
  return withBlocks(document, at, 1, makeBlock(block.speaker, block.joined, told, block.text, id));
}

/** Put another text into a block. */
export function setText(document, id, text) {
  const at = indexOfBlock(document, id);
  const block = document.blocks[at];
  if (block.text === text) return document;
  return withBlocks(document, at, 1, makeBlock(block.speaker, block.joined, retokenise(block.tokens, text, document.base), text, id));
}

/** Say of the words in a stretch of a block that they are right as they stand. */
export function confirmWords(document, id, from, to) {
  const at = indexOfBlock(document, id);
  const block = document.blocks[at];
  const spans = tokenSpans(block);
  const doubted = (token, number) => spans[number][0] < to && spans[number][1] > from && document.base.isDoubtful(token);
  if (!block.tokens.some(doubted)) return document;
  const sure = block.tokens.map((token, number) => (doubted(token, number) ? { ...token, sure: true } : token));
  return withBlocks(document, at, 1, makeBlock(block.speaker, block.joined, sure, block.text, id));
}

/** Where stretches of the revision's words stand as they were, each in one block: id, from and to; null where not. */
export function findWords(document, stretches) {
  const wanted = new Set(stretches.map(({ first }) => first));
  const places = new Map();
  for (const block of document.blocks) {
    block.tokens.forEach(({ word }, at) => wanted.has(word) && places.set(word, [block, at]));
  }
  return stretches.map(({ first, last }) => (places.has(first) ? stretchAt(document, ...places.get(first), first, last) : null));
}

function stretchAt(document, block, at, first, last) {
  const tokens = block.tokens.slice(at, at + last - first + 1);
  const same = (token, number) => token.word === first + number && token.text === document.base.text[token.word];
  if (tokens.length !== last - first + 1 || !tokens.every(same)) return null;
  const spans = tokenSpans(block);
  return { id: block.id, from: spans[at][0], to: spans[at + last - first][1] };
}

/** Where the words of a passage stand by now, as far as one block holds them: id, from and to; null where none is left. */
export function placeOf(document, { first, last }) {
  if (first === null) return null;
  const meant = ({ word }) => word !== null && word >= first && word <= last;
  const block = document.blocks.find(({ tokens }) => tokens.some(meant));
  if (!block) return null;
  const spans = tokenSpans(block);
  return { id: block.id, from: spans[block.tokens.findIndex(meant)][0], to: spans[block.tokens.findLastIndex(meant)][1] };
}

/** Each block's part of a stretch that may go over several: id, from and to. The ends are an id and an offset each. */
export function partsOf(document, from, to) {
  const [first, last] = [from, to].map(({ id }) => indexOfBlock(document, id));
  return document.blocks.slice(first, last + 1).map((block, at) => ({
    id: block.id,
    from: at === 0 ? from.offset : 0,
    to: first + at === last ? to.offset : block.text.length,
  }));
}

/** Put a text in place of a stretch over several blocks. What is left of the first and of the last stays with whoever says
    it; a block of which nothing is left goes. Gives the document and where the text that was put in ends. */
export function replaceStretch(document, from, to, text = "") {
  const [first, last] = [from, to].map(({ id }) => indexOfBlock(document, id));
  const [head, tail] = [document.blocks[first], document.blocks[last]];
  const [before, after] = [head.text.slice(0, from.offset), tail.text.slice(to.offset)];
  const spare = !before.trim() && !after.trim();
  const kept = before.trim() || (spare && text) ? [retyped(document, head, before + text)] : [];
  const opening = kept.length || !after.trim() ? after : text + after;
  const rest = [...(after.trim() ? [retyped(document, tail, opening)] : []), ...document.blocks.slice(last + 1)];
  // Whoever goes on with a turn whose opening is gone opens it.
  if (rest[0]?.joined) {
    const same = document.blocks.slice(first + 1, last + (after.trim() ? 1 : 2)).every(({ joined }) => joined);
    const joined = same && (kept.length > 0 || head.joined);
    if (!joined) rest[0] = restated(rest[0], { joined });
  }
  const blocks = [...document.blocks.slice(0, first), ...kept, ...rest];
  if (!blocks.length) blocks.push(retyped(document, head, text));
  const caret = kept.length ? { id: head.id, offset: (before + text).length } : caretBetween(blocks, first, after.trim() ? text.length : 0);
  return [Object.freeze({ ...document, blocks }), caret];
}

function caretBetween(blocks, at, offset) {
  if (at < blocks.length) return { id: blocks[at].id, offset };
  const last = blocks.at(-1);
  return { id: last.id, offset: last.text.length };
}

function retyped(document, block, text) {
  return makeBlock(block.speaker, block.joined, retokenise(block.tokens, text, document.base), text, block.id);
}

/** Where the text of a document differs from another's: the first block that does and the end of what is new there; null
    where none does. */
export function changedPlace(before, after) {
  const at = commonStart(before.blocks, after.blocks);
  const block = after.blocks[at] ?? after.blocks.at(-1);
  if (at === before.blocks.length && at === after.blocks.length) return null;
  const was = before.blocks.find(({ id }) => id === block.id);
  if (!was) return { id: block.id, offset: 0 };
  if (was.text === block.text) return { id: block.id, offset: null };
  const most = Math.min(was.text.length, block.text.length);
  const same = commonEnd(was.text, block.text, most - commonStart(was.text, block.text));
  return { id: block.id, offset: block.text.length - same };
}

/** Return where each token of a block begins and ends in its text. */
export function tokenSpans(block) {
  let from = 0;
  return block.tokens.map((token) => {
    const start = block.text.indexOf(token.text, from);
    from = start + token.text.length;
    return [start, from];
  });
}

/* Turns */

/** Split a block at a place in its text: what follows is a turn of its own. Gives the document and the new id. */
export function splitBlock(document, id, offset) {
  const at = indexOfBlock(document, id);
  const block = document.blocks[at];
  const [head, tail] = [block.text.slice(0, offset).trimEnd(), block.text.slice(offset).trimStart()];
  if (!head || !tail) return [document, null];
  // A place inside a word makes two words of it, before the turn is cut.
  const tokens = retokenise(block.tokens, `${head} ${tail}`, document.base);
  const count = splitWords(head).length;
  const first = makeBlock(block.speaker, block.joined, tokens.slice(0, count), head, id);
  const second = makeBlock(block.speaker, false, tokens.slice(count), tail);
  return [withBlocks(document, at, 1, first, second), second.id];
}

/** Part the block that a word lies within, so that it begins one; the turn stays whole. */
export function partBlocks(blocks, word) {
  const at = blocks.findIndex(({ tokens }) => tokens[0]?.word < word && tokens.at(-1).word >= word);
  if (at < 0) return blocks;
  const { speaker, joined, tokens } = blocks[at];
  const place = tokens.findIndex((token) => token.word >= word);
  const parts = [makeBlock(speaker, joined, tokens.slice(0, place)), makeBlock(speaker, true, tokens.slice(place))];
  return [...blocks.slice(0, at), ...parts, ...blocks.slice(at + 1)];
}

/** Let a block go on in the one before it: the turn takes that one's speaker. Gives the document, id and offset. */
export function mergeBlock(document, id) {
  const at = indexOfBlock(document, id);
  if (at < 1) return [document, null, 0];
  const [before, block] = [document.blocks[at - 1], document.blocks[at]];
  const head = before.text.trimEnd();
  const text = head && block.text ? `${head} ${block.text.trimStart()}` : head || block.text;
  const merged = makeBlock(before.speaker, before.joined, [...before.tokens, ...block.tokens], text, before.id);
  let next = withBlocks(document, at - 1, 2, merged);
  // The rest of the turn that was taken in follows its first paragraph.
  for (let rest = at; next.blocks[rest]?.joined && next.blocks[rest].speaker !== before.speaker; rest += 1) {
    next = withBlocks(next, rest, 1, restated(next.blocks[rest], { speaker: before.speaker }));
  }
  return [next, before.id, head && block.text ? head.length + 1 : head.length];
}

function restated(block, { speaker = block.speaker, joined = block.joined }) {
  return makeBlock(speaker, joined, block.tokens, block.text, block.id);
}

/** Give the whole turn that a block is part of to somebody. */
export function assignTurn(document, id, speaker) {
  const at = indexOfBlock(document, id);
  let first = at;
  while (document.blocks[first].joined) first -= 1;
  let last = first;
  while (document.blocks[last + 1]?.joined) last += 1;
  const turn = document.blocks.slice(first, last + 1);
  if (turn.every((block) => block.speaker === speaker)) return document;
  return withBlocks(document, first, turn.length, ...turn.map((block) => restated(block, { speaker })));
}

/** Name somebody for the whole session; an empty name takes it away. A voice that is called as another is that one's: one
    person was heard as two. */
export function nameSpeaker(document, key, name) {
  const said = name.trim() || null;
  const same = said && document.speakers.find((each) => each.key !== key && each.name && folded(each.name) === folded(said));
  if (same) {
    const blocks = document.blocks.map((block) => (block.speaker === key ? restated(block, { speaker: same.key }) : block));
    return Object.freeze({ ...document, blocks, speakers: document.speakers.filter((each) => each.key !== key) });
  }
  const speakers = document.speakers.map((each) => (each.key === key ? Object.freeze({ key, name: said }) : each));
  return Object.freeze({ ...document, speakers });
}

/** Add somebody whom the program did not tell apart. Gives the document and the key. */
export function addSpeaker(document, name = "") {
  const taken = new Set(document.speakers.map((each) => each.key));
  let number = document.speakers.length + 1;
  while (taken.has(`S${number}`)) number += 1;
  const added = Object.freeze({ key: `S${number}`, name: name.trim() || null });
  return [Object.freeze({ ...document, speakers: [...document.speakers, added] }), added.key];
}

/* Cuts */

export function withCuts(document, cuts) {
  const ordered = [...cuts].sort((one, other) => one.start_ms - other.start_ms || one.end_ms - other.end_ms);
  return Object.freeze({ ...document, cuts: ordered.map((cut) => Object.freeze(cut)) });
}

export function withTitle(document, title) {
  return Object.freeze({ ...document, title: title && Object.freeze(title) });
}

/* Chapters */

/** A person's own chapters, in order; null to have them made of the words. */
export function withChapters(document, chapters) {
  const ordered = chapters && [...chapters].sort((one, other) => one.start_ms - other.start_ms);
  return Object.freeze({ ...document, chapters: frozenChapters(ordered) });
}

function frozenChapters(chapters) {
  return chapters && Object.freeze(chapters.map((chapter) => Object.freeze(chapter)));
}

/** The chapter that would begin with a token: called by the words that it opens with, up to the end of the sentence. */
export function chapterFrom(document, block, at) {
  const opening = block.tokens.slice(Math.max(at, 0), Math.max(at, 0) + TITLE_WORDS);
  const ends = opening.findIndex((token) => SENTENCE_END.test(token.text));
  const words = opening.slice(0, ends < 0 ? TITLE_WORDS : ends + 1).map((token) => token.text);
  const language = opening.length ? document.base.languageOf(opening[0]) : null;
  return {
    start_ms: timeOf(document, block, at),
    title: words.join(" ").replace(/[\s.,;:!?…]+$/u, ""),
    language: language ?? document.base.main,
  };
}

/** Words of titles that are said only where learners do not get them: names, numbers and whatever else would tell.
    @returns Each once, as the titles have it. */
export function hiddenInTitles(document) {
  const { blocks, cuts, chapters, title } = document;
  const titles = [...(chapters ?? []).map((each) => each.title), title?.en, title?.fr].filter(Boolean);
  if (!cuts.length || !titles.length) return [];
  const heard = { hidden: new Set(), open: new Set() };
  blocks.forEach(({ tokens }, place) => {
    const spans = spansOf(document, place);
    tokens.forEach(({ text }, at) => heard[isCut(cuts, spans[at]) ? "hidden" : "open"].add(folded(text)));
  });
  const telling = (word) => folded(word).length >= TELLING && heard.hidden.has(folded(word)) && !heard.open.has(folded(word));
  return [...new Set(titles.flatMap(splitWords).filter(telling))];
}

function folded(word) {
  return word.normalize("NFC").toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
}

/* Times */

/** When a token is heard: its own time, else that of the nearest word before it in the block. */
export function timeOf(document, block, at) {
  for (let near = Math.min(at, block.tokens.length - 1); near >= 0; near -= 1) {
    if (block.tokens[near].word !== null) return document.base.start[block.tokens[near].word];
  }
  return startOf(document, block);
}

/** From when to when each token of a block may be heard: one typed anew, anywhere between the words around it. Where
    nothing lies between these, they are taken along. */
export function spansOf(document, blockAt) {
  const { base, blocks } = document;
  const { tokens } = blocks[blockAt];
  const before = wordsBeside(tokens, wordAround(blocks, blockAt, -1));
  const after = wordsBeside(tokens.toReversed(), wordAround(blocks, blockAt, 1)).toReversed();
  return tokens.map(({ word }, at) => {
    if (word !== null) return [base.start[word], base.end[word]];
    const [one, other] = [before[at], after[at]];
    const [start, end] = [one === null ? 0 : base.end[one], other === null ? base.duration : base.start[other]];
    return start < end ? [start, end] : [one === null ? 0 : base.start[one], other === null ? base.duration : base.end[other]];
  });
}

/** The nearest recognised word before each token, the first ones after one that is given. */
function wordsBeside(tokens, first) {
  let near = first;
  return tokens.map(({ word }) => {
    const before = near;
    near = word ?? near;
    return before;
  });
}

/** The nearest recognised word before or after a block; null where there is none. */
function wordAround(blocks, blockAt, step) {
  const known = ({ word }) => word !== null;
  for (let at = blockAt + step; blocks[at]; at += step) {
    const found = step < 0 ? blocks[at].tokens.findLast(known) : blocks[at].tokens.find(known);
    if (found) return found.word;
  }
  return null;
}

/** Whether a cut hides what is heard within a span; as the server sees it. */
export function isCut(cuts, [start, end]) {
  return cuts.some((cut) => cut.start_ms < Math.max(end, start + 1) && start < cut.end_ms);
}

/** When the first recognised word of a block is heard; for a block without one, where the text before it ends. */
export function startOf(document, block) {
  const known = block.tokens.find((token) => token.word !== null);
  if (known) return document.base.start[known.word];
  for (let at = document.blocks.indexOf(block) - 1; at >= 0; at -= 1) {
    const before = document.blocks[at].tokens.findLast((token) => token.word !== null);
    if (before) return document.base.end[before.word];
  }
  return 0;
}

/** Where the word is that is heard at a moment: index of the block and of the token, or null. */
export function spokenAt(document, ms) {
  const { base, blocks } = document;
  let [low, high] = [0, blocks.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (startOf(document, blocks[middle]) <= ms) low = middle;
    else high = middle - 1;
  }
  const tokens = blocks[low]?.tokens ?? [];
  for (let at = tokens.length - 1; at >= 0; at -= 1) {
    const word = tokens[at].word;
    if (word !== null && base.start[word] <= ms) return { block: low, token: at };
  }
  return null;
}

/* Search */

/** Every place where a text is written, with whichever apostrophes: block and offset. */
export function findAll(document, wanted, { exact = false, whole = false } = {}) {
  if (!wanted) return [];
  // One apostrophe is as good as the other, and so is one space: keyboards have not all of them.
  const literal = wanted.replace(/[.*+?^${}()|[\]\\]/gu, "\\$&").replace(/['’]/gu, "['’]").replace(/\s+/gu, "\\s+");
  const pattern = whole ? `(?<![\\p{L}\\p{N}])${literal}(?![\\p{L}\\p{N}])` : literal;
  const regex = new RegExp(pattern, exact ? "gu" : "giu");
  return document.blocks.flatMap((block) =>
    [...block.text.matchAll(regex)].map((match) => ({ id: block.id, from: match.index, to: match.index + match[0].length })),
  );
}

/** Write something else in each of some places, which are in order. */
export function replaceAll(document, places, text) {
  return replaceEach(document, places, places.map(() => text));
}

/** Write in each of some places, which are in order, a text of its own. */
export function replaceEach(document, places, texts) {
  const byBlock = Map.groupBy(places.map((place, at) => ({ ...place, text: texts[at] })), (place) => place.id);
  let next = document;
  for (const [id, found] of byBlock) {
    let written = next.blocks[indexOfBlock(next, id)].text;
    for (const { from, to, text } of found.toReversed()) written = written.slice(0, from) + text + written.slice(to);
    next = setText(next, id, written);
  }
  return next;
}

/** The next passage in doubt after a place, going round; null where there is none. */
export function nextDoubt(document, blockIndex, tokenIndex, step = 1) {
  const doubts = allDoubts(document);
  const after = doubts.findIndex(({ block, from }) => block > blockIndex || (block === blockIndex && from > tokenIndex));
  if (!doubts.length) return null;
  if (step > 0) return doubts[after < 0 ? 0 : after];
  const before = doubts.findLastIndex(({ block, to }) => block < blockIndex || (block === blockIndex && to <= tokenIndex));
  return doubts.at(before);
}

/** Every run of doubtful tokens: index of the block, first token, token after the last. */
export function allDoubts(document) {
  return document.blocks.flatMap((block, at) =>
    remember(doubted, block, () => doubtsIn(block, document.base)).map(([from, to]) => ({ block: at, from, to })),
  );
}

function doubtsIn({ tokens }, base) {
  const found = [];
  tokens.forEach((token, at) => {
    if (!base.isDoubtful(token)) return;
    if (found.at(-1)?.[1] === at) found.at(-1)[1] = at + 1;
    else found.push([at, at + 1]);
  });
  return found;
}

/* What is sent and kept */

/** The document as the server takes it: runs of untouched words as [from, to), changed ones as [word, text], new as text;
    a word whose language a person gave stands alone as [word, text, language], with null for the word where it is new. */
export function toPayload(document) {
  const turns = document.blocks.map((block) => remember(sent, block, () => toTurn(block, document.base)));
  return { turns, speakers: document.speakers, cuts: document.cuts, title: document.title, chapters: document.chapters };
}

/* What is made of a block is made once: blocks never change, and nearly all are the same after a keystroke. */
const sent = new WeakMap();
const doubted = new WeakMap();

function remember(known, block, work) {
  if (!known.has(block)) known.set(block, work());
  return known.get(block);
}

function toTurn({ joined, speaker, tokens }, base) {
  return { ...(joined ? { joined: true } : {}), speaker, words: toRuns(tokens, base) };
}

function toRuns(tokens, base) {
  const runs = [];
  for (const token of tokens) {
    const last = runs.at(-1);
    if (token.language) runs.push([token.word, base.isUntouched(token) ? null : token.text, token.language]);
    else if (!base.isUntouched(token)) runs.push(token.word === null ? token.text : [token.word, token.text]);
    else if (Array.isArray(last) && last.length === 2 && last[1] === token.word) last[1] += 1;
    else runs.push([token.word, token.word + 1]);
  }
  return runs;
}

/** The document that {@link toPayload} wrote; what is as it was opened is that very document, or its very paragraphs. */
export function fromPayload(payload, opened) {
  const { base } = opened;
  const known = new Map(opened.blocks.map((block) => [block.tokens[0]?.word, block]));
  const blocks = payload.turns.map(({ speaker, joined = false, words }) => {
    const made = makeBlock(speaker, joined, fromRuns(words, base));
    const was = known.get(made.tokens[0]?.word);
    const same = was && was.text === made.text && was.speaker === speaker && was.joined === joined;
    const plain = (token, at) => token.word === made.tokens[at].word && !made.tokens[at].sure && !made.tokens[at].language;
    return same && was.tokens.every(plain) ? was : made;
  });
  const read = Object.freeze({
    blocks,
    speakers: payload.speakers.map((each) => Object.freeze(each)),
    cuts: payload.cuts.map((cut) => Object.freeze(cut)),
    title: payload.title ?? null,
    chapters: frozenChapters(payload.chapters ?? null),
    base,
  });
  const asOpened = blocks.length === opened.blocks.length && blocks.every((block, at) => block === opened.blocks[at]);
  return asOpened && besidesText(read) === besidesText(opened) ? opened : read;
}

/** Names, cuts, title and chapters as one text that is the same for the same values. */
function besidesText({ speakers, cuts, title, chapters }) {
  return JSON.stringify([
    speakers.map(({ key, name }) => [key, name]),
    cuts.map((cut) => [cut.start_ms, cut.end_ms, cut.kind, cut.sound, cut.picture]),
    title && [title.en, title.fr],
    chaptersText(chapters),
  ]);
}

/** Chapters as one text that is the same for the same values. */
export function chaptersText(chapters) {
  return JSON.stringify(chapters && chapters.map(({ start_ms: start, title, language }) => [start, title, language]));
}

/** Once a document has been saved: the same paragraphs on the words of the new revision.
    @param sent The document that was saved.
    @param now The document as it is by now.
    @returns Both on the new base; null where the server wrote a word otherwise. */
export function settle(sent, now, base) {
  const places = new Map();
  const moved = new Map();
  let next = 0;
  for (const block of sent.blocks) {
    const tokens = block.tokens.map((token) => {
      if (token.word !== null) places.set(token.word, next);
      return { text: token.text, word: next++ };
    });
    if (tokens.some((token) => token.text !== base.text[token.word])) return null;
    moved.set(block, Object.freeze({ ...block, tokens }));
  }
  if (next !== base.text.length) return null;
  const known = (block) => {
    const tokens = block.tokens.map((token) => ({ ...token, word: places.get(token.word) ?? null }));
    return moved.get(block) ?? Object.freeze({ ...block, tokens });
  };
  const opened = Object.freeze({ ...sent, blocks: sent.blocks.map(known), base });
  return [opened, now === sent ? opened : Object.freeze({ ...now, blocks: now.blocks.map(known), base })];
}

function fromRuns(runs, base) {
  return runs.flatMap((run) => {
    if (typeof run === "string") return [{ text: run, word: null }];
    const [word, rest, language] = run;
    if (language) {
      const text = rest ?? base.text[word];
      const sure = word !== null && rest === base.text[word];
      return [{ text, word, language, ...(sure ? { sure } : {}) }];
    }
    if (typeof rest === "string") return [{ text: rest, word, ...(rest === base.text[word] ? { sure: true } : {}) }];
    return Array.from({ length: rest - word }, (_, at) => ({ text: base.text[word + at], word: word + at }));
  });
}
