// The page of one job: what it is, how it goes, what was tried, what came out.

import { showAlerts } from "./alerts.js";
import { call } from "./api.js";
import { isRecording, showArtifacts } from "./artifacts.js";
import { showAttempts } from "./attempts.js";
import { button, firstState, h, setAttribute, setHidden, setText } from "./dom.js";
import { cancel, retry } from "./job_actions.js";
import { doing, showActions } from "./job_table.js";
import { announce, complain } from "./notices.js";
import { Poller } from "./poller.js";
import { showResult } from "./result.js";
import { setStatus, statusMark, statusWord } from "./status.js";
import { inform } from "./toast.js";
import { bytes, duration, moment, percent, secondsSince } from "./words.js";

const BUSY_PAUSE = 1000;
const QUEUED_PAUSE = 3000;
const IDLE_PAUSE = 15_000;

const article = document.getElementById("job");
const id = article.dataset.job;
let job = firstState();

const view = {
  status: statusMark(job.status),
  doing: h("p", { class: "job-doing" }),
  share: h("span", { class: "share" }),
  bar: h("progress", { max: 1, "aria-label": "Progress" }),
  retry: button("retry", "Retry", () => act(retry, "Queued again.")),
  cancel: button("close", "Cancel", () => act(cancel, "Cancelled.")),
  error: h("p", { class: "problem" }),
  facts: h("dl", { class: "facts" }),
  recording: h("section", { class: "recording-place", "aria-labelledby": "recording-title", hidden: true }),
  artifacts: h("section", { class: "artifacts", "aria-labelledby": "artifacts-title" }),
  result: h("section", { class: "panel", "aria-labelledby": "result-title" }),
  attempts: h("section", { class: "panel", "aria-labelledby": "attempts-title" }),
};

article.append(
  h(
    "header",
    { class: "job-head" },
    h("h1", { text: job.filename }),
    h("div", { class: "job-buttons" }, view.retry, view.cancel),
    h("div", { class: "job-now" }, view.status, view.doing, view.share),
    h("div", { class: "job-bar" }, view.bar),
    view.error,
  ),
  view.recording,
  view.artifacts,
  h("div", { class: "job-columns" }, view.result, h("div", { class: "job-side" }, h("section", { class: "panel", "aria-labelledby": "file-title" }, h("h2", { id: "file-title", text: "The file" }), view.facts), view.attempts)),
);

function show() {
  setStatus(view.status, job.status);
  const running = job.status === "running";
  setText(view.doing, job.status === "failed" ? failedWords(job) : job.status === "succeeded" ? doneWords(job) : doing(job));
  setText(view.share, running && job.progress > 0 ? percent(job.progress) : "");
  setHidden(view.bar, !running);
  if (job.progress > 0) setAttribute(view.bar, "value", job.progress);
  else view.bar.removeAttribute("value");
  const failed = job.status === "failed";
  setHidden(view.error, !(failed && job.error));
  setText(view.error, failed ? (job.error ?? "") : "");
  showActions(view, job, document.getElementById("main"));
  showFacts();
  if (isRecording(job)) import("./recording.js").then(({ showRecording }) => showRecording(view.recording, job)).catch(complain);
  showArtifacts(view.artifacts, job);
  showResult(view.result, job);
  showAttempts(view.attempts, job);
  document.title = `${job.filename}: ${statusWord(job.status)} · Spotmill`;
}

/** How long all attempts took together: an interrupted one worked, too. */
function doneWords({ attempts }) {
  const worked = attempts.reduce((sum, { started_at: from, ended_at: to }) => sum + secondsSince(from, to), 0);
  return attempts.length ? `in ${duration(worked)}` : "";
}

function failedWords(failed) {
  return failed.failures > 1 ? `after ${failed.failures} failures` : "";
}

let factsShown = "";

function showFacts() {
  const facts = [
    ["Size", `${bytes(job.size_bytes)} (${job.size_bytes.toLocaleString()} bytes)`],
    ["Content type", job.content_type],
    ["Pipeline", job.pipeline],
    ["Owner", job.owner ?? "nobody"],
    ["Arrived", moment(job.created_at)],
    ["Finished", moment(job.finished_at)],
    ["Object", `gs://${job.bucket}/${job.object}`],
    ["Generation", job.generation],
    ["Job", job.id],
  ].filter(([, value]) => value);
  const now = JSON.stringify(facts);
  if (now === factsShown) return;
  factsShown = now;
  view.facts.replaceChildren(...facts.map(([name, value]) => h("div", {}, h("dt", { text: name }), h("dd", { text: value }))));
}

async function act(action, said) {
  try {
    await action(job);
    inform(said);
  } catch (error) {
    complain(error);
  }
  await poller.now();
}

const poller = new Poller(async () => {
  const before = job.status;
  job = await call("GET", `/jobs/${id}`, { remember: true });
  show();
  if (before !== job.status) announce(`${job.filename}: ${statusWord(job.status)}.`);
  return { running: BUSY_PAUSE, queued: QUEUED_PAUSE }[job.status] ?? IDLE_PAUSE;
});

show();
setInterval(() => !document.hidden && show(), 5000);
poller.start(BUSY_PAUSE);
new Poller(async () => {
  showAlerts(await call("GET", "/queue", { remember: true }));
  return IDLE_PAUSE;
}).start();
