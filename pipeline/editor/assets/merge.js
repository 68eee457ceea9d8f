/* Two people's changes to one text, put together.

   In go the revision that both began with, the one that the other person saved, and my document; out comes my document
   on top of theirs. Paragraphs that only one of us changed read as that one wrote them. Where both did, mine stands and
   theirs is listed, so that a person decides. */

import { chaptersText, partBlocks } from "./model.js";

/**
 * @param mine My document, on the old base.
 * @param opened The document as I found it.
 * @param theirs The other's document, as the server gives it.
 * @param pairs Runs of words that are the same in both revisions: [index before, index now, how many].
 * @returns The document on their base, and what both changed: {mine, theirs, block} for a passage or a name,
 *   {chapters: true} for the chapters.
 */
export function rebase(mine, opened, theirs, pairs) {
  const now = wordMap(mine.base.text.length, pairs);
  const count = theirs.base.text.length;
  const original = new Map(opened.blocks.map((block) => [block.id, block]));
  const clashes = [];
  let { blocks } = theirs;
  for (const hunk of hunks(mine, opened, original)) {
    const [from, to] = placed(hunk, now, count);
    blocks = partBlocks(partBlocks(blocks, from), to);
    const [first, last] = covering(blocks, from, to);
    const replaced = blocks.slice(first, last);
    const moved = hunk.blocks.map((block) => onBase(block, now));
    const same = text(replaced) === text(hunk.before) && replaced.every((block, at) => block.speaker === hunk.before[at]?.speaker);
    if (!same && text(replaced) !== text(moved)) clashes.push({ mine: text(moved), theirs: text(replaced), block: moved[0]?.id ?? null });
    blocks = [...blocks.slice(0, first), ...moved, ...blocks.slice(last)];
  }
  const document = Object.freeze({ ...theirs, blocks, ...apart(mine, opened, theirs, clashes) });
  return { document, clashes };
}

/**
 * An earlier revision's document on the words of the newest: what is in both keeps its time, the rest is as typed anew.
 * @param old The document of the earlier revision.
 * @param base The newest revision's words, as a Base.
 * @param pairs Runs of words that are the same in both: [index before, index now, how many].
 */
export function broughtBack(old, base, pairs) {
  const now = wordMap(old.base.text.length, pairs);
  const moved = ({ text, word }) => (now[word] === null ? { text, word: null, language: old.base.language[word] } : { text, word: now[word] });
  const blocks = old.blocks.map((block) => Object.freeze({ ...block, tokens: block.tokens.map(moved) }));
  return Object.freeze({ ...old, blocks, base });
}

function wordMap(count, pairs) {
  const map = new Array(count).fill(null);
  for (const [from, to, length] of pairs) for (let at = 0; at < length; at += 1) map[from + at] = to + at;
  return map;
}

/** My changes: runs of blocks that are not as they were, with the blocks that they stand for. */
function hunks(mine, opened, original) {
  const kept = mine.blocks.filter((block) => original.get(block.id) === block);
  const found = [];
  let [here, there] = [0, 0];
  for (const anchor of [...kept, null]) {
    const to = anchor ? mine.blocks.indexOf(anchor, here) : mine.blocks.length;
    const until = anchor ? opened.blocks.indexOf(anchor, there) : opened.blocks.length;
    if (to > here || until > there) {
      const [blocks, before] = [mine.blocks.slice(here, to), opened.blocks.slice(there, until)];
      const words = before.flatMap((block) => block.tokens.map((token) => token.word));
      found.push({ blocks, before, words });
    }
    [here, there] = [to + 1, until + 1];
  }
  return found;
}

/** Which of their words a change of mine stands for. */
function placed({ words }, now, count) {
  const [first, last] = [words[0] ?? 0, words.at(-1) ?? 0];
  let [from, to] = [null, null];
  for (let at = first; at >= 0 && from === null; at -= 1) from = now[at] === null ? null : now[at] + (at < first ? 1 : 0);
  for (let at = last; at < now.length && to === null; at += 1) to = now[at] === null ? null : now[at] + (at > last ? 0 : 1);
  return [from ?? 0, Math.max(to ?? count, from ?? 0)];
}

/** The blocks that hold any of some words. */
function covering(blocks, from, to) {
  const holds = (block) => block.tokens.some(({ word }) => word >= from && word < to);
  const first = blocks.findIndex(holds);
  if (first < 0) {
    const after = blocks.findIndex((block) => block.tokens.some(({ word }) => word >= from));
    return after < 0 ? [blocks.length, blocks.length] : [after, after];
  }
  return [first, blocks.findLastIndex(holds) + 1];
}

function onBase(block, now) {
  const tokens = block.tokens.map(({ text, word, language }) => ({ text, word: word === null ? null : now[word], ...(language ? { language } : {}) }));
  return Object.freeze({ ...block, tokens });
}

function text(blocks) {
  return blocks.map((block) => block.text.trim()).join(" ");
}

/** Names, cuts, title and chapters: mine where I changed them, else theirs; what both changed is told like a passage. */
function apart(mine, opened, theirs, clashes) {
  const was = new Map(opened.speakers.map((each) => [each.key, each.name]));
  const own = new Map(mine.speakers.map((each) => [each.key, each]));
  const speakers = theirs.speakers.map((each) => {
    const ours = own.get(each.key);
    own.delete(each.key);
    if (!ours || ours.name === was.get(each.key)) return each;
    const differs = each.name !== was.get(each.key) && each.name !== ours.name;
    if (differs) clashes.push({ mine: ours.name ?? "", theirs: each.name ?? "", block: null });
    return ours;
  });
  return {
    speakers: [...speakers, ...own.values()],
    cuts: joinedCuts(mine.cuts, opened.cuts, theirs.cuts),
    title: mine.title === opened.title ? theirs.title : mine.title,
    chapters: oneOfChapters(mine.chapters, opened.chapters, theirs.chapters, clashes),
  };
}

/** Chapters are one value: half of mine among half of theirs would be nobody's division of the session. */
function oneOfChapters(mine, opened, theirs, clashes) {
  const [ours, before, now] = [mine, opened, theirs].map(chaptersText);
  if (ours === before) return theirs;
  if (now !== before && now !== ours) clashes.push({ chapters: true });
  return mine;
}

/** Their cuts without those that I took back, and those of mine that meet none of them. */
function joinedCuts(mine, opened, theirs) {
  const same = (one) => (other) => one.start_ms === other.start_ms && one.end_ms === other.end_ms && one.kind === other.kind;
  const kept = theirs.filter((cut) => !opened.some(same(cut)) || mine.some(same(cut)));
  const apart = (cut) => kept.every((other) => cut.end_ms <= other.start_ms || other.end_ms <= cut.start_ms);
  const added = mine.filter((cut) => !opened.some(same(cut)) && apart(cut));
  return [...kept, ...added].sort((one, other) => one.start_ms - other.start_ms);
}
