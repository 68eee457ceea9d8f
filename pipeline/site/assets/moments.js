/**
 * Gives moments away: copies their address, and reports what is wrong there.
 *
 * Each paragraph gets its tools when it is pointed at or its time has the focus; where nothing can hover, all have them
 * from the start. The page itself stays light: they are made here, from one template. A report is a link to a mailbox or
 * a form that the page already holds; here the moment and its words are added to it. What was copied is told politely.
 */

import { video } from "./play.js";
import { pane, passageAt, passagesIn, startOf } from "./transcript.js";

const told = document.getElementById("told");
const report = document.getElementById("report");
const template = document.getElementById("tools");
/** Where a report about the session as a whole leads. */
const whole = report?.getAttribute("href");
const page = location.origin + location.pathname;

/** Characters of a passage that go into a report: mail programs cut long links. */
const LONGEST = 300;
/** Milliseconds for which a confirmation stays in sight. */
const TOLD = 6000;

let forgetting = null;
let tools = null;

/** Return a moment in ms as addresses have it. */
function address(ms) {
  return `${page}#t=${ms / 1000}`;
}

/** Return a moment in ms as people read it. */
function clock(ms) {
  const seconds = Math.floor(ms / 1000);
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

function tell(text) {
  told.textContent = text;
  clearTimeout(forgetting);
  forgetting = setTimeout(() => (told.textContent = ""), TOLD);
}

/** Copy a text; browsers refuse it where the page did not come over a secure connection. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

async function copyMoment(ms) {
  const copied = await copy(address(ms));
  // What cannot be copied can still be taken from the address bar.
  if (!copied) history.replaceState(null, "", address(ms));
  tell((copied ? told.dataset.copied : told.dataset.inBar).replace("{time}", clock(ms)));
}

async function copyCitation() {
  const citation = document.getElementById("citation");
  const copied = await copy(citation.textContent.trim().replace(/\s*\n\s*/g, " "));
  if (!copied) document.getSelection().selectAllChildren(citation);
  tell(copied ? told.dataset.cited : told.dataset.notCited);
}

/** Return where a report about a moment leads: to the form or the mailbox, with the moment and its words. */
function reportAddress(ms, text) {
  const words = text.length > LONGEST ? `${text.slice(0, LONGEST).replace(/\s+\S*$/, "")} …` : text;
  if (!whole.startsWith("mailto:")) {
    const form = new URL(whole);
    form.searchParams.set("time_ms", ms);
    form.searchParams.set("text", words);
    return form.href;
  }
  const [mailbox, body] = whole.split("&body=");
  const lines = decodeURIComponent(body).split("\r\n");
  lines[1] = address(ms);
  const language = lines.findIndex((line) => line.startsWith("Tribune-Language: "));
  lines.splice(language, 1, `Tribune-Time: ${ms}`, lines[language], `Tribune-Text: ${words}`);
  return `${mailbox}&body=${encodeURIComponent(lines.join("\r\n"))}`;
}

function textOf(paragraph) {
  return [...passagesIn(paragraph)].map((passage) => passage.textContent).join(" ");
}

/** Return when a paragraph begins, in ms. */
function beginning(paragraph) {
  return startOf(passagesIn(paragraph)[0]);
}

/** Put tools beside the time of a paragraph. */
function equip(paragraph, made) {
  const ms = beginning(paragraph);
  for (const tool of made.children) tool.setAttribute("aria-label", tool.dataset.label.replace("{time}", clock(ms)));
  const link = made.querySelector("a");
  if (link) link.href = reportAddress(ms, textOf(paragraph));
  paragraph.querySelector(".time").after(made);
}

function makeTools() {
  return template.content.firstElementChild.cloneNode(true);
}

/** Move the one set of tools to the paragraph that the reader is at, unless it is in use elsewhere. */
function attend(event) {
  const paragraph = event.target.closest?.(".said");
  tools ??= makeTools();
  if (!paragraph || paragraph.contains(tools)) return;
  if (event.type !== "focusin" && tools.querySelector(":focus-visible")) return;
  equip(paragraph, tools);
}

if (pane && template) {
  if (matchMedia("(hover: none)").matches) {
    for (const paragraph of pane.querySelectorAll(".said")) equip(paragraph, makeTools());
  } else {
    pane.addEventListener("pointerover", attend);
    pane.addEventListener("focusin", attend);
  }
  pane.addEventListener("click", (event) => {
    const paragraph = event.target.closest("button.copy")?.closest(".said");
    if (paragraph) copyMoment(beginning(paragraph));
  });
}

document.getElementById("copy-now")?.addEventListener("click", () => copyMoment(Math.round(video.currentTime * 1000)));

if (report && video) {
  const aim = () => {
    const ms = Math.round(video.currentTime * 1000);
    const paragraph = ms > 0 ? passageAt(ms)?.closest(".said") : null;
    report.href = paragraph ? reportAddress(ms, textOf(paragraph)) : whole;
  };
  for (const kind of ["pointerdown", "focus", "click"]) report.addEventListener(kind, aim);
}

for (const place of document.querySelectorAll(".page-address:empty")) place.textContent = page;
document.getElementById("copy-citation")?.addEventListener("click", copyCitation);
