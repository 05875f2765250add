// What was said, word by word: the one that is heard is marked, and a click on any plays from there.

import { h } from "./dom.js";
import { clock } from "./player.js";

const UNSURE = 0.45; // confidence below which a word is marked
const LINGERS = 1; // seconds that a word stays marked after its end, while nothing follows
const LEFT_ALONE = 5000; // milliseconds after the person has scrolled
const UNSPACED = /^(ja|km|lo|my|th|yue|zh)$/;

export class Transcript {
  element;
  followBox;
  paragraphs = []; // {element, text, when, words: [index of the first word, of the last + 1], offsets}
  words = []; // {span, start, end, paragraph}
  #player;
  #starts; // of words, rising
  #order; // words by their start: where people speak at once, that is not the order of the page
  #heard = null;
  #scrolled = -Infinity; // when the person last did
  #follow = h("input", { type: "checkbox", checked: true });

  constructor(said, speakers, player) {
    this.#player = player;
    this.element = h("div", { class: "transcript", role: "group", "aria-label": "Transcript" });
    this.followBox = h("label", { class: "field field-row said-follow", hidden: !player.media }, this.#follow, h("span", { text: "Follow" }));
    const joint = UNSPACED.test(said.language) && said.task === "transcribe" ? "" : " ";
    for (const paragraph of said.paragraphs) this.#add(paragraph, said.segments, speakers, joint);
    this.element.append(...this.paragraphs.map(({ element }) => element));
    if (!this.paragraphs.length) this.element.append(h("p", { class: "empty-line", text: "Nobody says anything here." }));
    else this.paragraphs[0].when.tabIndex = 0;
    this.#order = this.words.map((_, index) => index).sort((a, b) => this.words[a].start - this.words[b].start);
    this.#starts = Float64Array.from(this.#order, (index) => this.words[index].start);
    this.element.addEventListener("click", (event) => this.#click(event));
    this.element.addEventListener("keydown", (event) => this.#key(event));
    for (const type of ["wheel", "touchmove"]) addEventListener(type, () => (this.#scrolled = performance.now()), { passive: true });
    player.addEventListener("moved", () => this.#tick());
  }

  /** Bring a second into view, marked as if it were heard. */
  goTo(seconds) {
    const index = this.#at(seconds) ?? this.#next(seconds);
    this.#mark(index, false);
    if (index !== null) settled(() => this.#keepInView(this.words[index].span)); // also if the player has marked it already
  }

  /** Bring a word into view. */
  reveal(index) {
    settled(() => this.words[index].span.scrollIntoView({ block: "center", behavior: "instant" }));
  }

  #add({ start, speaker, first, last }, segments, speakers, joint) {
    const number = this.paragraphs.length;
    const begin = this.words.length;
    const text = h("p", { class: "para-text", lang: "" });
    const offsets = [];
    let length = 0;
    let overlap = false;
    for (const segment of segments.slice(first, last + 1)) {
      overlap ||= segment.overlap;
      const heard = segment.words.length ? segment.words : segment.text.trim() ? [{ start: segment.start, end: segment.end, word: segment.text, probability: 1 }] : [];
      heard.forEach(({ start: from, end, word, probability }, place) => {
        const plain = word.trim();
        if (!plain) return;
        const space = place === 0 ? (length ? joint : "") : /^\s/.test(word) ? " " : "";
        if (space) text.append(space);
        const span = h("span", { class: probability < UNSURE ? "w w-unsure" : "w", text: plain });
        span.at = this.words.length;
        text.append(span);
        offsets.push(length + space.length);
        length += space.length + plain.length;
        this.words.push({ span, start: from, end, paragraph: number });
      });
    }
    const when = h("button", { type: "button", class: "when", tabindex: -1, text: clock(start), "aria-label": `Play from ${clock(start)}` });
    when.second = start;
    const head = h("p", { class: "para-head" }, speaker && speakers.nameButton(speaker, { tabindex: -1 }), when, overlap && h("span", { class: "para-overlap", text: "at the same time" }));
    const element = h("div", { class: speaker ? `para speaker-${speakers.hue(speaker)}` : "para" }, head, text);
    element.at = number;
    text.removeAttribute("lang");
    this.paragraphs.push({ element, when, text: text.textContent, words: [begin, this.words.length], offsets });
  }

  /** The word that is heard at a second, or null. */
  #at(seconds) {
    const index = this.#before(seconds);
    if (index < 0) return null;
    const word = this.words[this.#order[index]];
    return seconds <= word.end + LINGERS ? this.#order[index] : null;
  }

  #next(seconds) {
    return this.#order[Math.min(this.#before(seconds) + 1, this.#order.length - 1)] ?? null;
  }

  /** How far the words go that have begun: the place of the last one in their order, -1 if none has. */
  #before(seconds) {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#starts[middle] <= seconds + 0.01) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #tick() {
    this.#mark(this.#at(this.#player.seconds), this.#player.playing && this.#follow.checked);
    if (this.#player.playing && !this.#ticking) {
      this.#ticking = true;
      requestAnimationFrame(() => {
        this.#ticking = false;
        this.#tick();
      });
    }
  }

  #ticking = false;

  #mark(index, reveal) {
    if (index === this.#heard) return;
    if (this.#heard !== null) this.words[this.#heard].span.classList.remove("w-heard");
    this.#heard = index;
    if (index === null || index === undefined) return;
    const { span } = this.words[index];
    span.classList.add("w-heard");
    if (reveal) this.#keepInView(span);
  }

  /** Scroll only when the word is out of sight, and leave alone who reads elsewhere. */
  #keepInView(span) {
    const reads = performance.now() - this.#scrolled < LEFT_ALONE || this.element.querySelector(":focus-visible");
    if (reads && this.#player.playing) return;
    const { top, bottom } = span.getBoundingClientRect();
    if (top < innerHeight * 0.3 && matchMedia("(max-width: 60rem)").matches || top < 60 || bottom > innerHeight - 40) {
      span.scrollIntoView({ block: "center", behavior: "instant" });
    }
  }

  #click(event) {
    const when = event.target.closest(".when");
    if (when) this.#player.playFrom(when.second);
    const span = event.target.closest(".w");
    if (!span || !getSelection().isCollapsed) return; // who selects words wants to copy them
    this.#focusWord(span.at, { preventScroll: true }); // the arrow keys go on from here
    this.#play(span.at);
  }

  #play(index) {
    this.#player.playFrom(this.words[index].start);
    this.#mark(index, false);
  }

  #key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target.matches("input")) return;
    const word = event.target.closest(".w")?.at;
    const paragraph = event.target.closest(".para")?.at;
    if (paragraph === undefined) return;
    const [first, beyond] = this.paragraphs[paragraph].words;
    if (event.key === "ArrowDown") this.#focusParagraph(paragraph + 1);
    else if (event.key === "ArrowUp") this.#focusParagraph(word === undefined ? paragraph - 1 : paragraph);
    else if (event.key === "Home") this.#focusParagraph(0);
    else if (event.key === "End") this.#focusParagraph(this.paragraphs.length - 1);
    else if (event.key === "ArrowRight") this.#focusWord(Math.min(word === undefined ? first : word + 1, this.words.length - 1));
    else if (event.key === "ArrowLeft") word === undefined || word === first ? this.#focusParagraph(word === undefined ? paragraph - 1 : paragraph) : this.#focusWord(word - 1);
    else if ((event.key === "Enter" || event.key === " ") && word !== undefined && word < beyond) this.#play(word);
    else return;
    event.preventDefault();
  }

  #focusParagraph(number) {
    const paragraph = this.paragraphs[Math.min(this.paragraphs.length - 1, Math.max(0, number))];
    for (const { when } of this.paragraphs) if (when.tabIndex === 0) when.tabIndex = -1;
    paragraph.when.tabIndex = 0;
    paragraph.when.focus();
  }

  #focusWord(index, options) {
    const { span } = this.words[index];
    span.tabIndex = -1;
    span.setAttribute("role", "button");
    span.focus(options);
  }
}

/** Do it at once, and again when the paragraphs that come into view by it are as high as they are. */
function settled(scroll) {
  scroll();
  requestAnimationFrame(() => {
    scroll();
    requestAnimationFrame(scroll);
  });
}
