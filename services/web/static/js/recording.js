// A finished recording on the page of its job: the player, what was said, who said it, what it was about, files of it.

import { showAnalysis } from "./analysis.js";
import { artifactUrl, call } from "./api.js";
import { h } from "./dom.js";
import { findBox } from "./find.js";
import { complain } from "./notices.js";
import { Player } from "./player.js";
import { Speakers } from "./speakers.js";
import { Timeline } from "./timeline.js";
import { Transcript } from "./transcript.js";

const FORMS = [
  ["docx", "Word"],
  ["txt", "Text"],
  ["srt", "SubRip"],
  ["vtt", "WebVTT"],
];

let shown = "";

/** Show it once; a job that has finished does not change. */
export async function showRecording(section, job) {
  const now = job.artifacts.map((artifact) => artifact.id).join();
  if (now === shown) return;
  shown = now;
  const player = Player.of(job);
  const timeline = new Timeline(player);
  const stage = h("div", { class: "stage" }, player.element, player.media && timeline.element, player.controls);
  section.replaceChildren(h("h2", { id: "recording-title", class: "hidden", text: "Recording" }), stage);
  section.hidden = false;
  timeline.load(job).catch(() => {}); // a line without a drawing is a line still
  if (!job.artifacts.some(({ kind }) => kind === "transcript")) {
    section.append(downloads(job));
    player.follow();
    return;
  }
  try {
    await showWords(section, job, { player, timeline, stage });
  } catch (error) {
    complain(error);
  }
}

async function showWords(section, job, { player, timeline, stage }) {
  const said = await call("GET", `/jobs/${job.id}/transcript`);
  const speakers = new Speakers(job.id, said);
  const transcript = new Transcript(said, speakers, player);
  timeline.colour(said.paragraphs, (label) => speakers.hue(label));
  speakers.addEventListener("renamed", () => player.reloadCaptions());
  const side = h(
    "div",
    { class: "recording-side" },
    stage,
    speakers.panel(said.statistics),
    showAnalysis(said, speakers),
    downloads(job, { written: true }),
  );
  const words = h(
    "section",
    { class: "panel said", "aria-labelledby": "said-title" },
    h("header", { class: "said-head" }, h("h2", { id: "said-title", text: "What was said" }), findBox(transcript), transcript.followBox),
    said.paragraphs.length > 0 && h("p", { class: "note said-note", text: note(said) }),
    transcript.element,
  );
  section.append(h("div", { class: "recording" }, side, words));
  section.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-t]");
    if (!link || event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    history.replaceState(history.state, "", link.getAttribute("href"));
    transcript.goTo(Number(link.dataset.t));
    player.playFrom(Number(link.dataset.t));
  });
  player.follow((seconds) => transcript.goTo(seconds));
}

function note(said) {
  const language = new Intl.DisplayNames(undefined, { type: "language", fallback: "code" });
  let name = said.language;
  try {
    name = language.of(said.language);
  } catch {
    // no language tag: shown as it is
  }
  const how = said.task === "translate" ? `translated into English from ${name}` : name;
  const keys = "Click a word to hear it. With the keyboard: arrows move, Enter plays.";
  return `${how}, heard by ${said.model}. ${keys} Words with a dotted line were hard to hear.`;
}

/** Links to the files that people want: what can be played, and what was said where that is `written`. */
function downloads(job, { written = false } = {}) {
  const path = `${document.body.dataset.api}/jobs/${job.id}/transcript`;
  const links = written ? [...FORMS.map(([form, name]) => [`${path}.${form}?download=1`, name]), [`${path}?download=1`, "JSON"]] : [];
  const sound = job.artifacts.filter(({ content_type: type }) => /^(audio|video)\//.test(type));
  return h(
    "section",
    { class: "panel", "aria-labelledby": "downloads-title" },
    h("h2", { id: "downloads-title", text: "Download" }),
    h(
      "p",
      { class: "downloads" },
      links.map(([href, text]) => h("a", { class: "button", href, download: "", text, "aria-label": `Download the transcript as ${text}` })),
      sound.map(({ id, kind }) => h("a", { class: "button", href: artifactUrl(id, { download: true }), download: "", text: kind })),
    ),
    written && h("p", { class: "note", text: "With the names that you gave." }),
  );
}
