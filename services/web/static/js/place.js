// How much of the list the person had loaded and where they were in it, kept in the history: Back leads there again.

const SAVE_PAUSE = 200; // milliseconds; browsers refuse to write history many times a second
const MOVES = ["wheel", "touchmove", "pointerdown", "keydown"];

export class Place {
  rows; // how many are wanted
  #least;
  #goal = null; // where to scroll to once the rows are there; until then the entry stays as it is
  #timer = 0;

  /** `least`: how many rows are shown to whom asks for no more. */
  constructor(least) {
    this.#least = least;
    history.scrollRestoration = "manual"; // the browser would do it before the rows are there
    addEventListener("scroll", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#save(), SAVE_PAUSE);
    }, { passive: true });
    addEventListener("click", () => this.#save(), { capture: true }); // it may lead elsewhere at once
    addEventListener("pagehide", () => this.#save());
    for (const type of MOVES) addEventListener(type, () => (this.#goal = null), { passive: true, capture: true });
    this.enter();
  }

  /** Take over the entry of the history that the page is at now. */
  enter() {
    clearTimeout(this.#timer);
    this.rows = Math.max(this.#least, history.state?.rows ?? 0);
    this.#goal = history.state?.top ?? null;
  }

  /** Want more rows. */
  grow(rows) {
    this.rows = rows;
    this.#save();
  }

  /** Scroll there as far as there are rows; `complete` if all have come. Whoever moved meanwhile is left alone. */
  restore({ complete }) {
    if (this.#goal === null) return;
    scrollTo({ top: this.#goal, behavior: "instant" });
    if (complete) this.#goal = null;
  }

  #save() {
    clearTimeout(this.#timer);
    if (this.#goal === null) history.replaceState({ rows: this.rows, top: Math.round(scrollY) }, "");
  }
}
