// The belt: one bar that shows how the jobs are shared among their states.

import { h } from "./dom.js";

const ORDER = ["succeeded", "running", "queued", "failed", "cancelled", "superseded"];
const belt = document.getElementById("belt");
const parts = new Map(ORDER.map((status) => [status, h("span", { class: `belt-part belt-${status}` })]));
belt.append(...parts.values());

export function showBelt(counts) {
  for (const [status, part] of parts) {
    const grow = String(counts[status]);
    if (part.style.flexGrow !== grow) part.style.flexGrow = grow;
    part.classList.toggle("belt-none", counts[status] === 0);
  }
}
