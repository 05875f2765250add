// The player of a recording: the browser's own, with the choice of rendition, speed and captions beside it.

import { artifactUrl } from "./api.js";
import { h } from "./dom.js";

const SPEEDS = [0.75, 1, 1.25, 1.5, 2];

/** Time as people write it: 0:07, 12:34, 1:02:03. */
export function clock(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(s / 3600);
  const minutes = Math.floor((s % 3600) / 60);
  return hours ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
}

/** The second that the address names (#t=12.5), or null. */
export function addressedSecond() {
  const match = /^#t=(\d+(?:\.\d+)?)/.exec(location.hash);
  return match ? Number(match[1]) : null;
}

/** What people call the size of a film: 720 for `mp4-720`, lying or standing. */
function sizeOf({ kind, metadata }) {
  return Number(/-(\d+)$/.exec(kind)?.[1] ?? metadata.height ?? 0);
}

export class Player extends EventTarget {
  media = null; // the audio or video element; null if there is nothing that a browser plays
  element;
  controls = null;
  #job;
  #renditions = [];

  static of(job) {
    return new Player(job);
  }

  constructor(job) {
    super();
    this.#job = job;
    const films = job.artifacts.filter(({ kind, content_type: type }) => /^video\//.test(type) && !/av1/.test(kind));
    this.#renditions = films.sort((a, b) => sizeOf(b) - sizeOf(a));
    const sound = job.artifacts.find(({ content_type: type }) => /^audio\//.test(type));
    if (films.length) this.media = this.#film();
    else if (sound) this.media = h("audio", { class: "player", controls: true, preload: "metadata", src: artifactUrl(sound.id) });
    this.element = this.media ?? h("p", { class: "empty-line", text: "There is no sound to play here." });
    if (!this.media) return;
    this.controls = this.#controls();
    for (const type of ["timeupdate", "seeking", "seeked", "play", "pause", "loadedmetadata", "durationchange"]) {
      this.media.addEventListener(type, () => this.dispatchEvent(new Event("moved")));
    }
  }

  get seconds() {
    return this.media?.currentTime ?? 0;
  }

  get duration() {
    const known = this.media?.duration;
    return Number.isFinite(known) && known > 0 ? known : (this.#job.result?.duration ?? this.#job.result?.seconds ?? 0);
  }

  get playing() {
    return Boolean(this.media) && !this.media.paused && !this.media.ended;
  }

  /** Go to a second; before anything is loaded, once it is. */
  seek(seconds) {
    if (!this.media) return;
    if (this.media.readyState > 0) this.media.currentTime = seconds;
    else this.media.addEventListener("loadedmetadata", () => (this.media.currentTime = seconds), { once: true });
  }

  playFrom(seconds) {
    this.seek(seconds);
    this.media?.play().catch(() => {}); // a browser that wants a click first shows its own button
  }

  /** Go where the address says, now and whenever it changes; `gone` hears the second. */
  follow(gone = () => {}) {
    const go = () => {
      const second = addressedSecond();
      if (second === null) return;
      this.seek(second);
      gone(second);
    };
    addEventListener("hashchange", go);
    go();
  }

  /** Ask for the captions again: somebody has a name now. */
  reloadCaptions() {
    const old = this.media?.querySelector("track");
    if (!old) return;
    const mode = old.track.mode;
    const fresh = this.#captions();
    old.replaceWith(fresh);
    fresh.track.mode = mode;
  }

  #film() {
    const poster = this.#job.artifacts.find(({ kind }) => kind === "poster");
    const { width, height } = this.#renditions[0].metadata;
    const film = h(
      "video",
      { class: "player", controls: true, preload: "metadata", playsinline: true, width, height, poster: poster && artifactUrl(poster.id) },
      this.#job.artifacts.some(({ kind }) => kind === "transcript") && this.#captions(),
    );
    film.src = artifactUrl(this.#fitting().id);
    return film;
  }

  #captions() {
    const language = /^[a-z]{2,3}$/.test(this.#job.result?.language ?? "") ? this.#job.result.language : "en";
    return h("track", { kind: "captions", label: "Captions", srclang: language, src: `${document.body.dataset.api}/jobs/${this.#job.id}/transcript.vtt` });
  }

  /** The smallest rendition that fills its place on this screen. */
  #fitting() {
    const saving = navigator.connection?.saveData;
    const wanted = saving ? 0 : Math.min(innerWidth, 800) * 0.5625 * Math.min(devicePixelRatio, 2);
    return this.#renditions.findLast((film) => sizeOf(film) >= wanted) ?? this.#renditions[saving ? this.#renditions.length - 1 : 0];
  }

  #controls() {
    const speed = h("select", { on: { change: () => (this.media.playbackRate = Number(speed.value)) } }, SPEEDS.map((rate) => h("option", { value: rate, selected: rate === 1, text: `${rate} ×` })));
    const fields = [h("label", { class: "field field-row" }, h("span", { text: "Speed" }), speed)];
    if (this.#renditions.length > 1) fields.push(h("label", { class: "field field-row" }, h("span", { text: "Picture" }), this.#choice()));
    return h("div", { class: "stage-controls" }, fields);
  }

  #choice() {
    const choice = h("select", {}, this.#renditions.map((film) => h("option", { value: film.id, text: sizeOf(film) ? `${sizeOf(film)}p` : film.kind })));
    choice.value = this.#fitting().id;
    choice.addEventListener("change", () => {
      const { currentTime, playbackRate } = this.media;
      const playing = this.playing;
      this.media.src = artifactUrl(choice.value);
      this.seek(currentTime);
      this.media.playbackRate = playbackRate;
      if (playing) this.media.play().catch(() => {});
    });
    return choice;
  }
}
