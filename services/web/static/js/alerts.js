// What everybody must know wherever they are: the queue is paused, the budget is spent. It is in the page from the start.

import { banner } from "./notices.js";
import { moment } from "./words.js";

const shown = {};

/** Show, change or take away the banners that the state of the queue asks for. */
export function showAlerts({ budget, pause }) {
  show("budget", budget && { kind: "warning", mark: "warning", text: budgetWords(budget) });
  show("pause", pause && { kind: "warning", mark: "pause", text: pauseWords(pause) });
}

function budgetWords({ spent_at, cost, amount, currency }) {
  const much = `${cost.toFixed(2)} of ${amount.toFixed(2)} ${currency}`;
  return `The workers’ budget is spent since ${moment(spent_at)}: ${much}. Workers start again in a new period or with a larger budget.`;
}

function pauseWords({ paused_by, paused_at }) {
  return `The queue is paused by ${paused_by} since ${moment(paused_at)}. Jobs at hand are finished, nothing new starts.`;
}

/** A banner that says the same stays as it is: a new one would be read aloud again. */
function show(name, content) {
  const text = content?.text ?? null;
  if (shown[name] === text) return;
  shown[name] = text;
  banner(name, content);
}
