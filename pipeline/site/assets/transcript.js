/**
 * Makes the transcript follow the video, and the video follow the reader.
 *
 * Everything on the page can be read and played without this. With it, the passage that is being said is marked and kept
 * in sight within the transcript's own pane; a click on a passage or a time plays from there; `#t=12.3` in the address
 * opens the page at that moment. Nothing is announced on its own: whoever listens hears the video. What else can be done
 * with the transcript (find.js, speakers.js, moments.js) goes by what this offers.
 */

import { goTo, momentIn, play, video, wantPlayer } from "./play.js";

export const pane = document.getElementById("pane");
const follow = document.getElementById("follow");
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** Tolerance in ms: browsers round the time that they were told to seek to. */
const ROUNDING = 20;
/** From this many heights of the pane away, gliding there takes longer than it helps. */
const FAR = 2;

/** The passages of a paragraph have nothing about them, thousands as they are, but their language where it differs. */
const PASSAGE = ".said > span:not([class], [id])";
const starts = readStarts();
const passages = [...starts].map(([element, start]) => ({ element, start })).sort((a, b) => a.start - b.start);
let current = null;
let letGoByHand = false;

/** Return when each passage begins, in ms: the first of a paragraph where its time leads, each other so much later. */
function readStarts() {
  const found = new Map();
  for (const paragraph of pane?.querySelectorAll(".said") ?? []) {
    const steps = paragraph.dataset.steps?.split(" ") ?? [];
    let start = momentIn(paragraph.querySelector(".time").hash);
    for (const passage of passagesIn(paragraph)) {
      found.set(passage, start);
      start += Number(steps.shift());
    }
  }
  return found;
}

/** Return the passages of a part of the transcript, in their order. */
export function passagesIn(part) {
  return part.querySelectorAll(PASSAGE);
}

/** Return when a passage begins, in ms. */
export function startOf(passage) {
  return starts.get(passage);
}

/** Return the last passage that has begun by then, in ms, or null before the first. */
export function passageAt(ms) {
  let low = 0;
  let high = passages.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (passages[middle].start <= ms) low = middle + 1;
    else high = middle;
  }
  return low ? passages[low - 1].element : null;
}

/** Mark the passage being said and, unless the reader is elsewhere, bring it into sight. */
function mark() {
  // Between two sources the element is nowhere; where it was is where it will be.
  if (!video.readyState && !video.currentTime) return;
  const found = passageAt(video.currentTime * 1000 + ROUNDING);
  if (found === current) return;
  current?.removeAttribute("aria-current");
  found?.setAttribute("aria-current", "true");
  current = found;
  if (follow.checked) followCurrent();
}

function followCurrent() {
  const followed = current;
  // A passage of somebody who is filtered out is nowhere to scroll to.
  if (followed?.checkVisibility()) bringIntoSight(followed, () => followed === current && follow.checked);
}

/** Return how far the pane must scroll so that an element or a range begins a third of the way down. */
function distance(target) {
  return target.getBoundingClientRect().top - pane.getBoundingClientRect().top - pane.clientHeight / 3;
}

/** Scroll the pane, and nothing but the pane, to an element or a range, for as long as it is still wanted. */
export function bringIntoSight(target, wanted) {
  const far = Math.abs(distance(target)) > FAR * pane.clientHeight;
  pane.scrollBy({ top: distance(target), behavior: far || calm.matches ? "instant" : "smooth" });
  // What lies between was laid out by estimate until now; once it is real, look again.
  const settle = () => wanted() && pane.scrollBy({ top: distance(target), behavior: "instant" });
  if (far) requestAnimationFrame(() => requestAnimationFrame(settle));
}

/** Go to a moment in ms; `playing` where the reader asked for it by a click or a key. */
export function seek(ms, playing) {
  goTo(ms);
  if (letGoByHand) setFollowing(true);
  mark();
  if (playing) play();
  else wantPlayer();
}

function setFollowing(on) {
  letGoByHand = false;
  follow.checked = on;
  if (on) followCurrent();
}

/** The reader moves the pane by hand: stay where they are until they choose a moment or tick the box. */
export function letGo() {
  if (!follow?.checked) return;
  follow.checked = false;
  letGoByHand = true;
}

function onClick(event) {
  if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest('a[href^="#t="]');
  const passage = event.target.closest(PASSAGE);
  if (link) {
    event.preventDefault();
    history.replaceState(null, "", link.hash);
    seek(momentIn(link.hash), true);
  } else if (passage && document.getSelection().isCollapsed) {
    seek(startOf(passage), true);
  }
}

function openAtMoment() {
  const moment = momentIn(location.hash);
  if (moment === null) return;
  seek(moment, false);
  showPlayer();
}

/** Undo the browser's own jump to the paragraph of that name, which is for pages without script. */
function showPlayer() {
  if (momentIn(location.hash) !== null) video.scrollIntoView({ block: "nearest", behavior: "instant" });
}

if (video && pane && follow) {
  video.addEventListener("timeupdate", mark);
  video.addEventListener("seeking", mark);
  document.addEventListener("click", onClick);
  addEventListener("hashchange", openAtMoment);
  // The page may take long to be whole; whoever has gone elsewhere by then is not brought back.
  const arriving = new AbortController();
  addEventListener("load", showPlayer, { signal: arriving.signal });
  for (const sign of ["wheel", "touchmove", "keydown", "pointerdown"]) {
    addEventListener(sign, () => arriving.abort(), { once: true, passive: true });
  }
  follow.addEventListener("change", () => setFollowing(follow.checked));
  for (const kind of ["wheel", "touchmove"]) pane.addEventListener(kind, letGo, { passive: true });
  pane.addEventListener("pointerdown", (event) => event.target === pane && letGo());
  pane.addEventListener("keydown", (event) => {
    if (/^(Arrow|Page|Home|End|Tab| )/.test(event.key)) letGo();
  });
  openAtMoment();
}
