// The table of jobs on the processing page.

import { button, h, keyed, setAttribute, setHidden, setText } from "./dom.js";
import { picture, setPicture } from "./picture.js";
import { canCancel, canRetry, setStatus, statusMark } from "./status.js";
import { age, bytes, duration, length, moment, percent, plural, secondsUntil } from "./words.js";

/** What the job is doing, or why it does nothing, in a few words. */
export function doing(job) {
  switch (job.status) {
    case "running":
      return job.stage || (job.attempt > 1 ? `Started, attempt ${job.attempt}` : "Started");
    case "queued":
      return waiting(job);
    case "succeeded":
      return summary(job.result);
    default:
      return job.error ?? "";
  }
}

function waiting(job) {
  const failed = job.failures ? `Failed ${job.failures === 1 ? "once" : `${job.failures} times`}: ${job.error} ` : "";
  if (job.waiting_for === "its next try") {
    const seconds = secondsUntil(job.not_before);
    return `${failed}${seconds > 1 ? `Next try in ${duration(seconds)}` : "Next try now"}`;
  }
  const before = failed || (job.attempt ? "Interrupted, goes on elsewhere. " : "");
  return `${before}${job.waiting_for ? `Waits for ${job.waiting_for}` : "Waits"}`;
}

function summary(result) {
  if (!result) return "";
  const size = result.width && result.height ? `${result.width} × ${result.height} ${(result.format ?? "").toUpperCase()}`.trim() : "";
  const seconds = result.seconds ?? result.duration; // of a film, of a recording
  return [size, seconds ? length(seconds) : ""].filter(Boolean).join(" · ");
}

/** Show the one of retry and cancel that is possible; the focus goes from one to the other. */
export function showActions({ retry, cancel }, job, fallback) {
  if (canRetry(job)) retry.hidden = false;
  if (canCancel(job)) cancel.hidden = false;
  setHidden(retry, !canRetry(job), canCancel(job) ? cancel : fallback);
  setHidden(cancel, !canCancel(job), canRetry(job) ? retry : fallback);
}

const cell = (name, ...content) => h("td", { role: "cell", class: name }, ...content);

export class JobTable {
  #body = document.getElementById("jobs");
  #onRetry;
  #onCancel;

  constructor({ onRetry, onCancel }) {
    this.#onRetry = onRetry;
    this.#onCancel = onCancel;
  }

  show(jobs) {
    keyed(this.#body, jobs, {
      key: (job) => job.id,
      create: (job) => this.#create(job),
      update: (row, job) => this.#update(row, job),
    });
  }

  #create(job) {
    const row = { job };
    row.picture = picture(job);
    row.name = h("a", { href: `/jobs/${job.id}`, title: job.filename, text: job.filename });
    row.owner = h("span", { class: "owner" });
    row.status = statusMark(job.status);
    row.words = h("span", { class: "words" });
    row.share = h("span", { class: "share" });
    row.bar = h("progress", { max: 1, value: 0, "aria-label": `Progress of ${job.filename}` });
    row.age = h("time", { datetime: job.created_at, title: moment(job.created_at) });
    row.retry = button("retry", `Retry ${job.filename}`, () => this.#onRetry(row.job), { quiet: true });
    row.cancel = button("close", `Cancel ${job.filename}`, () => this.#onCancel(row.job), { quiet: true });
    row.element = h(
      "tr",
      { role: "row", dataset: { job: job.id } },
      cell("c-thumb", row.picture),
      cell("c-file", row.name, row.owner),
      cell("c-pipeline", job.pipeline),
      cell("c-size", bytes(job.size_bytes)),
      cell("c-status", row.status),
      cell("c-doing", h("span", { class: "doing-line" }, row.words, row.share), row.bar),
      cell("c-age", row.age),
      cell("c-actions", row.retry, row.cancel),
    );
    return row;
  }

  #update(row, job) {
    row.job = job;
    row.element.dataset.status = job.status;
    setPicture(row.picture, job);
    setStatus(row.status, job.status);
    const me = document.body.dataset.user;
    setText(row.owner, job.owner && job.owner !== me ? job.owner : "");
    const words = doing(job);
    setText(row.words, words);
    setAttribute(row.words, "title", words.length > 40 ? words : null);
    const running = job.status === "running";
    setHidden(row.bar, !running);
    setText(row.share, running && job.progress > 0 ? percent(job.progress) : "");
    if (running) this.#progress(row.bar, job.progress);
    setText(row.age, age(job.created_at));
    showActions(row, job, row.name);
  }

  #progress(bar, value) {
    // No figure yet: a bar without a value says "working" instead of "stuck at nothing".
    if (value > 0) setAttribute(bar, "value", value);
    else bar.removeAttribute("value");
  }
}

/** The sentence under an empty table: what it means, and what to do next. */
export function emptyWords(filters, counts) {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  if (filters.q || filters.pipeline || filters.status) {
    return {
      title: filters.q ? `No job matches “${filters.q}”` : "No job matches",
      text: total ? `${plural(total, "job")} in all. Show all of them, or change the search.` : "There is no job at all yet.",
      action: ["/", "Show all jobs"],
    };
  }
  return {
    title: "Nothing here yet",
    text: "Drop photographs on the upload page, or write files to the upload bucket: each becomes a job and appears here by itself.",
    action: ["/upload", "Upload files"],
  };
}
