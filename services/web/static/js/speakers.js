// Who speaks: what they are called, everywhere on the page at once, and how each took part.

import { call } from "./api.js";
import { h } from "./dom.js";
import { banner, complain } from "./notices.js";
import { inform } from "./toast.js";
import { duration, number, share } from "./words.js";

const HUES = 6;

export class Speakers extends EventTarget {
  #job;
  #called;
  #labels;

  constructor(job, said) {
    super();
    this.#job = job;
    this.#labels = said.speakers.map(({ label }) => label);
    this.#called = new Map(said.speakers.map(({ label, called }) => [label, called]));
  }

  has(label) {
    return this.#called.has(label);
  }

  /** Which of the colours is a speaker's, from 1. */
  hue(label) {
    return (Math.max(0, this.#labels.indexOf(label)) % HUES) + 1;
  }

  /** The name of a speaker, which changes when somebody changes it. */
  name(label) {
    return h("span", { dataset: { label }, text: this.#called.get(label) ?? label });
  }

  /** The name of a speaker; pressed, it can be changed in its place. */
  nameButton(label, attributes = {}) {
    const called = this.#called.get(label) ?? label;
    const made = h("button", { type: "button", class: "speaker-name", title: "Rename", ...attributes, on: { click: () => this.#edit(made, label) } }, h("span", { dataset: { label }, text: called }));
    return made;
  }

  panel(statistics) {
    if (!this.#labels.length) return null;
    return h(
      "section",
      { class: "panel speakers", "aria-labelledby": "speakers-title" },
      h("h2", { id: "speakers-title", text: "Speakers" }),
      h("ul", { class: "speaker-list" }, this.#labels.map((label) => this.#row(label, statistics?.speakers.find(({ speaker }) => speaker === label)))),
      statistics && this.#table(statistics),
    );
  }

  #row(label, figures) {
    const bar = h("span", { class: "speaker-bar" });
    if (figures) bar.style.inlineSize = `${Math.round(figures.share * 100)}%`;
    const rename = h("button", { type: "button", class: "button speaker-rename", "aria-label": "Rename", text: "Rename", on: { click: () => this.#edit(name, label) } });
    const name = this.nameButton(label);
    return h(
      "li",
      { class: `speaker speaker-${this.hue(label)}` },
      h("span", { class: "speaker-dot", "aria-hidden": "true" }),
      name,
      h("span", { class: "speaker-share", text: figures ? `${share(figures.share)} · ${duration(figures.talk_seconds)}` : "" }),
      rename,
      figures && h("span", { class: "speaker-track", "aria-hidden": "true" }, bar),
    );
  }

  #table({ speakers, speech_seconds: speech, silence_seconds: silence, overlap_seconds: overlap }) {
    const rows = [
      ["Talk", ({ talk_seconds: value }) => duration(value)],
      ["Share", ({ share: value }) => share(value)],
      ["Turns", ({ turns }) => number(turns)],
      ["Words", ({ words }) => number(words)],
      ["Words a minute", ({ words_per_minute: value }) => number(Math.round(value))],
      ["Longest in one go", ({ longest_monologue_seconds: value }) => duration(value)],
      ["Interrupts", ({ interruptions }) => number(interruptions)],
      ["Questions", ({ questions }) => number(questions)],
    ];
    return h(
      "details",
      { class: "statistics" },
      h("summary", { text: "Figures" }),
      h(
        "div",
        { class: "statistics-scroll", tabindex: 0, role: "group", "aria-label": "Figures for each speaker" },
        h(
          "table",
          {},
          h("thead", {}, h("tr", {}, h("td"), speakers.map(({ speaker }) => h("th", { scope: "col" }, this.name(speaker))))),
          h("tbody", {}, rows.map(([title, figure]) => h("tr", {}, h("th", { scope: "row", text: title }), speakers.map((one) => h("td", { text: figure(one) }))))),
        ),
      ),
      h("p", { class: "note", text: `Somebody speaks for ${duration(speech)}, several at once for ${duration(overlap)}, nobody for ${duration(silence)}.` }),
    );
  }

  #edit(name, label) {
    const called = this.#called.get(label) ?? label;
    const input = h("input", { class: "speaker-input", type: "text", maxlength: 80, value: called, "aria-label": `Name of ${called}`, autocomplete: "off", spellcheck: "false" });
    const close = () => {
      if (!form.isConnected) return;
      form.replaceWith(name);
      name.focus();
    };
    const save = async (event) => {
      event.preventDefault();
      const wanted = input.value.trim();
      close();
      if (wanted !== called) await this.#rename(label, wanted);
    };
    const form = h(
      "form",
      { class: "speaker-form", on: { submit: save, keydown: (event) => event.key === "Escape" && close() } },
      input,
      h("button", { class: "button", text: "Save" }),
      h("button", { class: "button", type: "button", text: "Cancel", on: { click: close } }),
    );
    if (!name.isConnected) return;
    name.replaceWith(form);
    input.focus();
    input.select();
  }

  async #rename(label, wanted) {
    const before = this.#called.get(label);
    this.#show(label, wanted || `Speaker ${label.replace(/^S(?=\d+$)/, "")}`);
    try {
      const { speakers } = await call("PUT", `/jobs/${this.#job}/speakers/${encodeURIComponent(label)}`, { body: { name: wanted } });
      for (const { label: known, called } of speakers) this.#show(known, called);
      banner("complaint", null);
      if (this.#called.get(label) === before) return;
      this.dispatchEvent(new Event("renamed"));
      inform(`${before} is ${this.#called.get(label)} now, everywhere in this job.`);
    } catch (error) {
      this.#show(label, before);
      complain(error);
    }
  }

  #show(label, called) {
    this.#called.set(label, called);
    for (const element of document.querySelectorAll("[data-label]")) if (element.dataset.label === label) element.textContent = called;
  }
}
