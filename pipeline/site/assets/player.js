/**
 * Makes the browser's own player into ours: captions of any size and colour, chapters, speed, sound only, and back to
 * where one left off.
 *
 * Takes the `video` element of the page, which plays by itself without this, and the texts in the reader's language; the
 * element stays where it is, with its moment and what it has loaded, so that the transcript can listen to it. What a person
 * chose, and where they stopped, is kept in this browser and sent nowhere. Stands alone so that a session's page and the
 * player in another site's frame are the same, and because a page asks for it only when somebody wants it (play.js).
 */

import { due, goTo, hasChosen, kept, video } from "./play.js";
import videojs from "./video-js.js";

const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];
const SIZES = [75, 100, 125, 150, 200];
const COLOURS = ["white", "yellow", "black", "cream"];
/** Seconds that an arrow key moves. */
const STEP = 5;
/** Nobody needs to be brought back to the first or to the last so many seconds. */
const MARGIN = 10;
/** At most so many seconds are heard again after the page was closed without warning. */
const SAVE_EVERY = 5;

const [Component, Button, MenuItem, CaptionsButton, ChaptersButton, PlaybackRateMenuButton] = [
  "Component",
  "Button",
  "MenuItem",
  "CaptionsButton",
  "ChaptersButton",
  "PlaybackRateMenuButton",
].map((name) => videojs.getComponent(name));

/** How captions look: one of the sizes, in percent, and one of the pairs of colours. */
const look = {
  size: oneOf(SIZES, Number(kept.read("captions.size")), 100),
  colours: oneOf(COLOURS, kept.read("captions.colours"), "white"),
};

function oneOf(choices, found, otherwise) {
  return choices.includes(found) ? found : otherwise;
}

function setLook(player, name, value) {
  look[name] = value;
  kept.write(`captions.${name}`, value);
  showLook(player);
  player.trigger("captionslook");
}

/** The style sheet does the rest, also where the browser shows the captions itself. */
function showLook(player) {
  player.el().dataset.captionsSize = look.size;
  player.el().dataset.captionsColours = look.colours;
  player.textTrackDisplay.updateDisplay();
}

/** Return the text of a cue as it is read: without markup, its escapes resolved. */
function plain(cue) {
  return cue.getCueAsHTML().textContent;
}

/** What scrolls must be reachable by keyboard: let the first item of a menu be. */
function reachable(menu) {
  const [first] = menu.children();
  if (first) first.el().tabIndex = 0;
  return menu;
}

class LookItem extends MenuItem {
  constructor(player, { name, value, label }) {
    super(player, { label, selectable: true, multiSelectable: false, selected: look[name] === value });
    this.on(player, "captionslook", () => this.selected(look[name] === value));
    this.choose = () => setLook(player, name, value);
  }

  handleClick() {
    this.choose();
  }
}

/** Captions on or off, and under them how they look. */
class CaptionsMenu extends CaptionsButton {
  createItems() {
    const items = super.createItems();
    for (const item of items) {
      // A track says what it is in its own language.
      if (item.track.language) item.$(".vjs-menu-item-text").lang = item.track.language;
    }
    if (items.length < 2) return items;
    const sizes = SIZES.map((value) => [value, this.localize("size of", [value])]);
    const colours = COLOURS.map((value) => [value, this.localize(`colours ${value}`)]);
    const made = (name, choices) => choices.map(([value, label]) => new LookItem(this.player_, { name, value, label }));
    this.groups_ = [made("size", sizes), made("colours", colours)];
    return [...items, ...this.groups_.flat()];
  }

  createMenu() {
    this.groups_ = [];
    const menu = super.createMenu();
    for (const [first] of this.groups_) {
      const line = videojs.dom.createEl("li", { className: "vjs-menu-line" }, { role: "separator" });
      first.el().before(line);
    }
    return reachable(menu);
  }
}

class ChaptersMenu extends ChaptersButton {
  getMenuCaption() {
    // The button says it; a heading inside a menu is none of its items.
    return "";
  }

  createMenu() {
    return reachable(super.createMenu());
  }

  createItems() {
    const items = super.createItems();
    for (const item of items) {
      const text = item.$(".vjs-menu-item-text");
      text.textContent = plain(item.cue);
      text.lang = item.track.language;
    }
    return items;
  }
}

class SpeedMenu extends PlaybackRateMenuButton {
  createMenu() {
    return reachable(super.createMenu());
  }

  updateLabel() {
    this.labelEl_.textContent = this.localize(`${this.player_.playbackRate()}x`);
  }
}

/** Plays the sound without its picture: less to load, less to look at. */
class SoundOnlyButton extends Button {
  constructor(player, options) {
    super(player, options);
    this.setIcon("audio");
    this.controlText("sound only");
    this.show_();
  }

  buildCSSClass() {
    return `vjs-sound-only ${super.buildCSSClass()}`;
  }

  handleClick() {
    const on = !this.player_.hasClass("sound-only");
    this.player_.toggleClass("sound-only", on);
    kept.write("sound-only", on ? "yes" : null);
    this.options_.change(on);
    this.show_();
  }

