// The whole recording as one line: how loud it is, who speaks, where one is; a picture of the film under the pointer.

import { artifactUrl } from "./api.js";
import { h } from "./dom.js";
import { clock } from "./player.js";

const HEIGHT = 56;
const LANE = 6; // of the speakers' colours, in pixels
const TRACK = 4; // the plain line where nothing says how loud it is, in pixels
const STEP = 5; // seconds that an arrow key moves
const LEAP = 30;
const MOST_POINTS = 4_000_000; // of a drawing that is worth reading

export class Timeline {
  element;
  #player;
  #canvas = h("canvas", { class: "timeline-drawing" });
  #slider;
  #preview = h("div", { class: "timeline-preview", hidden: true }, h("span", { class: "timeline-picture" }), h("span", { class: "timeline-time" }));
  #peaks = [];
  #stretches = [];
  #pictures = [];
  #sheet = "";
  #scheduled = false;

  constructor(player) {
    this.#player = player;
    this.#slider = h("div", { class: "timeline-slider", role: "slider", tabindex: 0, "aria-label": "Place in the recording", "aria-valuemin": 0 }, this.#canvas);
    this.element = h("div", { class: "timeline" }, this.#slider, this.#preview);
    if (!player.media) return;
    player.addEventListener("moved", () => this.#soon());
    new ResizeObserver(() => this.#soon()).observe(this.#slider);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#soon());
    this.#slider.addEventListener("keydown", (event) => this.#key(event));
    this.#slider.addEventListener("pointerdown", (event) => this.#grab(event));
    this.#slider.addEventListener("pointermove", (event) => this.#peek(event));
    this.#slider.addEventListener("pointerleave", () => (this.#preview.hidden = true));
  }

  /** Read the drawing and the pictures, if the job has them. */
  async load(job) {
    const artifact = (kind) => job.artifacts.find((found) => found.kind === kind);
    const drawing = artifact("waveform");
    const places = artifact("sprite-vtt");
    const sheet = artifact("sprite");
    if (drawing) this.#peaks = peaksOf(await (await fetch(artifactUrl(drawing.id))).json());
    if (places && sheet) {
      this.#sheet = artifactUrl(sheet.id);
      this.#pictures = picturesOf(await (await fetch(artifactUrl(places.id))).text());
    }
    this.#soon();
  }

  /** Colour what each speaker says. */
  colour(paragraphs, hue) {
    this.#stretches = paragraphs.filter(({ speaker }) => speaker).map(({ start, end, speaker }) => ({ start, end, hue: hue(speaker) }));
    this.#soon();
  }

  #soon() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#draw();
    });
  }

  #draw() {
    const { duration, seconds } = this.#player;
    this.#slider.setAttribute("aria-valuemax", Math.round(duration));
    this.#slider.setAttribute("aria-valuenow", Math.round(seconds));
    this.#slider.setAttribute("aria-valuetext", `${clock(seconds)} of ${clock(duration)}`);
    const width = this.#slider.clientWidth;
    if (!width || !duration) return;
    const scale = devicePixelRatio;
    if (this.#canvas.width !== Math.round(width * scale)) {
      this.#canvas.width = Math.round(width * scale);
      this.#canvas.height = HEIGHT * scale;
    }
    const pen = this.#canvas.getContext("2d");
    const style = getComputedStyle(this.#slider);
    const played = (seconds / duration) * width;
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, HEIGHT);
    const room = HEIGHT - LANE - 4;
    const shade = (x) => style.getPropertyValue(x < played ? "--timeline-played" : "--timeline-rest");
    if (this.#peaks.length) {
      for (let x = 0; x < width; x += 3) {
        pen.fillStyle = shade(x);
        const loud = Math.max(0.04, this.#loudness(x / width, (x + 3) / width));
        pen.fillRect(x, (room - room * loud) / 2, 2, room * loud);
      }
    } else {
      for (const [from, to] of [[0, played], [played, width]]) {
        pen.fillStyle = shade(from);
        pen.fillRect(from, (room - TRACK) / 2, to - from, TRACK);
      }
    }
    for (const { start, end, hue } of this.#stretches) {
      pen.fillStyle = style.getPropertyValue(`--speaker-${hue}`);
      pen.fillRect((start / duration) * width, HEIGHT - LANE, Math.max(1, ((end - start) / duration) * width), LANE);
    }
    pen.fillStyle = style.getPropertyValue("--timeline-needle");
    pen.fillRect(Math.min(width - 2, played), 0, 2, HEIGHT);
  }

