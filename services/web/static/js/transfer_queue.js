// Who sends when: a few small files at once hide each other's waits, two large ones fill the line.

const SMALL_AT_ONCE = 4;
const LARGE_AT_ONCE = 2;
const LARGE = 8 * 2 ** 20;

export class TransferQueue {
  #waiting = { small: [], large: [] };
  #running = { small: 0, large: 0 };
  #idle;

  /** `idle` is called whenever nothing is under way any more. */
  constructor(idle) {
    this.#idle = idle;
  }

  add(transfers) {
    for (const transfer of transfers) this.#waiting[lane(transfer)].push(transfer);
    this.#pump();
  }

  #pump() {
    for (const [name, most] of [["small", SMALL_AT_ONCE], ["large", LARGE_AT_ONCE]]) {
      while (this.#running[name] < most) {
        const next = this.#waiting[name].shift();
        if (!next) break;
        if (next.state === "waiting") this.#start(name, next);
      }
    }
  }

  async #start(name, transfer) {
    this.#running[name] += 1;
    await transfer.run();
    this.#running[name] -= 1;
    // It was paused and resumed while it was letting go: then it waits again, and stands in the queue already.
    this.#pump();
    if (this.#running.small + this.#running.large === 0) this.#idle();
  }
}

const lane = (transfer) => (transfer.size > LARGE ? "large" : "small");
