// What a recording was about. Each statement leads to where it was said, so that a reader can check it.

import { h } from "./dom.js";
import { clock } from "./player.js";

const SERVICES = { gemini: "Gemini", vertex: "Gemini on Vertex AI", openai: "OpenAI", anthropic: "Anthropic" };

export function showAnalysis({ analysis, segments }, speakers) {
  if (!analysis) return null;
  const parts = [
    ["Summary", analysis.summary.map((one) => h("li", {}, statement(one), places(one.segments, segments)))],
    ["Decisions", analysis.decisions.map((one) => h("li", {}, statement(one), places(one.segments, segments)))],
    ["To do", analysis.action_items.map((one) => h("li", {}, task(one, speakers), places(one.segments, segments)))],
    ["Topics", analysis.topics.map(({ title, start, end }) => h("li", {}, title, " ", place(start, `${clock(start)} to ${clock(end)}`)))],
  ].filter(([, items]) => items.length);
  return h(
    "section",
    { class: "panel analysis", "aria-labelledby": "analysis-title" },
    h("h2", { id: "analysis-title", text: "What it was about" }),
    h("p", { class: "note", text: origin(analysis) }),
    analysis.missing && h("p", { class: "note", text: `There is no analysis: ${analysis.missing}` }),
    parts.map(([title, items]) => h("section", {}, h("h3", { text: title }), h("ul", { class: "statements" }, items))),
  );
}

/** Who made it, honestly: a rule is no understanding, and a model may be wrong. */
function origin({ engine, model, note }) {
  const made =
    engine === "extractive"
      ? "Picked from the words themselves by rules, not by a language model."
      : `Written by ${SERVICES[engine] ?? engine}${model ? ` (${model})` : ""}. A language model may be wrong: the times lead to what was said.`;
  return note ? `${made} ${note}` : made;
}

function statement({ text, quote }) {
  return quote ? h("q", { text }) : h("span", { text });
}

function task({ what, who, until }, speakers) {
  return h("span", {}, who && h("strong", {}, speakers.has(who) ? speakers.name(who) : who, ": "), what, until && h("span", { class: "until", text: ` (${until})` }));
}

function places(indices, segments) {
  const known = indices.filter((index) => segments[index]).slice(0, 8);
  return h("span", { class: "places" }, known.map((index) => place(segments[index].start, clock(segments[index].start))));
}

function place(second, text) {
  return h("a", { class: "place", href: `#t=${second}`, dataset: { t: second }, text, "aria-label": `Go to ${text}` });
}