  show_() {
    this.el().setAttribute("aria-pressed", String(this.player_.hasClass("sound-only")));
  }
}

/** Captions are there before the menus, which are made anew with every track that comes. */
class PageCaptions extends Component {
  constructor(player, options) {
    super(player, { ...options, createEl: false });
    addTracks(player, options.tracks);
  }
}

for (const [name, Part] of Object.entries({ CaptionsMenu, ChaptersMenu, SpeedMenu, SoundOnlyButton, PageCaptions })) {
  videojs.registerComponent(name, Part);
}

/** Change between the recording and its sound alone, at the same moment. */
function changeSource(source) {
  const { currentTime, paused } = video;
  due.seconds = currentTime || due.seconds;
  video.src = source.src;
  // Not sooner: WebKit may stand still at a moment that it is told before it knows the recording.
  const goOn = () => {
    // Whoever has gone elsewhere meanwhile is not brought back; a busy page may have begun to play from the start.
    const { currentTime, played } = video;
    const atStart = !currentTime || (played.length && !played.start(0));
    if (due.seconds && atStart) video.currentTime = due.seconds;
    due.seconds = 0;
  };
  video.addEventListener("loadedmetadata", goOn, { once: true });
  if (!paused) video.play().catch(() => {});
}

/** Return the tracks of the page that are of a kind, those with their cues that the browser has read. */
function readTracks(kind) {
  return Array.from(video.querySelectorAll(`track[kind="${kind}"]`), (element) => {
    const { src, srclang, label, default: shown, track } = element;
    const cues = element.readyState === HTMLTrackElement.LOADED && track.cues ? Array.from(track.cues) : [];
    return { kind, srclang, label, shown, cues, src: cues.length ? undefined : src };
  });
}

/** Give the library tracks with what was read of them: it would read two hours of captions again, and by script. */
function addTracks(player, tracks) {
  // Where the browser shows the captions itself, the tracks of the page are the library's.
  if (player.tech(true).featuresNativeTextTracks) return;
  for (const { shown, cues, ...told } of tracks) {
    const { track } = player.addRemoteTextTrack(told, true);
    // Marked as the library's own are: to be laid out each time that they are drawn, in whatever size it is now.
    for (const cue of cues) track.addCue(Object.assign(cue, { hasBeenReset: true }));
    if (shown) track.mode = "showing";
  }
}

function makePlayer(language, texts) {
  const soundOnly = kept.read("sound-only") === "yes";
  const source = video.querySelector("source");
  const { src, type } = source;
  const picture = { src, type };
  // Where there is no file of the sound, the picture is hidden and nothing else changes.
  const sound = video.dataset.sound ? { src: video.dataset.sound, type: video.dataset.soundType } : picture;
  const change = (on) => sound !== picture && changeSource(on ? sound : picture);
  const number = new Intl.NumberFormat(`${language}-CA`);
  const speeds = SPEEDS.map((speed) => [`${speed}x`, texts["speed of"].replace("{1}", number.format(speed))]);
  const { id } = video;
  const chapters = readTracks("chapters");
  const player = videojs(video, {
    // Drawn by the library, captions are alike everywhere and what a person chose of their look holds. Only where nothing
    // but the element itself can fill the screen, as on a telephone, must its own captions go along.
    html5: document.fullscreenEnabled ? { nativeTextTracks: false } : {},
    language,
    languages: { [language]: { ...texts, ...Object.fromEntries(speeds) } },
    // What the element has loaded is taken as it is, at once; what is named here would be loaded after a while.
    sources: [],
    tracks: [],
    pageCaptions: { tracks: readTracks("captions") },
    controls: true,
    playbackRates: SPEEDS,
    experimentalSvgIcons: true,
    userActions: { hotkeys: onKey },
    children: [
      ...["mediaLoader", "pageCaptions", "posterImage", "textTrackDisplay", "loadingSpinner"],
      ...["controlBar", "errorDisplay", "resizeManager"],
    ],
    controlBar: {
      children: [
        ...["progressControl", "playToggle", "volumePanel", "currentTimeDisplay", "timeDivider", "durationDisplay"],
        ...["speedMenu", "chaptersMenu", "captionsMenu", "soundOnlyButton"],
        ...["pictureInPictureToggle", "fullscreenToggle"],
      ],
      soundOnlyButton: { change },
    },
  });
  // The library gives the name of the element to its frame; on our pages it is the element's.
  player.el().id = "player";
  video.id = id;
  // That it cannot be had the library says only where it has asked itself.
  if (video.networkState === HTMLMediaElement.NETWORK_NO_SOURCE) player.src(picture);
  else if (!video.readyState) {
    // Chromium tells nothing any more of a source whose element has been moved, but tries the next one, and tells of that.
    const again = source.cloneNode();
    again.addEventListener("error", () => player.src(picture), { once: true });
    video.append(again);
  }
  player.ready(() => addTracks(player, chapters));
  player.toggleClass("sound-only", soundOnly);
  player.controlBar.soundOnlyButton.show_();
  if (soundOnly) change(true);
  // How much is loaded is drawn; inside the slider nobody could hear it, and its percentage knows one language.
  player.$(".vjs-load-progress .vjs-control-text").remove();
  return player;
}

