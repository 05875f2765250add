// The workers: where each is, how old, and what it is doing.

import { h, icon, keyed, setAttribute, setHidden, setText } from "./dom.js";
import { age, moment, percent, plural, secondsSince } from "./words.js";

const STATES = {
  starting: "Starting",
  idle: "Idle",
  busy: "Busy",
  leaving: "Leaving",
  gone: "Gone",
  ordered: "Ordered",
};
//: Seconds without a sign of life after which a worker is shown as silent.
const SILENT = 20;
//: Slots that a card keeps room for.
const MOST_SLOTS = 6;

export class FleetList {
  #list = document.getElementById("workers");

  show({ workers, run }) {
    const alive = workers.instances.filter((worker) => worker.state !== "gone");
    // The target falls a moment after the VMs are deleted: without a run that goes on, nothing is ordered.
    const ordered = run?.state === "running" ? Math.max(0, workers.target - alive.length) : 0;
    const shown = [...alive, ...Array.from({ length: Math.min(ordered, 8) }, (_, n) => ({ id: `ordered-${n}`, state: "ordered" }))];
    keyed(this.#list, shown, { key: (worker) => worker.id, create: (worker) => this.#create(worker), update: this.#update });
    const stopping = run?.state === "stopping";
    setHidden(document.getElementById("no-workers"), shown.length > 0 || stopping);
    setHidden(document.getElementById("no-workers-yet"), Boolean(run));
    setHidden(document.getElementById("workers-gone"), shown.length > 0 || !stopping);
    const busy = alive.filter((worker) => worker.jobs.length > 0).length;
    setText(document.getElementById("fleet-sum"), alive.length ? `${plural(alive.length, "worker")}, ${busy} busy` : ordered ? "Starting" : "");
  }

  #create(worker) {
    if (worker.state === "ordered") {
      const element = h("li", { class: "worker worker-ordered" }, icon("machine"), h("span", { text: "Ordered, not there yet" }));
      return { element };
    }
    const view = {
      state: h("span", { class: "worker-state" }),
      age: h("span", { class: "worker-age", title: `Started ${moment(worker.started_at)}` }),
      jobs: h("ul", { class: "held" }),
      rest: h("p", { class: "held-none" }),
    };
    view.element = h(
      "li",
      { class: "worker", dataset: { instance: worker.instance } },
      h(
        "div",
        { class: "worker-head" },
        icon("machine"),
        workerName(worker),
        view.state,
        view.age,
        h("span", { class: "worker-where", text: `${worker.zone} · ${worker.machine_type}` }),
      ),
      view.jobs,
      view.rest,
    );
    view.element.style.setProperty("--slots", Math.min(worker.slots, MOST_SLOTS));
    return view;
  }

  #update(view, worker) {
    if (worker.state === "ordered") return;
    const silence = secondsSince(worker.last_seen);
    const silent = silence > SILENT;
    setText(view.state, silent ? `Silent for ${Math.round(silence)} s` : STATES[worker.state]);
    setAttribute(view.element, "data-state", silent ? "silent" : worker.state);
    setText(view.age, age(worker.started_at));
    const held = worker.jobs.map((job, slot) => ({ ...job, key: job.id ?? `slot-${slot}` }));
    keyed(view.jobs, held, { key: (job) => job.key, create: createHeld, update: updateHeld });
    const rest = { starting: "Starting its pipelines", idle: "Looks for jobs", leaving: "Takes no more jobs" }[worker.state] ?? "";
    setText(view.rest, held.length ? "" : rest || "Between two jobs");
  }
}

/** All names of a group begin alike: where there is no room, the beginning is what is cut. */
function workerName({ instance, id }) {
  const tail = instance.lastIndexOf("-");
  return h("strong", { class: "worker-name", title: id }, h("span", { text: instance.slice(0, tail) }), h("span", { text: instance.slice(tail) }));
}

function createHeld(job) {
  const name = job.id ? h("a", { href: `/jobs/${job.id}`, text: job.filename, title: job.filename }) : h("span", { text: "Somebody else’s file" });
  const view = { stage: h("span", { class: "held-stage" }), bar: h("progress", { max: 1, "aria-label": `Progress of ${job.filename ?? "a job"}` }) };
  view.element = h("li", { class: "held-job" }, name, view.stage, view.bar);
  return view;
}

function updateHeld(view, job) {
  const words = [job.stage || job.pipeline, job.progress > 0 ? percent(job.progress) : ""].filter(Boolean).join(" ");
  setText(view.stage, words);
  if (job.progress > 0) setAttribute(view.bar, "value", job.progress);
  else view.bar.removeAttribute("value");
}
