// The processing page: what waits, what runs, what became of the rest.

import { showAlerts } from "./alerts.js";
import { call } from "./api.js";
import { showBelt } from "./belt.js";
import { confirmed } from "./confirm.js";
import { firstState, h, setHidden, setText } from "./dom.js";
import { Filters, filterQuery } from "./filters.js";
import { FleetList } from "./fleet_list.js";
import { cancel, retry, retryAll, toAll } from "./job_actions.js";
import { emptyWords, JobTable } from "./job_table.js";
import { announce, complain } from "./notices.js";
import { Place } from "./place.js";
import { Poller } from "./poller.js";
import { RunPanel } from "./run_panel.js";
import { canCancel, canRetry } from "./status.js";
import { inform } from "./toast.js";
import { Undelivered } from "./undelivered.js";
import { elided, number, plural } from "./words.js";

const PAGE = 50;
const LARGEST_REQUEST = 200;
const BUSY_PAUSE = 1000;
const IDLE_PAUSE = 15_000;

const moreButton = document.getElementById("more");
const table = document.querySelector("table.jobs");

let queue = null;
let jobs = [];
let nextCursor = null;
let listing = null; // aborts a listing that other filters made useless

const place = new Place(PAGE);
const filters = new Filters(async () => {
  place.enter();
  listing?.abort();
  table.setAttribute("aria-busy", "true");
  await poller.now();
  announce(jobs.length ? `${plural(jobs.length, "job")} shown.` : "No job matches.");
});
const runPanel = new RunPanel(() => poller.now());
const fleet = new FleetList();
const undelivered = document.getElementById("undelivered") && new Undelivered(() => poller.now()); // for admins only
const jobTable = new JobTable({
  onRetry: (job) => act(retry, job, `${elided(job.filename)} is queued again.`),
  onCancel: (job) => act(cancel, job, `${elided(job.filename)} is cancelled.`),
});

/** Read as many jobs as are wanted, from the newest: rows that shift between pages are neither lost nor doubled. */
async function list(signal) {
  const query = filterQuery(filters.current);
  const found = [];
  let cursor = null;
  do {
    query.set("limit", Math.min(place.rows - found.length, LARGEST_REQUEST));
    if (cursor) query.set("cursor", cursor);
    const page = await call("GET", `/jobs?${query}`, { remember: true, signal });
    found.push(...page.jobs);
    cursor = page.next_cursor;
  } while (cursor && found.length < place.rows);
  return { found, cursor };
}

async function refresh() {
  listing = new AbortController();
  const { signal } = listing;
  const [newQueue, { found, cursor }] = await Promise.all([call("GET", "/queue", { remember: true }), list(signal)]);
  await undelivered?.refresh(newQueue.dead_letters);
  signal.throwIfAborted();
  tell(queue, newQueue);
  queue = newQueue;
  jobs = found;
  nextCursor = cursor;
  show();
  place.restore({ complete: true });
  const busy = queue.run || queue.counts.running > 0 || queue.workers.instances.length > 0;
  return busy ? BUSY_PAUSE * Math.max(1, Math.ceil(jobs.length / LARGEST_REQUEST)) : IDLE_PAUSE;
}

function show() {
  showAlerts(queue);
  runPanel.show(queue);
  fleet.show(queue);
  filters.showCounts(queue.counts);
  showBelt(queue.counts);
  showJobs();
  const open = queue.counts.queued + queue.counts.running;
  document.title = open ? `(${open}) Processing · Spotmill` : "Processing · Spotmill";
}

function showJobs() {
  jobTable.show(jobs);
  table.setAttribute("aria-busy", "false");
  setHidden(table, jobs.length === 0);
  setHidden(moreButton, !nextCursor);
  if (!retrying) showRetryAll();
  setHidden(cancelShown, !(filters.current.status === "queued" && jobs.length));
  const empty = document.getElementById("jobs-empty");
  setHidden(empty, jobs.length > 0);
  if (jobs.length === 0) {
    const words = emptyWords(filters.current, queue.counts);
    if (empty.dataset.title !== words.title) {
      empty.dataset.title = words.title;
      empty.replaceChildren(
        h("p", { class: "empty-title", text: words.title }),
        h("p", { text: words.text }),
        h("p", {}, h("a", { class: "button button-primary", href: words.action[0], text: words.action[1] })),
      );
    }
  }
}

