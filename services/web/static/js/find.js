// Find in what was said: all places are marked, Enter goes from one to the next.

import { h, icon } from "./dom.js";

const MOST = 2000; // places that are marked

const plain = (text) => text.toLocaleLowerCase().replaceAll("’", "'");

export function findBox(transcript) {
  let places = [];
  let now = -1;
  const count = h("span", { class: "find-count", role: "status" });
  const input = h("input", { type: "search", placeholder: "Find", autocomplete: "off", spellcheck: "false", maxlength: 200, "aria-label": "Find in what was said" });

  function clear() {
    for (const { first, last } of places) {
      for (let index = first; index <= last; index += 1) transcript.words[index].span.classList.remove("w-found", "w-found-now");
    }
    places = [];
    now = -1;
  }

  function look() {
    clear();
    const wanted = plain(input.value.trim().replace(/\s+/g, " "));
    if (wanted) {
      for (const paragraph of transcript.paragraphs) {
        const text = plain(paragraph.text);
        for (let at = text.indexOf(wanted); at >= 0 && places.length < MOST; at = text.indexOf(wanted, at + wanted.length)) {
          places.push({ first: wordAt(paragraph, at), last: wordAt(paragraph, at + wanted.length - 1) });
        }
      }
    }
    for (const { first, last } of places) {
      for (let index = first; index <= last; index += 1) transcript.words[index].span.classList.add("w-found");
    }
    if (places.length) step(1);
    else count.textContent = wanted ? "none" : "";
  }

  function step(by) {
    if (!places.length) return;
    const marked = (on) => {
      const { first, last } = places[now] ?? { first: 0, last: -1 };
      for (let index = first; index <= last; index += 1) transcript.words[index].span.classList.toggle("w-found-now", on);
    };
    marked(false);
    now = (now + by + places.length) % places.length;
    marked(true);
    transcript.reveal(places[now].first);
    count.textContent = `${now + 1} of ${places.length}${places.length === MOST ? "+" : ""}`;
  }

  input.addEventListener("input", look);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      step(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape") {
      input.value = "";
      look();
    }
  });
  return h("label", { class: "field field-row find" }, icon("search"), input, count);
}

/** The word of a paragraph that has a letter of its text. */
function wordAt({ words: [first], offsets }, at) {
  let low = 0;
  let high = offsets.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (offsets[middle] <= at) low = middle + 1;
    else high = middle;
  }
  return first + Math.max(0, low - 1);
}
