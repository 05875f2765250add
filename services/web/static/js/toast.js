// A word on what an action came to, over the bottom of the page: nothing moves for it, and it goes by itself.

import { setHidden } from "./dom.js";

const MILLISECONDS_SHOWN = 8000;

const toast = document.getElementById("toast");
const words = document.getElementById("toast-words");
const dismiss = document.getElementById("toast-dismiss");

let timer = 0;
let cameFrom = null; // what had the focus before the button took it

/** Say what an action of the person came to, when it went well. */
export function inform(text) {
  words.textContent = text; // the same words again are news again
  dismiss.hidden = false;
  toast.dataset.shown = "";
  goSoon();
}

/** Nobody is hurried: while the pointer or the focus is on it, it stays. */
function goSoon() {
  clearTimeout(timer);
  timer = setTimeout(() => (toast.matches(":hover, :focus-within") ? goSoon() : go()), MILLISECONDS_SHOWN);
}

function go() {
  clearTimeout(timer);
  delete toast.dataset.shown;
  words.textContent = "";
  setHidden(dismiss, true, cameFrom?.isConnected ? cameFrom : document.getElementById("main"));
}

dismiss.addEventListener("focus", (event) => (cameFrom = event.relatedTarget));
dismiss.addEventListener("click", go);
