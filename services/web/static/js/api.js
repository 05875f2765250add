// Calls to API v1, and what is known about the connection to it.

import { tuneClock } from "./clock.js";

const BASE = document.body.dataset.api;

/** The server said no, in words (RFC 9457). */
export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail || body?.title || `The server answered ${status}.`);
    this.status = status;
    this.title = body?.title ?? "";
  }
}

/** The sign-in has run out: IAP answers 401 or sends the browser elsewhere. */
export class SignedOut extends Error {
  constructor() {
    super("Your sign-in has run out.");
  }
}

/** No answer, or none that came from the application. */
export class Unreachable extends Error {
  constructor(status = 0) {
    super(status ? `Spotmill’s server does not answer just now (${status}).` : "The server cannot be reached.");
  }
}

/** Tells `change` whenever `state` becomes "ok", "lost", "troubled" or "signed-out", or the `trouble` another one. */
export const connection = new (class extends EventTarget {
  state = "ok";
  trouble = ""; // in words, while the server is reached but cannot do what is asked
  #failed = -Infinity;

  become(state, trouble = "") {
    // Of two calls at once one may fail: an answer to the other does not mean that all is well.
    if (state !== "ok") this.#failed = performance.now();
    else if (performance.now() - this.#failed < 1000) return;
    if (state === this.state && trouble === this.trouble) return;
    this.state = state;
    this.trouble = trouble;
    this.dispatchEvent(new Event("change"));
  }
})();

const answers = new Map(); // path → {etag, body}, for pages that are asked for again and again

/**
 * Call the API. Returns the body; with `remember`, an answer that has not changed is the very same object again.
 * Throws Problem, SignedOut or Unreachable; an AbortError if `signal` says so.
 */
export async function call(method, path, { body, signal, remember = false } = {}) {
  const headers = { Accept: "application/json", "X-Requested-With": "XMLHttpRequest" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const known = remember ? answers.get(path) : undefined;
  if (known) headers["If-None-Match"] = known.etag;
  let response;
  try {
    response = await fetch(BASE + path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      redirect: "manual",
      cache: "no-store",
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    connection.become("lost");
    throw new Unreachable();
  }
  if (response.type === "opaqueredirect" || response.status === 401) {
    connection.become("signed-out");
    throw new SignedOut();
  }
  if (response.status === 304 && known) {
    connection.become("ok");
    return known.body;
  }
  const isJson = /\bjson\b/.test(response.headers.get("Content-Type") ?? "");
  if (!isJson) {
    const unreachable = new Unreachable(response.status);
    if (response.status >= 500) connection.become("troubled", unreachable.message);
    else connection.become("lost");
    throw unreachable;
  }
  let answer;
  try {
    answer = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    connection.become("lost");
    throw new Unreachable();
  }
  tuneClock(response.headers.get("Date"));
  if (response.status >= 500 && method === "GET") {
    connection.become("troubled", [answer.title, answer.detail].filter(Boolean).join(". "));
  } else if (response.status < 500) {
    connection.become("ok"); // what an action was refused for is the action's news and says nothing of the rest
  }
  if (!response.ok) throw new Problem(response.status, answer);
  const etag = response.headers.get("ETag");
  if (remember && etag) {
    answers.set(path, { etag, body: answer });
    if (answers.size > 200) answers.delete(answers.keys().next().value);
  }
  return answer;
}

/** Where a published file can always be had, however old the page is. */
export function artifactUrl(id, { download = false } = {}) {
  return `${BASE}/artifacts/${id}${download ? "?download=1" : ""}`;
}
