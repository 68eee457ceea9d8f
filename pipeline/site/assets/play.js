/**
 * The button that plays, and the player as soon as somebody wants it.
 *
 * The player weighs more than the rest of an hour's page, and many who open one only read. So it begins with its picture
 * under one button. The player is asked for when somebody points at it, comes to it by keyboard, plays, or goes to a
 * moment, and when they have a place to be brought back to; then it comes where the button stood all along. Takes the
 * `video` element, which plays by itself without script and wherever the player cannot be had. Stands alone because the
 * transcript, too, plays from a moment.
 */

export const video = document.getElementById("video");
const frame = video?.parentElement;
const button = document.getElementById("play");

/** What this browser keeps; where it keeps nothing, everything works for as long as the page is open. */
export const kept = {
  read(name) {
    try {
      return localStorage.getItem(`tribune.${name}`);
    } catch {
      return null;
    }
  },
  write(name, value) {
    try {
      if (value === null) localStorage.removeItem(`tribune.${name}`);
      else localStorage.setItem(`tribune.${name}`, value);
    } catch {
      // Private windows and full disks refuse; the choice holds until the page is closed.
    }
  },
};

/** The moment in s that the recording goes to when it is known again, while its source changes. */
export const due = { seconds: 0 };

let asked = null;
let here = false;
let chosen = false;

/** Return the moment in ms that an address names (`#t=12.3`), or null. */
export function momentIn(hash) {
  const found = /^#t=(\d{1,6}(?:\.\d{1,3})?)$/.exec(hash);
  return found ? Math.round(Number(found[1]) * 1000) : null;
}

/** Go to a moment in ms that the reader chose; from then on nothing else brings them elsewhere. */
export function goTo(ms) {
  chosen = true;
  due.seconds = 0;
  video.currentTime = ms / 1000;
}

/** Say whether the reader has chosen a moment; its time does not, as the first moment of a recording is 0. */
export function hasChosen() {
  return chosen;
}

/** Ask for the player, the first time that somebody wants it; wait until it is there, or is known not to come. */
export function wantPlayer() {
  asked ??= bringPlayer()
    .catch(giveBack)
    .then(() => (here = true));
  return asked;
}

function bringPlayer() {
  // Each needs the next one; they come together.
  const names = [`player.${document.documentElement.lang}`, "player", "video-js"];
  return Promise.all(names.map((name) => import(`./${name}.js`)));
}

/** Where the player cannot be had, the browser's own is there again. */
function giveBack() {
  const focused = document.activeElement === button;
  button.remove();
  video.controls = true;
  if (focused) video.focus();
}

/** Play, because of a click or a key, as browsers demand; a browser that refuses leaves the button to be pressed again. */
export async function play() {
  if (!here) {
    frame.classList.add("waiting");
    // Some let an element play only while the press that asks for it is being handled; and so it begins to load.
    video.play().catch(() => {});
    video.pause();
    await wantPlayer();
  }
  await video.play().catch(() => {});
  frame.classList.remove("waiting");
}

if (button) {
  video.controls = false;
  button.hidden = false;
  button.addEventListener("click", play);
  for (const sign of ["pointerenter", "focusin"]) frame.addEventListener(sign, wantPlayer, { once: true });
  const moment = momentIn(location.hash);
  // Before the player may come; a transcript goes there too, and follows.
  if (moment !== null) goTo(moment);
  if (moment !== null || kept.read(`position.${video.dataset.session}`)) wantPlayer();
}
