// The line above the rows: how many files, how fast, how long still.

import { setHidden, setText } from "./dom.js";
import { bytes, duration, number, plural } from "./words.js";

const element = (id) => document.getElementById(id);

/** Show the sums; `speed` is in bytes per second. */
export function showTotals(transfers, speed) {
  let size = 0;
  let sent = 0;
  let over = 0;
  let failed = 0;
  let there = 0;
  let paused = 0;
  for (const transfer of transfers) {
    if (transfer.state === "cancelled") continue;
    size += transfer.size;
    sent += transfer.state === "failed" ? 0 : Math.min(transfer.sent, transfer.size);
    if (transfer.state === "arrived" || transfer.state === "already") there += 1;
    if (transfer.state === "failed") failed += 1;
    if (transfer.state === "paused") paused += 1;
    if (transfer.over) over += 1;
  }
  const count = transfers.filter((transfer) => transfer.state !== "cancelled").length;
  const open = count - over;
  setText(element("totals-count"), count ? `${number(there)} of ${plural(count, "file")} arrived` : "No files yet");
  const facts = [
    count ? (sent < size ? `${bytes(sent)} of ${bytes(size)}` : bytes(size)) : "",
    open && speed > 0 ? `${bytes(speed)}/s` : "",
    open && speed > 0 ? `${duration((size - sent) / speed)} left` : "",
    paused ? `${number(paused)} paused` : "",
    failed ? `${number(failed)} failed` : "",
  ];
  setText(element("totals-rest"), facts.filter(Boolean).join(" · "));
  const bar = element("totals-bar");
  bar.max = Math.max(1, size);
  bar.value = sent;
  const allPaused = open > 0 && paused === open;
  const pauseAll = element("pause-all");
  pauseAll.disabled = open === 0;
  pauseAll.dataset.resumes = allPaused ? "yes" : "";
  setText(pauseAll.lastElementChild, allPaused ? "Resume all" : "Pause all");
  element("clear-done").disabled = transfers.every((transfer) => !transfer.over);
  setHidden(element("go-process"), there === 0);
  setHidden(element("no-transfers"), transfers.length > 0);
  return open;
}