/** Say aloud what somebody who does not watch the numbers would want to know. */
function tell(before, after) {
  if (!before) return;
  const failed = after.counts.failed - before.counts.failed;
  const open = (state) => state.counts.queued + state.counts.running;
  if (failed > 0) announce(`${plural(failed, "job")} failed.`);
  else if (open(before) > 0 && open(after) === 0) announce("All jobs are done.");
  else if (before.run && !after.run) announce("The run is over.");
}

async function act(action, job, said) {
  try {
    await action(job);
    inform(said);
  } catch (error) {
    complain(error);
  }
  await poller.now();
}

const retryButton = document.getElementById("retry-all");
const cancelShown = document.getElementById("cancel-shown");
let retrying = false;

/** All that the filters find, if all of it can be retried: what, in words, and how many (null: more than is listed). */
function retryable() {
  const { status, pipeline, q } = filters.current;
  const chosen = status === "failed" || status === "cancelled";
  if (!jobs.length || !(chosen || (!nextCursor && jobs.every(canRetry)))) return null;
  const everything = chosen && !pipeline && !q;
  const count = everything ? queue.counts[status] : nextCursor ? null : jobs.length;
  return { status: status || "failed,cancelled", count, kind: chosen ? status : "of these" };
}

function showRetryAll() {
  const found = retryable();
  setHidden(retryButton, !found, document.getElementById("jobs-title"));
  if (!found) return;
  const words = found.count === null ? `all ${found.kind} that match` : found.count === 1 ? "it" : `all ${number(found.count)} ${found.kind}`;
  setText(retryButton.lastElementChild, `Retry ${words}…`);
}

async function retryEverything() {
  const found = retryable();
  if (!found || retrying) return;
  const many = found.count === null ? `all ${found.kind} jobs that match` : plural(found.count, "job");
  const text = "They go back to the queue, with their failures forgotten.";
  if (!(await confirmed({ title: `Retry ${many}?`, text, yes: "Retry", harmless: true }))) return;
  retrying = true;
  retryButton.setAttribute("aria-disabled", "true"); // not disabled: it keeps the focus
  const { pipeline, q } = filters.current;
  try {
    const { queued, refused } = await retryAll({ status: found.status, pipeline, q }, (sum) => {
      setText(retryButton.lastElementChild, `${number(sum)} queued again`);
    });
    const left = refused ? ` ${plural(refused, "job")} stayed: no installed pipeline takes ${refused === 1 ? "it" : "them"}.` : "";
    inform(`${plural(queued, "job")} queued again.${left}`);
  } catch (error) {
    complain(error);
  }
  retrying = false;
  retryButton.removeAttribute("aria-disabled");
  await poller.now();
}

async function actOnShown(action, can, words) {
  const chosen = jobs.filter(can);
  const sure = await confirmed({ title: words.title(plural(chosen.length, "job")), text: words.text, yes: words.yes });
  if (!sure) return;
  const { done, failure } = await toAll(chosen, action);
  inform(`${plural(done, "job")} ${words.done}.`);
  if (failure) complain(failure);
  await poller.now();
}

retryButton.addEventListener("click", retryEverything);
cancelShown.addEventListener("click", () =>
  actOnShown(cancel, canCancel, { title: (n) => `Cancel ${n}?`, text: "Cancelled jobs can be retried.", yes: "Cancel them", done: "cancelled" }),
);
moreButton.addEventListener("click", async () => {
  const last = jobs.at(-1)?.id;
  place.grow(jobs.length + PAGE);
  moreButton.disabled = true;
  await poller.now();
  moreButton.disabled = false;
  if (moreButton.hidden && last) document.querySelector(`tr[data-job="${last}"]`)?.nextElementSibling?.querySelector("a")?.focus();
});

const poller = new Poller(refresh);
const first = firstState();
({ queue, jobs, next_cursor: nextCursor } = first);
if (new URLSearchParams(location.search).has("cursor")) jobs = [];
show();
place.restore({ complete: !nextCursor || jobs.length >= place.rows });
setInterval(() => !document.hidden && show(), 5000); // ages grow between answers
poller.start();
