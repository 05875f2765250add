// Waiting before the next try.

import { connection } from "./api.js";

const FIRST = 1000;
const LONGEST = 60_000;

/** Wait longer the more often something failed, with jitter; shorter if network or sign-in come back. */
export function pause(failures, signal) {
  const wait = Math.min(LONGEST, FIRST * 2 ** Math.min(failures - 1, 6)) * (0.5 + Math.random() / 2);
  return new Promise((resolve, reject) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      connection.removeEventListener("change", done);
      signal.removeEventListener("abort", stop);
      resolve();
    };
    const stop = () => {
      done();
      reject(new DOMException("The upload was stopped.", "AbortError"));
    };
    const timer = setTimeout(done, wait);
    addEventListener("online", done);
    connection.addEventListener("change", done);
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
  });
}
