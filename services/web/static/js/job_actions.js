// Retry and cancel, for one job or many.

import { call } from "./api.js";

export function retry(job) {
  return call("POST", `/jobs/${job.id}/retry`);
}

export function cancel(job) {
  return call("POST", `/jobs/${job.id}/cancel`);
}

/** Retry all jobs under these filters; `progress` hears how many are queued again. Returns {queued, refused}. */
export async function retryAll(filters, progress) {
  const sum = { queued: 0, refused: 0 };
  let cursor = "";
  do {
    const answer = await call("POST", "/jobs/retry", { body: { ...filters, cursor } });
    sum.queued += answer.queued;
    sum.refused += answer.refused;
    cursor = answer.next_cursor;
    progress(sum.queued);
  } while (cursor);
  return sum;
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
