// Banners above the page for what is wrong, and words for screen readers.

import { connection } from "./api.js";
import { h, icon } from "./dom.js";

const place = document.getElementById("banners");
const live = document.getElementById("live");

/** Show a banner under a name and return it; showing it again replaces it, null takes it away. */
export function banner(name, content) {
  const old = place.querySelector(`[data-name="${name}"]`);
  if (!content) {
    old?.remove();
    return null;
  }
  const { kind, mark, text, action, dismiss = false } = content;
  const made = h(
    "div",
    { class: `banner banner-${kind}`, role: kind === "error" ? "alert" : "status", dataset: { name } },
    icon(mark),
    h("p", { text }),
    action,
    dismiss &&
      h("button", { type: "button", class: "button button-icon", title: "Dismiss", on: { click: () => banner(name, null) } },
        icon("close"), h("span", { class: "hidden", text: "Dismiss" })),
  );
  if (old) old.replaceWith(made);
  else place.append(made);
  return made;
}

/** Say what an action of the person came to, when it went wrong. */
export function complain(error) {
  if (error.name === "AbortError") return;
  banner("complaint", { kind: "error", mark: "failed", text: error.message, dismiss: true });
}

let spoken = "";

/** Tell screen readers, politely. */
export function announce(text) {
  spoken = spoken === text ? `${text}\u00a0` : text; // the same words twice are news twice
  live.textContent = spoken;
}

function showConnection() {
  if (connection.state === "lost") {
    banner("connection", { kind: "warning", mark: "offline", text: "The connection is lost. This page tries again by itself; what it shows may be old." });
  } else if (connection.state === "troubled") {
    banner("connection", { kind: "warning", mark: "info", text: `${connection.trouble} The page keeps trying; until then it shows what was last known.` });
  } else if (connection.state === "signed-out") {
    banner("connection", {
      kind: "warning",
      mark: "user",
      text: "Your sign-in has run out. Uploads under way go on; sign in again to see what happens and to start new ones.",
      action: h("a", { class: "button", href: "/", target: "_blank", rel: "noopener", text: "Sign in again" }),
    });
  } else {
    banner("connection", null);
  }
}

connection.addEventListener("change", showConnection);