  #loudness(from, to) {
    const last = Math.max(Math.floor(from * this.#peaks.length) + 1, Math.floor(to * this.#peaks.length));
    let most = 0;
    for (let n = Math.floor(from * this.#peaks.length); n < last && n < this.#peaks.length; n += 1) most = Math.max(most, this.#peaks[n]);
    return most;
  }

  #key(event) {
    const moves = { ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP, PageDown: -LEAP, PageUp: LEAP, Home: -Infinity, End: Infinity };
    if (!(event.key in moves)) return;
    event.preventDefault();
    this.#player.seek(Math.min(this.#player.duration, Math.max(0, this.#player.seconds + moves[event.key])));
  }

  #secondAt(event) {
    const { left, width } = this.#slider.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - left) / width)) * this.#player.duration;
  }

  #grab(event) {
    if (event.button !== 0) return;
    this.#slider.setPointerCapture(event.pointerId);
    this.#player.seek(this.#secondAt(event));
  }

  #peek(event) {
    if (event.buttons & 1 && this.#slider.hasPointerCapture(event.pointerId)) this.#player.seek(this.#secondAt(event));
    const second = this.#secondAt(event);
    const [picture, time] = this.#preview.children;
    const shown = this.#pictures.find(({ start, end }) => second >= start && second < end);
    picture.hidden = !shown;
    if (shown) {
      const { x, y, width, height } = shown;
      Object.assign(picture.style, { width: `${width}px`, height: `${height}px`, backgroundImage: `url("${this.#sheet}")`, backgroundPosition: `-${x}px -${y}px` });
    }
    time.textContent = clock(second);
    this.#preview.hidden = false;
    const bounds = this.#slider.getBoundingClientRect();
    const half = this.#preview.offsetWidth / 2;
    this.#preview.style.left = `${Math.min(bounds.width - half, Math.max(half, event.clientX - bounds.left))}px`;
  }
}

/** Loudness from 0 to 1: https://github.com/bbc/audiowaveform/blob/master/doc/DataFormat.md */
function peaksOf({ data, bits = 8, channels = 1 }) {
  if (!Array.isArray(data) || data.length > MOST_POINTS) return [];
  const each = 2 * channels;
  const peaks = new Float32Array(Math.ceil(data.length / each));
  let loudest = 2 ** (bits - 1) / 20; // what is quieter throughout stays small
  data.forEach((value, n) => {
    const place = Math.floor(n / each);
    peaks[place] = Math.max(peaks[place], Math.abs(value));
    loudest = Math.max(loudest, peaks[place]);
  });
  return peaks.map((peak) => peak / loudest);
}

/** Which part of the sheet shows which seconds: WebVTT with media fragments (https://www.w3.org/TR/media-frags/#naming-space). */
function picturesOf(file) {
  const cue = /((?:\d+:)?\d+:\d+\.\d+) --> ((?:\d+:)?\d+:\d+\.\d+)[^\n]*\n[^\n]*#xywh=(?:pixel:)?(\d+),(\d+),(\d+),(\d+)/g;
  const seconds = (time) => time.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  return Array.from(file.replaceAll("\r", "").matchAll(cue), ([, start, end, x, y, width, height]) => ({
    start: seconds(start),
    end: seconds(end),
    x: Number(x),
    y: Number(y),
    width: Number(width),
    height: Number(height),
  }));
}
