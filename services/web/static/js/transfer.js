// One file's way to the storage: permission, bytes, and going on after whatever happens on the way.

import { call, Problem, SignedOut, Unreachable } from "./api.js";
import { nextChunkSize, SMALLEST } from "./chunk_size.js";
import { fingerprint } from "./fingerprint.js";
import { forget, recall, remember } from "./ledger.js";
import { pause } from "./patience.js";
import { drop, NoAnswer, received, send, sendChunk, status } from "./storage.js";

/** States in which a transfer holds one of the places of the queue. */
const ACTIVE = new Set(["preparing", "sending", "retrying", "signed-out"]);
/** States in which it needs nothing more. */
const OVER = new Set(["arrived", "already", "cancelled", "failed"]);

/** The file cannot be sent, whatever we do; the message is for the person. */
class Refused extends Error {}

/** The storage is there but cannot take the bytes just now. */
class Busy extends Error {
  constructor(answer) {
    super(`The storage is busy (${answer.status}).`);
  }
}

/** Looks for the job of an object that the storage says is taken. */
const LOOKS = 5;

const isBusy = (answer) => answer.status >= 500 || answer.status === 408 || answer.status === 429;
const isArrived = (answer) => answer.status === 200 || answer.status === 201 || answer.status === 412;

export class Transfer {
  state = "waiting";
  sent = 0; // bytes that the storage has, or that are on their way to it
  moved = 0; // bytes that this page has sent, for the speed
  resumedAt = 0;
  note = "";
  refused = false; // nothing can be done about it but choosing another file
  key = null;

  #abort = null;
  #run = Promise.resolve();
  #record = null;
  #changed;
  #user;
  #anew = false;
  #failures = 0;
  #permissions = 0;

  /** `path` is the file's place in a dropped folder; `changed` is called with this transfer whenever it changes. */
  constructor({ file, path, pipeline, user, changed }) {
    Object.assign(this, { file, path, pipeline });
    this.#changed = changed;
    this.#user = user;
  }

  get size() {
    return this.file.size;
  }

  get active() {
    return ACTIVE.has(this.state);
  }

  get over() {
    return OVER.has(this.state);
  }

