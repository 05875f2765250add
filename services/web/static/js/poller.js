// Asking again and again, only while somebody looks.

import { Problem } from "./api.js";
import { complain } from "./notices.js";

const LONGEST_PAUSE = 15_000;

/**
 * Calls `task` (async, returns milliseconds until the next time) while the tab is visible: at once when it becomes
 * visible or the network comes back, never while it is hidden, and ever less often while it fails.
 */
export class Poller {
  #task;
  #timer = 0;
  #running = null;
  #again = false;
  #failures = 0;

  constructor(task) {
    this.#task = task;
    document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(this.#timer) : this.now()));
    addEventListener("online", () => this.now());
    addEventListener("focus", () => this.#failures && this.now());
  }

  start(delay = 0) {
    clearTimeout(this.#timer);
    if (!document.hidden) this.#timer = setTimeout(() => this.now(), delay);
  }

  /** Ask at once; if an answer is awaited already, once more after it. Returns when that is done. */
  async now() {
    clearTimeout(this.#timer);
    if (this.#running) {
      this.#again = true;
      return this.#running;
    }
    this.#running = this.#ask();
    return this.#running;
  }

  async #ask() {
    let delay;
    do {
      this.#again = false;
      try {
        delay = await this.#task();
        this.#failures = 0;
      } catch (error) {
        if (error.name !== "AbortError") {
          if (error instanceof Problem && error.status < 500) complain(error); // from 500 on the banner of the connection says it
          this.#failures += 1;
          delay = Math.min(LONGEST_PAUSE, 1000 * 2 ** Math.min(this.#failures, 4));
        } else {
          delay = 0;
        }
      }
    } while (this.#again);
    this.#running = null;
    this.start(delay);
  }
}
