/* Times and languages as people read them. */

/** A moment: 0:07, 12:34 or 1:02:03. */
export function clock(ms) {
  const seconds = Math.floor(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const tail = String(seconds % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** A moment to the millisecond, as it can be typed in: a cut that ended a tenth earlier would leave the end of a word. */
export function exactClock(ms) {
  const rest = String(ms % 1000).padStart(3, "0");
  return `${clock(ms)}.${rest.replace(/00$/u, "")}`;
}

/** Milliseconds of what somebody typed: 75, 1:15, 1:15.5 or 1:02:03; null for anything else. */
export function readClock(text) {
  const found = /^(?:(?:(\d{1,2}):)?(\d{1,3}):)?(\d{1,5})(?:[.,](\d{1,3}))?$/u.exec(text.trim());
  if (!found) return null;
  const [hours, minutes, seconds] = [found[1], found[2], found[3]].map((part) => Number(part ?? 0));
  return ((hours * 60 + minutes) * 60 + seconds) * 1000 + Number((found[4] ?? "0").padEnd(3, "0"));
}

/** What is typed, pasted or dropped, on one line: a paragraph has no lines, Enter alone begins a turn. */
export function broughtBy(event) {
  const text = event.data ?? event.dataTransfer?.getData("text/plain") ?? "";
  return text.replace(/\s*[\r\n]+\s*/gu, " ");
}

/** The language that most of a block is in, and its text as runs of one language each. */
export function assignLanguages(block, base) {
  let now = base.main;
  const languages = block.tokens.map((token) => (now = base.languageOf(token) ?? now));
  const counts = new Map();
  for (const language of languages) counts.set(language, (counts.get(language) ?? 0) + 1);
  const main = [...counts].reduce((most, each) => (each[1] > most[1] ? each : most), [base.main, 0])[0];
  const runs = [];
  let from = 0;
  block.tokens.forEach((token, at) => {
    const start = block.text.indexOf(token.text, from);
    const end = start + token.text.length;
    if (runs.at(-1)?.language === languages[at]) runs.at(-1).text += block.text.slice(from, end);
    else runs.push({ language: languages[at], text: block.text.slice(from, end) });
    from = end;
  });
  if (from < block.text.length) runs.push({ language: main, text: block.text.slice(from) });
  return [main, runs];
}

/** The language of what stands at an offset of a text that is told as runs. */
export function languageAt(runs, offset) {
  let end = 0;
  return runs.find(({ text }) => offset < (end += text.length))?.language ?? runs.at(-1)?.language;
}