  #become(state, note = "") {
    this.state = state;
    this.note = note;
    this.#changed(this);
  }

  pause() {
    if (this.over || this.state === "paused") return;
    this.#become("paused");
    this.#abort?.abort();
  }

  /** Take it up again after a pause, a failure or a cancel. The queue decides when it goes on. */
  resume() {
    if (this.active || this.state === "arrived") return;
    if (this.state === "already") this.#anew = true;
    this.#become("waiting");
  }

  async cancel() {
    if (this.over) return;
    this.#become("cancelled");
    this.#abort?.abort();
    await this.#run;
    if (this.state !== "cancelled" || !this.key) return;
    const record = this.#record ?? (await recall(this.key));
    if (record?.session) drop(record.session);
    this.#record = null;
    this.sent = 0;
    this.#changed(this);
    await forget(this.key);
  }

  /** Give up for a reason that is known before anything is sent, and that trying again cannot mend. */
  refuse(reason) {
    this.refused = true;
    this.#become("failed", reason);
  }

  /** Do it, until it has arrived, was stopped or cannot be done; never throws. */
  run() {
    const { signal } = (this.#abort = new AbortController());
    this.#become("preparing");
    this.#run = this.#run.then(() => this.#once(signal)); // a run that was just stopped may still be letting go
    return this.#run;
  }

  async #once(signal) {
    try {
      this.key = `${this.#user} ${this.pipeline} ${await fingerprint(this.file)}`;
      signal.throwIfAborted();
      // Two tabs that send to one session would spoil each other's chunks.
      await navigator.locks.request(this.key, { ifAvailable: true }, (lock) => {
        if (!lock) throw new Refused("This file is on its way already, here or in another tab.");
        return this.#persist(signal);
      });
    } catch (error) {
      if (signal.aborted) return;
      const gone = error.name === "NotReadableError" || error.name === "NotFoundError";
      this.#become("failed", gone ? "The file was changed or moved since it was chosen. Choose it again." : error.message);
    }
  }

  async #persist(signal) {
    if (this.#anew) await forget(this.key);
    this.#anew = false;
    this.#failures = 0;
    this.#permissions = 0;
    this.#record ??= (await recall(this.key)) ?? null;
    signal.throwIfAborted();
    if (this.#record?.arrived) {
      this.#record = null;
      this.sent = this.size;
      this.#become("already", "You uploaded this file before.");
      return;
    }
    let old = this.#record !== null; // it may have arrived without our knowing
    for (;;) {
      try {
        if (await this.#attempt(old, signal)) return await this.#arrive();
        old = false;
        this.#record = null;
      } catch (error) {
        await this.#wait(error, signal);
      }
    }
  }

  /** Send what is not there yet. Returns false if the permission at hand is good for nothing any more. */
  async #attempt(old, signal) {
    if (old && this.#record.protocol === "put" && (await this.#isThere(signal))) return true;
    this.#record ??= await this.#permission(signal);
    signal.throwIfAborted();
    return this.#record.protocol === "put" ? this.#put(this.#record, signal) : this.#resumable(this.#record, signal);
  }

  /** Wait after what may pass; throw what will not. */
  async #wait(error, signal) {
    signal.throwIfAborted();
    if (error instanceof SignedOut) {
      this.#become("signed-out", "Waits until you have signed in again");
    } else if (error instanceof NoAnswer || error instanceof Busy || error instanceof Unreachable || error.status >= 500) {
      await this.file.slice(0, 1).arrayBuffer(); // a file that cannot be read looks like a lost network: this tells
      signal.throwIfAborted();
      this.#become("retrying", navigator.onLine ? error.message : "Waits for the network");
    } else {
      throw error;
    }
    this.#failures += 1;
    await pause(this.#failures, signal);
  }

  async #permission(signal) {
    this.#permissions += 1;
    if (this.#permissions > 5) throw new Refused("The storage refuses this file again and again.");
    const body = { filename: this.file.name, content_type: this.file.type, size: this.size };
    if (this.pipeline) body.pipeline = this.pipeline;
    let ticket;
    try {
      ticket = await call("POST", "/uploads", { body, signal });
    } catch (error) {
      if (error instanceof Problem && error.status < 500) throw new Refused(error.message);
      throw error;
    }
    const record = {
      key: this.key,
      user: this.#user,
      name: this.file.name,
      size: this.size,
      lastModified: this.file.lastModified,
      pipeline: this.pipeline,
      arrived: false,
      uploadId: ticket.upload_id,
      object: ticket.object,
      protocol: ticket.protocol,
      method: ticket.method,
      url: ticket.url,
      headers: ticket.headers,
      expiresAt: Date.parse(ticket.expires_at),
      session: null,
      sent: 0,
    };
    await remember(record);
    return record;
  }

  #expired(record) {
    return Date.now() > record.expiresAt - 10_000;
  }

  /** Whether the application knows the object: the last word when an answer of the storage was lost. */
  async #isThere(signal) {
    const record = this.#record;
    if (!record.session && !this.#expired(record)) return false; // the URL still works, and its 412 says it better
    return this.#isKnown(record, signal);
  }

  async #isKnown(record, signal) {
    const { jobs } = await call("GET", `/jobs?limit=5&object=${encodeURIComponent(record.object)}`, { signal });
    return jobs.some((job) => job.object === record.object);
  }

  /**
   * Whether a 403 to a URL that has not expired means that the object has arrived: the signer may create objects and
   * replace none, and the storage may say that before it looks at the precondition. Its event takes a moment.
   */
  async #isTaken(answer, record, signal) {
    if (answer.status !== 403 || this.#expired(record)) return false;
    for (let look = 1; look <= LOOKS; look += 1) {
      if (await this.#isKnown(record, signal)) return true;
      await pause(1, signal);
    }
    return false;
  }

  #progress(from, part) {
    const now = from + part;
    if (now > this.sent) this.moved += now - this.sent;
    this.sent = now;
    this.#changed(this);
  }

  async #put(record, signal) {
    if (this.#expired(record)) return false;
    this.#become("sending");
    this.sent = 0;
    const answer = await send(record.method, record.url, {
      headers: record.headers,
      body: this.file,
      signal,
      onprogress: (loaded) => this.#progress(0, Math.min(loaded, this.size)),
    });
    if (isArrived(answer)) return true;
    if (isBusy(answer)) throw new Busy(answer);
    if (await this.#isTaken(answer, record, signal)) return true;
    if (answer.status === 400 || answer.status === 401 || answer.status === 403) return false; // expired: ask again
    throw new Refused(refusal(answer));
  }

  async #resumable(record, signal) {
    let offset = 0;
    if (record.session) {
      const answer = await status(record.session, this.size, signal);
      if (isArrived(answer)) return true;
      if (isBusy(answer)) throw new Busy(answer);
      if (answer.status !== 308) return this.#isThere(signal); // the session is dead
      offset = received(answer);
      this.resumedAt = offset;
    } else {
      if (this.#expired(record)) return false;
      const answer = await send(record.method, record.url, { headers: record.headers, signal });
      if (answer.status === 412 || (await this.#isTaken(answer, record, signal))) return true;
      if (isBusy(answer)) throw new Busy(answer);
      record.session = answer.status === 201 ? answer.header("Location") : null;
      if (!record.session) return false;
      await remember(record);
    }
    this.sent = offset;
    this.#become("sending");
    return this.#chunks(record, offset, signal);
  }

  async #chunks(record, start, signal) {
    let offset = start;
    let chunk = SMALLEST;
    for (;;) {
      const end = Math.min(offset + chunk, this.size);
      const from = offset;
      const began = performance.now();
      const answer = await sendChunk(record.session, this.file, from, end, {
        signal,
        onprogress: (loaded) => this.#progress(from, Math.min(loaded, end - from)),
      });
      if (isArrived(answer)) return true;
      if (isBusy(answer)) throw new Busy(answer);
      if (answer.status === 404 || answer.status === 410) return this.#isThere(signal);
      if (await this.#isTaken(answer, record, signal)) return true;
      if (answer.status !== 308) throw new Refused(refusal(answer));
      offset = received(answer);
      if (offset > from) this.#failures = 0;
      this.sent = offset;
      chunk = nextChunkSize(offset - from, (performance.now() - began) / 1000);
      record.sent = offset;
      await remember(record);
    }
  }

  async #arrive() {
    const { key, user, name, size, lastModified, pipeline } = this.#record;
    this.#record = null;
    this.sent = this.size;
    await remember({ key, user, name, size, lastModified, pipeline, arrived: true });
    this.#become("arrived");
  }
}

/** The storage's own words: the Message and Details of its XML error. */
function refusal(answer) {
  const parsed = new DOMParser().parseFromString(answer.text || "<e/>", "application/xml");
  const words = [...parsed.querySelectorAll("Message, Details")].map((element) => element.textContent).join(" ");
  return words ? `The storage refuses the file: ${words}` : `The storage refuses the file (${answer.status}).`;
}
