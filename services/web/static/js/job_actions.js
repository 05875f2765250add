// Retry and cancel, for one job or many.

import { call } from "./api.js";

export function retry(job) {
  return call("POST", `/jobs/${job.id}/retry`);
}

export function cancel(job) {
  return call("POST", `/jobs/${job.id}/cancel`);
}

/** Do `action` to many jobs, a few at a time; returns how many it was done to, and the first error that stopped it. */
export async function toAll(jobs, action) {
  const waiting = [...jobs];
  let done = 0;
  let failure = null;
  const lane = async () => {
    while (waiting.length && !failure) {
      try {
        await action(waiting.shift());
        done += 1;
      } catch (error) {
        if (error.status !== 409) failure = error; // 409: it changed meanwhile, which is not worth a word
      }
    }
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
  return { done, failure };
}
