// The attempts of a job as a timeline. Preempted and lost ones are the cloud's doing and count for nothing.

import { h, keyed, setText } from "./dom.js";
import { outcomeMark } from "./status.js";
import { duration, moment, plural, secondsSince } from "./words.js";

const MEANING = {
  preempted: "Google took the VM back. This is not a failure: the job goes on elsewhere.",
  lost: "The VM vanished without a word. This is not a failure: the job goes on elsewhere.",
  fenced: "It came back after another attempt had taken over, so nothing of it was kept.",
};

export function showAttempts(section, job) {
  if (!section.firstChild) {
    section.append(h("h2", { id: "attempts-title", text: "Attempts" }), h("p", { class: "empty-line" }), h("ol", { class: "timeline" }));
  }
  const [, none, list] = section.children;
  none.hidden = job.attempts.length > 0;
  none.textContent = job.status === "queued" ? "No worker has taken it yet." : "No worker ever took it.";
  keyed(list, [...job.attempts].sort((a, b) => b.attempt - a.attempt), {
    key: (attempt) => `${attempt.attempt} ${attempt.outcome}`,
    create: (attempt) => {
      const view = { facts: h("p", { class: "attempt-facts" }) };
      const words = attempt.outcome === "failed" ? attempt.error : MEANING[attempt.outcome];
      view.element = h(
        "li",
        { class: `attempt attempt-${attempt.outcome ?? "running"}` },
        h("p", { class: "attempt-head" }, outcomeMark(attempt.outcome), h("span", { class: "attempt-number", text: `attempt ${attempt.attempt}` })),
        view.facts,
        words && h("p", { class: "attempt-words", text: words }),
      );
      return view;
    },
    update: (view, attempt) => {
      const facts = [
        `on ${attempt.worker}`,
        moment(attempt.started_at),
        duration(secondsSince(attempt.started_at, attempt.ended_at)),
        attempt.steps_stored ? `${plural(attempt.steps_stored, "step")} stored` : "",
        attempt.saved_seconds >= 0.5 ? `${duration(attempt.saved_seconds)} of work saved by earlier steps` : "",
      ];
      setText(view.facts, facts.filter(Boolean).join(" · "));
    },
  });
}
