/**
 * A text to the words by which it is found. `pipeline/search_text.py` does the same when a session is published: both
 * must change together.
 */

import { EnglishStemmer, FrenchStemmer } from "./snowball.js";

const STEMMERS = { en: new EnglishStemmer(), fr: new FrenchStemmer() };
const WORD = /[\p{L}\p{N}]+/gu;
const COMPOUND = /[\p{L}\p{N}]+(?:[-\u2010][\p{L}\p{N}]+)+/gu;
const IN_WORD = /[\p{L}\p{N}]/u;
const APOSTROPHES = "'\u2019\u02bc";
const ELIDED = new Set("l d j m t s n c qu jusqu lorsqu puisqu quoiqu".split(" "));
const CLITICS = new Set("s t d m re ve ll".split(" "));
const LIGATURES = { œ: "oe", æ: "ae", ß: "ss" };

const known = { en: new Map(), fr: new Map() };

function small(text) {
  return text.normalize("NFKC").toLowerCase().replace(/[œæß]/g, (found) => LIGATURES[found]);
}

/** Return whether there is a letter or digit at a place of a text, before it if asked. */
function wordAt(text, place) {
  return place >= 0 && place < text.length && IN_WORD.test(String.fromCodePoint(text.codePointAt(place)));
}

function isApostrophe(char) {
  return char !== undefined && APOSTROPHES.includes(char);
}

/** Return the words of a text in small letters, with their accents, without what is elided. */
export function splitWords(text) {
  const whole = small(text);
  const words = [];
  for (const found of whole.matchAll(WORD)) {
    const start = found.index;
    const end = start + found[0].length;
    if (ELIDED.has(found[0]) && isApostrophe(whole[end]) && wordAt(whole, end + 1)) continue;
    if (CLITICS.has(found[0]) && isApostrophe(whole[start - 1]) && wordAt(whole, start - 2)) continue;
    words.push(found[0]);
  }
  return words;
}

/** Return the words that are written with hyphens, in one. */
export function splitCompounds(text) {
  return [...small(text).matchAll(COMPOUND)].map((found) => found[0].replace(/[-\u2010]/g, ""));
}

export function stripAccents(text) {
  return text.normalize("NFKD").replace(/\p{Mn}/gu, "");
}

/** Return the keys of a word said in a language. */
export function findKeys(word, language) {
  const stemmer = STEMMERS[language];
  if (!stemmer) return new Set([stripAccents(word)]);
  let keys = known[language].get(word);
  if (!keys) {
    keys = new Set([stripAccents(stemmer.stemWord(word)), stemmer.stemWord(stripAccents(word))]);
    known[language].set(word, keys);
  }
  return keys;
}

/** Return the keys of a word that somebody asks for, who may mean either language. */
export function askedKeys(word) {
  return new Set([...findKeys(word, "en"), ...findKeys(word, "fr")]);
}
