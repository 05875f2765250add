// The panel that starts and stops the mill, and says what that costs.

import { call } from "./api.js";
import { confirmed } from "./confirm.js";
import { setHidden, setIcon, setText } from "./dom.js";
import { announce, complain } from "./notices.js";
import { duration, money, number, plural, secondsSince } from "./words.js";

const element = (id) => document.getElementById(id);
const isAdmin = "admin" in document.body.dataset;

export class RunPanel {
  #refresh;
  #queue = null;
  #touched = false;
  #busy = false;
  #input = element("run-workers");
  #button = element("run-button");
  #pause = element("pause"); // for admins only

  constructor(refresh) {
    this.#refresh = refresh;
    this.#input.addEventListener("input", () => {
      this.#touched = true;
      this.#showEstimate();
    });
    element("run-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#start();
    });
    element("stop-drain").addEventListener("click", () => this.#stop("drain"));
    element("stop-now").addEventListener("click", () => this.#stopNow());
    this.#pause?.addEventListener("click", () => this.#busy || (this.#queue.pause ? this.#resume() : this.#pauseAll()));
  }

  show(queue) {
    this.#queue = queue;
    const { run, counts } = queue;
    const state = run?.state ?? "idle";
    const paused = Boolean(queue.pause);
    document.body.dataset.mill = paused && !counts.running ? "paused" : state;
    setText(element("run-state"), paused ? "Paused" : ({ idle: "At rest", running: "Running", stopping: "Stopping" }[state] ?? state));
    if (this.#pause) {
      setText(this.#pause.lastElementChild, paused ? "Resume" : "Pause…");
      setIcon(this.#pause.firstElementChild, paused ? "play" : "pause");
      this.#pause.classList.toggle("button-primary", paused);
    }
    setText(element("run-line"), this.#line());
    const problem = queue.problem ?? run?.problem;
    setText(element("run-problem"), problem ?? "");
    setHidden(element("run-problem"), !problem);

    if (!this.#touched && document.activeElement !== this.#input) {
      const suggested = state === "running" ? run.workers : Math.max(1, queue.estimate.workers_suggested);
      if (this.#input.value !== String(suggested)) this.#input.value = suggested;
    }
    setText(this.#button.lastElementChild, state === "running" ? "Add workers" : state === "stopping" ? "Run again" : "Run");
    setHidden(element("stop-drain"), state !== "running");
    setHidden(element("stop-now"), state !== "running" && !(state === "stopping" && run.stop_mode === "drain"));
    this.#enable();
    this.#showEstimate();
    setText(element("last-run"), lastRun(queue.last_run));
    element("run-button").classList.toggle("button-primary", state !== "running" && counts.queued > 0 && !paused);
  }

  #enable() {
    const { run, counts } = this.#queue;
    const running = run?.state === "running";
    const useless = running ? Number(this.#input.value) <= run.workers : counts.queued === 0 && counts.running === 0;
    this.#button.disabled = this.#busy || useless || (this.#queue.budget && !isAdmin);
    // While it runs the button is only there for more workers than there are.
    setHidden(this.#button, running && useless, element("stop-drain"));
    setHidden(this.#input.closest("label"), running && run.workers >= Number(this.#input.max), element("stop-drain"));
    element("stop-drain").disabled = this.#busy;
    element("stop-now").disabled = this.#busy;
  }

  #line() {
    const { run, counts, workers, pause, budget } = this.#queue;
    const waiting = counts.queued;
    if (pause) {
      const wait = `${plural(waiting, "job")} ${waiting === 1 ? "waits" : "wait"} until an admin resumes the queue.`;
      return counts.running ? `${plural(counts.running, "job")} ${counts.running === 1 ? "is" : "are"} being finished. ${wait}` : wait;
    }
    if (!run) {
      if (waiting && budget) {
        const who = isAdmin ? "You are asked before workers start." : "Only an admin can start workers.";
        return `${plural(waiting, "job")} ${waiting === 1 ? "waits" : "wait"}, but the budget is spent. ${who}`;
      }
      if (waiting) return `${plural(waiting, "job")} ${waiting === 1 ? "waits" : "wait"} for a run.`;
      return counts.running ? `${plural(counts.running, "job")} under way.` : "Nothing waits. Upload files first, then press Run.";
    }
    if (run.state === "stopping") return stoppingLine(run, workers.instances);
    const alive = workers.instances.filter((worker) => worker.state !== "gone").length;
    const facts = [
      `${number(alive)} of ${plural(run.workers, "worker")}`,
      `${plural(run.jobs_done, "job")} done`,
      `${number(waiting)} waiting`,
      `${duration(secondsSince(run.started_at))}`,
    ];
    if (run.cost_usd !== null) facts.push(`${money(run.cost_usd)} so far`);
    if (run.beyond_budget) facts.push("beyond the budget");
    return facts.join(" · ");
  }

  #showEstimate() {
    const { estimate, counts, run, pause } = this.#queue;
    const target = element("run-estimate");
    if (counts.queued + counts.running === 0) {
      return setText(target, run?.state === "running" ? "Nothing waits. Idle workers leave by themselves in a few minutes." : "\u00a0");
    }
    if (run?.state === "running" && !this.#touched) {
      const left = pause || estimate.seconds === null ? "" : `About ${duration(estimate.seconds)} left.`;
      return setText(target, left || "\u00a0");
    }
    const asked = Number(this.#input.value) || 1;
    this.#enable();
    if (estimate.seconds === null) return setText(target, "How long it takes is known after the first jobs.");
    // The estimate is for the suggested number: the work is the same, shared by more or fewer.
    const seconds = (estimate.seconds * Math.max(1, estimate.workers_suggested)) / asked;
    const cost = estimate.cost_usd === null ? "" : `, ${money(estimate.cost_usd)}`;
    return setText(target, `About ${duration(seconds)} with ${plural(asked, "worker")}${cost}.`);
  }

  async #act(action, said) {
    this.#busy = true;
    this.#enable();
    try {
      await action();
      this.#touched = false;
      announce(said);
    } catch (error) {
      complain(error);
    } finally {
      this.#busy = false;
    }
    await this.#refresh();
    this.#enable();
  }

  async #start() {
    if (!this.#input.reportValidity() || this.#busy) return;
    const workers = Number(this.#input.value);
    const beyond = Boolean(this.#queue.budget);
    const text = "What they cost goes beyond it. The budget does not stop this run any more; Stop does.";
    if (beyond && !(await confirmed({ title: "The budget is spent. Start workers all the same?", text, yes: "Start them" }))) return;
    const body = beyond ? { workers, override_budget: true } : { workers };
    await this.#act(() => call("POST", "/runs", { body }), `${plural(workers, "worker")} asked for.`);
  }

  #stop(mode) {
    return this.#act(() => call("POST", "/runs/current/stop", { body: { mode } }), mode === "now" ? "Stopping now." : "Stopping after the jobs at hand.");
  }

  async #pauseAll() {
    const text = "Jobs at hand are finished, nothing new starts for anybody, and idle VMs leave, until an admin resumes the queue.";
    const sure = await confirmed({ title: "Pause the queue?", text, yes: "Pause" });
    if (sure) await this.#act(() => call("POST", "/queue/pause"), "The queue is paused.");
  }

  #resume() {
    return this.#act(() => call("POST", "/queue/resume"), "The queue moves again.");
  }

  async #stopNow() {
    const running = this.#queue.counts.running;
    const sure = await confirmed({
      title: "Stop now?",
      text: running
        ? `${plural(running, "running job")} will be interrupted and ${running === 1 ? "goes" : "go"} back to the queue; steps already stored are kept. The VMs are deleted up to a minute later.`
        : "The workers leave within seconds. Their VMs are deleted up to a minute later.",
      yes: "Stop now",
    });
    if (sure) await this.#stop("now");
  }
}

/** What happens until a stopped run is over. Each minute the VMs of workers that have let go are deleted. */
function stoppingLine(run, instances) {
  const held = instances.reduce((sum, worker) => sum + worker.jobs.length, 0);
  if (!held) return "The workers have let go. Their VMs are deleted within a minute.";
  const jobs = `${plural(held, "job")} ${held === 1 ? "is" : "are"}`;
  const fate = run.stop_mode === "now" ? "going back to the queue" : "being finished";
  return `${jobs} ${fate}, then the VMs are deleted within a minute.`;
}

function lastRun(run) {
  if (!run) return "";
  const minutes = run.vm_seconds / 60;
  const facts = [
    plural(run.jobs_done, "job"),
    `${duration(secondsSince(run.started_at, run.ended_at))}`,
    `${minutes < 10 ? minutes.toFixed(1) : number(Math.round(minutes))} VM minutes`,
  ];
  if (run.cost_usd !== null) facts.push(money(run.cost_usd));
  const why = run.end_reason === "stopped" && run.stopped_by ? `stopped by ${run.stopped_by}` : run.end_reason;
  if (why) facts.push(why);
  return `Last run: ${facts.join(" · ")}`;
}