/** The keys of the player: they work while the focus is in it, except where a slider or a menu takes them for itself. */
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const menu = event.target.closest("[aria-haspopup]");
  const act = menu && /^Arrow(Up|Down)$/.test(event.key) ? () => menu.click() : KEYS[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act(this);
}

const KEYS = {
  " ": playOrPause,
  k: playOrPause,
  arrowleft: (player) => move(player, -STEP),
  arrowright: (player) => move(player, STEP),
  arrowup: (player) => player.volume(player.volume() + 0.1),
  arrowdown: (player) => player.volume(player.volume() - 0.1),
  m: (player) => player.muted(!player.muted()),
  c: toggleCaptions,
  "<": (player) => changeSpeed(player, -1),
  ">": (player) => changeSpeed(player, 1),
  f: (player) => (player.isFullscreen() ? player.exitFullscreen() : player.requestFullscreen()),
};

function playOrPause(player) {
  if (player.paused()) player.play()?.catch(() => {});
  else player.pause();
}

function move(player, seconds) {
  player.currentTime(Math.min(Math.max(0, player.currentTime() + seconds), player.duration()));
}

function changeSpeed(player, step) {
  const at = SPEEDS.indexOf(player.playbackRate());
  player.playbackRate(SPEEDS[Math.min(Math.max(0, at + step), SPEEDS.length - 1)]);
}

function toggleCaptions(player) {
  const tracks = Array.from(player.textTracks()).filter((track) => track.kind === "captions");
  const showing = tracks.find((track) => track.mode === "showing");
  if (showing) showing.mode = "disabled";
  else if (tracks.length) tracks[0].mode = "showing";
}

/** Escape closes a menu and leaves the focus on its button; the library would lose it. */
function keepFocus(event) {
  if (event.key === "Escape") event.target.closest(".vjs-menu-button-popup")?.querySelector("button").focus();
}

/** Keep where a session was left, and go back there when its page is opened again without a moment in its address. */
function rememberPosition(player) {
  const name = `position.${video.dataset.session}`;
  const left = Number(kept.read(name));
  let saved = left;

  function save() {
    const { currentTime, duration } = video;
    if (!player.hasStarted() || !duration) return;
    saved = currentTime;
    const worthIt = currentTime > MARGIN && currentTime < duration - MARGIN;
    kept.write(name, worthIt ? currentTime.toFixed(1) : null);
  }

  function resume() {
    if (hasChosen() || video.currentTime || !(left > MARGIN && left < video.duration)) return;
    video.currentTime = left;
    tellResumed(player, left, () => {
      kept.write(name, null);
      goTo(0);
    });
  }

  if (video.readyState) resume();
  else video.addEventListener("loadedmetadata", resume, { once: true });
  video.addEventListener("timeupdate", () => Math.abs(video.currentTime - saved) >= SAVE_EVERY && save());
  for (const moment of ["pause", "ended"]) video.addEventListener(moment, save);
  addEventListener("pagehide", save);
}

/** Say that the recording does not begin at its beginning, and let that be undone. */
function tellResumed(player, seconds, restart) {
  const box = videojs.dom.createEl("div", { className: "resumed" }, { role: "status" });
  const away = () => {
    box.remove();
    player.controlBar.playToggle.focus();
  };
  const button = (text, act) => {
    const made = videojs.dom.createEl("button", { textContent: player.localize(text) }, { type: "button" });
    made.addEventListener("click", act);
    return made;
  };
  player.el().prepend(box);
  // A status is announced when it changes, not when it comes.
  requestAnimationFrame(() => {
    const text = player.localize("resumed at", [videojs.time.formatTime(seconds)]);
    box.append(
      videojs.dom.createEl("p", { textContent: text }),
      button("resumed restart", () => {
        restart();
        away();
      }),
      button("resumed dismiss", away),
    );
  });
}

/** The button that plays goes when it has been of use; whoever was there finds themselves at the one that pauses. */
function handOverFocus(player) {
  if (document.activeElement?.id === "play") player.controlBar.playToggle.focus();
}

/**
 * Make the page's player into ours.
 *
 * @param {string} language - Of the page.
 * @param {Object<string, string>} texts - By the library's own names, and by ours.
 */
export function enhance(language, texts) {
  const player = makePlayer(language, texts);
  // Tracks that are left are shown by the browser, by a setting of the whole device; here they begin as they do elsewhere.
  for (const { track } of video.querySelectorAll("track[default]")) track.mode = "showing";
  // Chapters that the browser read before the player came give no sign of it any more.
  player.ready(() => player.controlBar.chaptersMenu.update());
  // Another source must not lose the speed.
  video.addEventListener("ratechange", () => (video.defaultPlaybackRate = video.playbackRate));
  player.el().addEventListener("keydown", keepFocus, true);
  player.on("play", () => handOverFocus(player));
  // Else a caption would wait for the next picture, and where there is only sound for longer.
  player.on("play", () => player.textTrackDisplay.updateDisplay());
  showLook(player);
  rememberPosition(player);
}
