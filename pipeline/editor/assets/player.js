/* The recording beside its text: what is heard now, and a picture of the sound to point into. */

import { clock } from "./format.js";

const SPANS_S = [15, 60, 300];
const STEP_MS = 5000;
/** How far a finger may slip in a click, pixels. */
const SLIP_PX = 4;
const AROUND_MS = 2000;
const SHOWN_MS = 3000;
/** As the tone that is published. */
const TONE_HZ = 1000;
const SAME_PLACE_S = 0.1;
const TONE_GAIN = 0.1;

export class Player {
  /**
   * @param media The video element.
   * @param canvas Where the waveform is drawn; works as a slider.
   * @param host tick(ms) is told about every moment that is shown; say(key, data) gives a text.
   */
  constructor(media, canvas, host) {
    this.media = media;
    this.canvas = canvas;
    this.host = host;
    this.peaks = null;
    this.rate = 1;
    this.span = 1;
    this.cuts = [];
    this.pending = null;
    this.total = 0;
    this.until = null;
    this.tried = null;
    this.veiled = null;
    this.aim = 0;
    this.chosen = null;
    this.drag = null;
    for (const event of ["timeupdate", "seeked", "loadedmetadata", "pause"]) media.addEventListener(event, () => this.#tick());
    // A pause is told of later; by then something else may be playing.
    media.addEventListener("pause", () => media.paused && this.#playOn());
    media.addEventListener("seeking", () => this.#heed());
    media.addEventListener("play", () => this.#follow());
    canvas.addEventListener("pointerdown", (event) => this.#point(event));
    canvas.addEventListener("pointermove", (event) => this.#pull(event));
    for (const event of ["pointerup", "pointercancel"]) canvas.addEventListener(event, () => this.#release());
    canvas.addEventListener("keydown", (event) => this.#onKey(event));
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  get now() {
    return Math.round(this.media.currentTime * 1000);
  }

  /** How loud it is, a byte a bin. */
  setPeaks(peaks, perSecond) {
    this.peaks = peaks;
    this.rate = perSecond;
    this.draw();
  }

  setLength(ms) {
    this.total = ms;
    this.canvas.setAttribute("aria-valuemax", String(Math.round(ms / 1000)));
    this.draw();
  }

  /** Show the cuts, and the stretch that is about to become one. */
  setCuts(cuts, pending = null) {
    this.cuts = cuts;
    this.pending = pending;
    this.draw();
  }

  seek(ms) {
    this.#playOn();
    this.#jump(ms);
    this.#tick();
  }

  #jump(ms) {
    this.aim = Math.max(0, Math.min(ms, this.total)) / 1000;
    this.media.currentTime = this.aim;
  }

  step(direction) {
    this.seek(this.now + direction * STEP_MS);
  }

  toggle() {
    if (this.media.paused) this.media.play().catch(() => {});
    else this.media.pause();
  }

  playFrom(ms) {
    this.seek(ms);
    this.media.play().catch(() => {});
  }

  /** Play a stretch, and stop behind it. */
  playStretch(from, to) {
    this.playFrom(from);
    this.until = to;
  }

  /** Play a little before a cut, what will be left of it, and a little after: a removed passage is passed over, a masked
      one hidden as it will be, a long one in part. */
  preview(cut) {
    this.playStretch(cut.start_ms - AROUND_MS, Math.min(cut.end_ms + AROUND_MS, this.total));
    this.tried = cut;
  }

  /** Whoever goes elsewhere in the recording wants nothing of the stretch any more. Two jumps that follow each other may be
      told of as one: where it goes says whose it is. */
  #heed() {
    if (Math.abs(this.media.currentTime - this.aim) > SAME_PLACE_S) this.#playOn();
  }

  /** Nothing is passed over or hidden any more, and nothing stops it. */
  #playOn() {
    this.until = null;
    this.tried = null;
    this.#veil(null);
  }

  #try(now) {
    // A jump is told of later than it shows: by its place alone the stretch would seem to have been played.
    if (this.media.seeking) this.#heed();
    const { tried } = this;
    const within = tried && now >= tried.start_ms && now < tried.end_ms;
    if (within && tried.kind === "remove") this.#jump(tried.end_ms);
    else if (within && now > tried.start_ms + SHOWN_MS && now < tried.end_ms - SHOWN_MS) this.#jump(tried.end_ms - SHOWN_MS);
    this.#veil(within && tried.kind === "mask" ? tried : null);
    if (this.until !== null && now >= this.until) this.media.pause();
  }

  /** Hide what is heard and seen as a mask will. */
  #veil(mask) {
    if (mask === this.veiled) return;
    const { media } = this;
    if (!this.veiled) this.muted = media.muted;
    this.veiled = mask;
    media.muted = mask ? true : this.muted;
    for (const picture of ["blur", "black"]) media.classList.toggle(picture, mask?.picture === picture);
    this.tone?.stop();
    this.tone = mask?.sound === "tone" && !this.muted ? this.#soundTone() : null;
  }

  #soundTone() {
    const context = (this.audio ??= new AudioContext());
    const tone = new OscillatorNode(context, { frequency: TONE_HZ });
    tone.connect(new GainNode(context, { gain: TONE_GAIN * this.media.volume })).connect(context.destination);
    tone.start();
    return tone;
  }

  zoom(direction) {
    this.span = Math.max(0, Math.min(SPANS_S.length, this.span - direction));
    this.draw();
  }

  #follow() {
    this.#tick();
    if (!this.media.paused) requestAnimationFrame(() => this.#follow());
  }

  #tick() {
    const { canvas, now, total } = this;
    if (!this.media.paused) this.#try(now);
    canvas.setAttribute("aria-valuenow", String(Math.round(now / 1000)));
    canvas.setAttribute("aria-valuetext", this.host.say("moment_of", { time: clock(now), total: clock(total) }));
    this.draw();
    this.host.tick(now);
  }

  /** Choose a stretch of the sound, or none. */
  choose(stretch) {
    if (!stretch && !this.chosen) return;
    this.chosen = stretch;
    this.draw();
  }

  /** First moment shown and how long is shown, ms; it stands still under somebody's hand. */
  #window() {
    if (this.drag) return this.drag.window;
    const length = this.span < SPANS_S.length ? Math.min(SPANS_S[this.span] * 1000, this.total) : this.total;
    const from = Math.max(0, Math.min(this.now - length / 2, this.total - length));
    return [from, Math.max(length, 1)];
  }

  #point(event) {
    const moment = this.#momentAt(event.offsetX);
    this.choose(null);
    if (event.button === 0) {
      this.drag = { window: this.#window(), moment, x: event.offsetX };
      this.canvas.setPointerCapture(event.pointerId);
    }
    this.seek(moment);
  }

  #momentAt(x) {
    const [from, length] = this.#window();
    return Math.round(Math.max(0, Math.min(from + (x / this.canvas.clientWidth) * length, this.total)));
  }

