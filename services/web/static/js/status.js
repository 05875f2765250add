// The states of jobs and attempts: one icon and one word each.

import { h, icon, setIcon, setText } from "./dom.js";

export const STATUSES = ["queued", "running", "succeeded", "failed", "cancelled", "superseded"];

const WORDS = {
  queued: "Queued",
  running: "Running",
  succeeded: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
  superseded: "Superseded",
};

const OUTCOMES = {
  succeeded: ["succeeded", "Done"],
  failed: ["failed", "Failed"],
  preempted: ["preempted", "Preempted"],
  lost: ["lost", "Lost"],
  cancelled: ["cancelled", "Cancelled"],
  fenced: ["fenced", "Too late"],
};

export function statusWord(status) {
  return WORDS[status] ?? status;
}

export function statusMark(status = "queued") {
  return h("span", { class: `status status-${status}` }, icon(status), h("span", { text: statusWord(status) }));
}

export function setStatus(mark, status) {
  const name = `status status-${status}`;
  if (mark.className === name) return;
  mark.className = name;
  setIcon(mark.firstChild, status);
  setText(mark.lastChild, statusWord(status));
}

/** How an attempt ended; one without an outcome is still under way. */
export function outcomeMark(outcome) {
  const [mark, word] = outcome ? (OUTCOMES[outcome] ?? ["info", outcome]) : ["running", "Running"];
  return h("span", { class: `status status-${outcome ?? "running"}` }, icon(mark), h("span", { text: word }));
}

export const canRetry = (job) => job.status === "failed" || job.status === "cancelled";
export const canCancel = (job) => job.status === "queued" || job.status === "running";
