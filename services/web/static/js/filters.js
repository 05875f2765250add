// Which jobs are shown: the filters, kept in the address so that a link or a reload shows the same.

import { h, icon, setAttribute, setText } from "./dom.js";
import { STATUSES, statusWord } from "./status.js";
import { number } from "./words.js";

const NAMES = ["status", "pipeline", "q"];

/** The filters as the address has them. */
export function readFilters() {
  const query = new URLSearchParams(location.search);
  return Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? ""]));
}

export function filterQuery(filters) {
  const query = new URLSearchParams();
  for (const name of NAMES) if (filters[name]) query.set(name, filters[name]);
  return query;
}

const address = (filters) => {
  const query = filterQuery(filters).toString();
  return query ? `/?${query}` : "/";
};

export class Filters {
  #changed;
  #search = document.getElementById("q");
  #pipeline = document.getElementById("pipeline");
  #tiles = new Map();
  #timer = 0;

  /** `changed` is called with the filters whenever the person changes them. */
  constructor(changed) {
    this.#changed = changed;
    this.current = readFilters();
    this.#build();
    this.#search.addEventListener("input", () => this.#setSoon());
    this.#pipeline.addEventListener("change", () => this.#set({ pipeline: this.#pipeline.value }, true));
    document.getElementById("filters").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#set({}, false);
    });
    addEventListener("popstate", () => {
      this.current = readFilters();
      this.#show();
      this.#changed(this.current);
    });
    const typed = this.#search.value;
    this.#show();
    if (typed.trim() !== this.current.q) {
      this.#search.value = typed; // before this script was there to hear it
      this.#setSoon();
    }
  }

  #setSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#set({}, false), 200);
  }

  #build() {
    const nav = document.getElementById("counts");
    for (const status of ["", ...STATUSES]) {
      const tile = {
        link: h("a", { class: `count count-${status || "all"}`, dataset: { status } }),
        number: h("strong", { text: "0" }),
      };
      tile.link.append(icon(status || "all"), tile.number, h("span", { text: status ? statusWord(status) : "All" }));
      tile.link.addEventListener("click", (event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        this.#set({ status }, true);
      });
      this.#tiles.set(status, tile);
      nav.append(tile.link);
    }
  }

  /** Change filters; words that were typed a moment ago count, too. `step`: the back button undoes it. */
  #set(change, step) {
    clearTimeout(this.#timer);
    const typed = { ...this.current, q: this.#search.value.trim() };
    const next = { ...typed, ...change };
    if (NAMES.every((name) => next[name] === this.current[name])) return;
    this.current = next;
    if (step) history.replaceState(history.state, "", address(typed));
    history[step ? "pushState" : "replaceState"](null, "", address(next));
    this.#show();
    this.#changed(next);
  }

  #show() {
    if (document.activeElement !== this.#search) this.#search.value = this.current.q;
    this.#pipeline.value = this.current.pipeline;
    for (const [status, tile] of this.#tiles) {
      tile.link.href = address({ ...this.current, status });
      setAttribute(tile.link, "aria-current", this.current.status === status ? "true" : null);
    }
  }

  showCounts(counts) {
    const total = STATUSES.reduce((sum, status) => sum + counts[status], 0);
    for (const [status, tile] of this.#tiles) {
      const count = status ? counts[status] : total;
      setText(tile.number, number(count));
      tile.link.classList.toggle("count-zero", count === 0);
    }
  }
}
