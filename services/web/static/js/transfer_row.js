// One row of the upload page.

import { button, h, icon, setAttribute, setHidden, setIcon, setText } from "./dom.js";
import { bytes, duration, percent } from "./words.js";

const MARKS = {
  waiting: ["queued", "Waits"],
  preparing: ["running", "Looks at the file"],
  sending: ["running", "Uploading"],
  retrying: ["offline", "Tries again"],
  "signed-out": ["user", "Sign-in needed"],
  paused: ["pause", "Paused"],
  arrived: ["succeeded", "Arrived"],
  already: ["succeeded", "Already arrived"],
  cancelled: ["cancelled", "Cancelled"],
  failed: ["failed", "Failed"],
};

export class TransferRow {
  constructor(transfer, { onPause, onResume, onCancel }) {
    const name = transfer.path || transfer.file.name;
    this.transfer = transfer;
    this.mark = icon("queued");
    this.word = h("span");
    this.state = h("span", { class: "status" }, this.mark, this.word);
    this.bar = h("progress", { max: Math.max(1, transfer.size), value: 0, "aria-label": `Progress of ${name}` });
    this.facts = h("span", { class: "transfer-facts" });
    this.pause = button("pause", `Pause ${name}`, () => onPause(transfer), { quiet: true });
    this.resume = button("play", `Resume ${name}`, () => onResume(transfer), { quiet: true });
    this.retry = button("retry", `Retry ${name}`, () => onResume(transfer), { quiet: true });
    this.cancel = button("close", `Cancel ${name}`, () => onCancel(transfer), { quiet: true });
    this.element = h(
      "li",
      { class: "transfer", dataset: { name: transfer.file.name } },
      h("span", { class: "transfer-name", text: name, title: name }),
      h("span", { class: "transfer-size", text: bytes(transfer.size) }),
      this.state,
      this.bar,
      this.facts,
      h("span", { class: "transfer-buttons" }, this.pause, this.resume, this.retry, this.cancel),
    );
    this.speed = 0;
    this.update();
  }

  update() {
    const { transfer } = this;
    const { state } = transfer;
    if (this.element.dataset.state !== state) this.#become(state);
    const share = Math.min(transfer.sent, transfer.size);
    if (this.bar.value !== share) this.bar.value = share;
    setText(this.facts, this.#facts());
  }

  #become(state) {
    const held = this.element.contains(document.activeElement);
    const [mark, word] = MARKS[state];
    this.element.dataset.state = state;
    setIcon(this.mark, mark);
    setText(this.word, word);
    const { over } = this.transfer;
    setHidden(this.pause, over || state === "paused");
    setHidden(this.resume, state !== "paused");
    setHidden(this.retry, this.transfer.refused || !["failed", "cancelled", "already"].includes(state));
    setHidden(this.cancel, over);
    if (state === "already") {
      setAttribute(this.retry, "title", "Upload it again");
      setText(this.retry.lastElementChild, `Upload ${this.transfer.file.name} again`);
    }
    if (held && document.activeElement === document.body) this.element.querySelector("button:not([hidden])")?.focus();
  }

  #facts() {
    const { transfer, speed } = this;
    if (transfer.state === "sending") {
      const left = speed > 0 ? (transfer.size - transfer.sent) / speed : 0;
      return [
        `${percent(transfer.sent / Math.max(1, transfer.size))}`,
        speed > 0 ? `${bytes(speed)}/s` : "",
        left ? `${duration(left)} left` : "",
        transfer.resumedAt ? `went on at ${bytes(transfer.resumedAt)}` : "",
      ]
        .filter(Boolean)
        .join(" · ");
    }
    if (transfer.state === "paused" && transfer.sent) return `${bytes(transfer.sent)} are there`;
    return transfer.note;
  }
}
