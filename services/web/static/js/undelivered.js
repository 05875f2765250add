// Messages that Pub/Sub gave up delivering to the workers: what each is, why it probably happened, and what to do with it.

import { call } from "./api.js";
import { confirmed } from "./confirm.js";
import { button, h, keyed, setHidden, setText } from "./dom.js";
import { complain } from "./notices.js";
import { inform } from "./toast.js";
import { elided, moment, number, plural } from "./words.js";

const SHOWN = 20;

const element = (id) => document.getElementById(id);

export class Undelivered {
  #refreshPage;
  #section = element("undelivered");
  #busy = false;

  constructor(refreshPage) {
    this.#refreshPage = refreshPage;
    element("replay-all").addEventListener("click", () => this.#replayAll());
    element("discard-all").addEventListener("click", () => this.#discardAll());
  }

  /** Show the newest of `count` messages. */
  async refresh(count) {
    const letters = count ? (await call("GET", `/dead-letters?limit=${SHOWN}`, { remember: true })).dead_letters : [];
    keyed(element("letters"), letters, { key: (letter) => letter.id, create: (letter) => this.#create(letter), update });
    setHidden(this.#section, letters.length === 0);
    const more = count - letters.length;
    setHidden(element("replay-all"), more <= 0 && !letters.some((letter) => letter.can_replay), element("discard-all"));
    setHidden(element("letters-more"), more <= 0);
    setText(element("letters-more"), `And ${number(more)} older.`);
  }

  #create(letter) {
    const named = letter.filename ?? (letter.job_id ? "A job that does not exist" : "No job");
    const name = letter.filename ? h("a", { href: `/jobs/${letter.job_id}`, text: letter.filename }) : h("span", { text: named });
    const view = { why: h("p", { class: "letter-why" }), letter };
    const short = elided(named);
    view.replay = button("retry", "Replay", () => this.#act(`/dead-letters/${letter.id}/replay`, `${short}: the message is on its way again.`));
    view.discard = button("close", "Discard…", () => this.#discard(letter, short));
    for (const [control, deed] of [[view.replay, "Replay"], [view.discard, "Discard"]]) control.setAttribute("aria-label", `${deed} the message of ${named}`);
    view.element = h(
      "li",
      { class: "letter" },
      h("p", { class: "letter-name" }, name, !letter.job_id && letter.preview && h("code", { text: ` ${letter.preview}` })),
      view.why,
      h("p", { class: "letter-facts", text: facts(letter) }),
      h("p", { class: "letter-buttons" }, view.replay, view.discard),
    );
    return view;
  }

  async #discard(letter, name) {
    const text = letter.job_id ? "If its job waits for nothing else, the job is cancelled; it can be retried." : "Nothing is kept of what it asked for.";
    const sure = await confirmed({ title: `Discard the message of ${name}?`, text, yes: "Discard" });
    if (sure) await this.#act(`/dead-letters/${letter.id}/discard`, `${name}: the message is discarded.`);
  }

  async #replayAll() {
    await this.#act("/dead-letters/replay", ({ done, left }) => `${plural(done, "message")} on the way again.${left ? ` ${number(left)} cannot be replayed.` : ""}`);
  }

  async #discardAll() {
    const text = "Jobs that wait for nothing else are cancelled; they can be retried.";
    if (!(await confirmed({ title: "Discard all these messages?", text, yes: "Discard all" }))) return;
    await this.#act("/dead-letters/discard", ({ done }) => `${plural(done, "message")} discarded.`);
  }

  async #act(path, said) {
    if (this.#busy) return;
    this.#busy = true;
    try {
      const answer = await call("POST", path);
      inform(typeof said === "function" ? said(answer) : said);
    } catch (error) {
      complain(error);
    } finally {
      this.#busy = false;
    }
    await this.#refreshPage();
  }
}

function update(view, letter) {
  setText(view.why, letter.why);
  setHidden(view.replay, !letter.can_replay, view.discard);
}

function facts(letter) {
  return [
    `${plural(letter.delivery_attempts, "delivery", "deliveries")} by ${letter.subscription || "an unknown subscription"}`,
    `published ${moment(letter.published_at)}`,
    `given up ${moment(letter.received_at)}`,
    `message ${letter.message_id}`,
  ].join(" · ");
}