  #pull(event) {
    if (!this.drag || Math.abs(event.offsetX - this.drag.x) < SLIP_PX) return;
    const [start, end] = [this.drag.moment, this.#momentAt(event.offsetX)].sort((one, other) => one - other);
    if (end > start) this.choose({ start_ms: start, end_ms: end });
  }

  #release() {
    this.drag = null;
    this.draw();
  }

  #onKey(event) {
    const steps = { ArrowLeft: -1000, ArrowDown: -1000, ArrowRight: 1000, ArrowUp: 1000, PageUp: 30000, PageDown: -30000 };
    if (event.key in steps) this.seek(this.now + steps[event.key]);
    else if (event.key === "Home") this.seek(0);
    else if (event.key === "End") this.seek(this.total);
    else if (event.key === "+") this.zoom(1);
    else if (event.key === "-") this.zoom(-1);
    else return;
    event.preventDefault();
  }

  draw() {
    const { canvas } = this;
    const [width, height, ratio] = [canvas.clientWidth, canvas.clientHeight, devicePixelRatio || 1];
    if (!width || !height) return;
    if (canvas.width !== Math.round(width * ratio)) [canvas.width, canvas.height] = [width, height].map((side) => Math.round(side * ratio));
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(name).trim();
    const [from, length] = this.#window();
    const x = (ms) => ((ms - from) / length) * width;
    context.fillStyle = colour("--wave");
    for (let at = 0; this.peaks && at < width; at += 1) {
      const tall = Math.max(1, this.#loudest(from + (at / width) * length, length / width) * height);
      context.fillRect(at, (height - tall) / 2, 1, tall);
    }
    for (const cut of this.cuts) this.#shade(context, x(cut.start_ms), x(cut.end_ms), height, colour("--cut"));
    const shown = this.pending ?? this.chosen;
    if (shown) this.#shade(context, x(shown.start_ms), x(shown.end_ms), height, colour("--mark-line"));
    context.fillStyle = colour("--accent");
    context.fillRect(x(this.now) - 1, 0, 2, height);
  }

  #loudest(ms, stretch) {
    const first = Math.floor((ms / 1000) * this.rate);
    const last = Math.max(first + 1, Math.floor(((ms + stretch) / 1000) * this.rate));
    let most = 0;
    for (let at = first; at < last && at < this.peaks.length; at += 1) most = Math.max(most, this.peaks[at]);
    return most / 255;
  }

  /** A cut is hatched, so that it is not told by colour alone. */
  #shade(context, from, to, height, colour) {
    const [left, right] = [Math.max(from, -1), Math.min(to, this.canvas.clientWidth + 1)];
    if (right <= left) return;
    context.save();
    context.strokeStyle = colour;
    context.strokeRect(left, 0.5, right - left, height - 1);
    context.beginPath();
    context.rect(left, 0, right - left, height);
    context.clip();
    context.beginPath();
    for (let at = left - height; at < right; at += 7) {
      context.moveTo(at, height);
      context.lineTo(at + height, 0);
    }
    context.stroke();
    context.restore();
  }
}
