// The upload page: takes files in, shows each on its way, and remembers those that did not make it.

import { showAlerts } from "./alerts.js";
import { call } from "./api.js";
import { chosen, dropped } from "./dropped.js";
import { announce, banner } from "./notices.js";
import { Poller } from "./poller.js";
import { inform } from "./toast.js";
import { showTotals } from "./totals.js";
import { Transfer } from "./transfer.js";
import { TransferQueue } from "./transfer_queue.js";
import { TransferRow } from "./transfer_row.js";
import { showUnfinished, takeUnfinished } from "./unfinished_list.js";
import { stayAwake } from "./wake.js";
import { bytes, plural } from "./words.js";

const ROWS_AT_ONCE = 100;
const SAMPLE = 500; // milliseconds between two looks at the speed

const user = document.body.dataset.user;
const maxBytes = Number(document.getElementById("uploads").dataset.maxBytes);
const list = document.getElementById("transfer-list");
const pipeline = document.getElementById("pipeline");
const dropZone = document.getElementById("drop");

let transfers = [];
const rows = new Map();
const dirty = new Set();
let frame = 0;
let open = 0;

const queue = new TransferQueue(() => {
  tellEnd();
  showUnfinished(user, transfers);
});

function changed(transfer) {
  dirty.add(transfer);
  frame ||= requestAnimationFrame(paint);
}

function paint() {
  frame = 0;
  for (const transfer of dirty) rows.get(transfer)?.update();
  dirty.clear();
  sum();
}

let summed = 0;

/** Summing up many files takes a while: four times a second is enough. */
function sum(now = false) {
  if (!now && performance.now() - summed < 250) return;
  summed = performance.now();
  open = showTotals(transfers, speed);
  const sending = transfers.some((transfer) => transfer.active);
  stayAwake(sending);
  // Leaving this page would stop the uploads, so links lead to a new tab while there are any.
  for (const link of document.querySelectorAll(".masthead a, #go-process")) {
    if (open > 0) link.target = "_blank";
    else link.removeAttribute("target");
  }
}

let speed = 0;
let sampled = performance.now();

setInterval(() => {
  const now = performance.now();
  const seconds = (now - sampled) / 1000;
  sampled = now;
  speed = 0;
  for (const [transfer, row] of rows) {
    const moved = transfer.moved - (row.movedBefore ?? 0);
    row.movedBefore = transfer.moved;
    if (transfer.state === "sending") {
      row.speed = row.speed ? 0.8 * row.speed + (0.2 * moved) / seconds : moved / seconds;
      dirty.add(transfer);
      speed += row.speed;
    } else if (row.speed) {
      row.speed = 0;
      dirty.add(transfer);
    }
  }
  if (dirty.size) frame ||= requestAnimationFrame(paint);
  sum(true);
}, SAMPLE);

/** Take files in; rows come in portions, so that a folder of thousands does not hold up the page. */
async function take({ found, hidden, unreadable }) {
  const left = [hidden ? `${plural(hidden, "hidden file")} left out.` : "", found.length ? "" : "There was no file to upload."];
  if (left.some(Boolean)) inform(left.filter(Boolean).join(" "));
  banner("unreadable", unreadable ? { kind: "warning", mark: "info", text: `${plural(unreadable, "file")} could not be read.`, dismiss: true } : null);
  if (found.length) announce(`${plural(found.length, "file")} added.`);
  for (let start = 0; start < found.length; start += ROWS_AT_ONCE) {
    const some = found.slice(start, start + ROWS_AT_ONCE).map(({ file, path }) => {
      // An upload that began with another choice of pipeline goes on with that one.
      const record = takeUnfinished(file);
      return new Transfer({ file, path, user, pipeline: record ? record.pipeline : pipeline.value, changed });
    });
    transfers.push(...some);
    for (const transfer of some) rows.set(transfer, new TransferRow(transfer, { onPause, onResume, onCancel }));
    list.append(...some.map((transfer) => rows.get(transfer).element));
    const ready = some.filter(fits);
    queue.add(ready);
    sum(true);
    await new Promise((resolve) => setTimeout(resolve)); // a frame may never come in a hidden tab
  }
}

function fits(transfer) {
  if (transfer.size === 0) transfer.refuse("The file is empty.");
  else if (transfer.size > maxBytes) transfer.refuse(`Files may have ${bytes(maxBytes)} at most.`);
  return !transfer.over;
}

function onPause(transfer) {
  transfer.pause();
}

function onResume(transfer) {
  transfer.resume();
  queue.add([transfer]);
}

function onCancel(transfer) {
  transfer.cancel();
}

function tellEnd() {
  const failed = transfers.filter((transfer) => transfer.state === "failed").length;
  if (transfers.some((transfer) => !transfer.over)) return;
  announce(failed ? `Uploads are over, ${plural(failed, "file")} failed.` : "All files have arrived.");
}

for (const id of ["files", "folder"]) {
  document.getElementById(id).addEventListener("change", (event) => {
    const files = chosen([...event.target.files]);
    event.target.value = ""; // choosing the same file again is a change, too
    take(files);
  });
}

// A drop that misses the zone would make the browser leave the page for the file.
addEventListener("dragover", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "copy";
  dropZone.classList.add("drop-over");
});
addEventListener("dragleave", (event) => !event.relatedTarget && dropZone.classList.remove("drop-over"));
addEventListener("drop", async (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  dropZone.classList.remove("drop-over");
  take(await dropped(event.dataTransfer));
});
addEventListener("paste", (event) => event.clipboardData?.files.length && take(chosen(event.clipboardData.files)));

document.getElementById("pause-all").addEventListener("click", (event) => {
  const resumes = event.currentTarget.dataset.resumes === "yes";
  for (const transfer of transfers) if (!resumes) transfer.pause();
  const paused = transfers.filter((transfer) => resumes && transfer.state === "paused");
  for (const transfer of paused) transfer.resume();
  queue.add(paused);
  sum(true);
});
document.getElementById("clear-done").addEventListener("click", () => {
  for (const transfer of transfers.filter((one) => one.over)) {
    rows.get(transfer).element.remove();
    rows.delete(transfer);
  }
  transfers = transfers.filter((transfer) => !transfer.over);
  sum(true);
  document.getElementById("transfers-title").focus({ preventScroll: true });
});

addEventListener("beforeunload", (event) => open > 0 && event.preventDefault());

sum(true);
showUnfinished(user, transfers);
// Learns that a lost connection or sign-in is back, or that the queue is paused; the uploads themselves need no asking.
new Poller(async () => {
  showAlerts(await call("GET", "/queue", { remember: true }));
  return 15_000;
}).start();
