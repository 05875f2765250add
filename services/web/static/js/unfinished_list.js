// Uploads that an earlier page began: what they need is the same file again.

import { button, h, keyed, setHidden } from "./dom.js";
import { forget, unfinished } from "./ledger.js";
import { drop } from "./storage.js";
import { bytes, percent } from "./words.js";

const section = document.getElementById("unfinished");
const list = document.getElementById("unfinished-list");
let records = [];

/** Read the ledger again; uploads that this or another tab is busy with are left out. */
export async function showUnfinished(user, transfers) {
  const busy = new Set(transfers.map((transfer) => transfer.key));
  const { held } = await navigator.locks.query();
  for (const { name } of held) busy.add(name);
  records = (await unfinished(user)).filter((record) => !busy.has(record.key));
  show();
}

/** The record of a file that was chosen just now, if it looks like one of these; it is taken off the list. */
export function takeUnfinished(file) {
  const found = records.find((record) => record.name === file.name && record.size === file.size && record.lastModified === file.lastModified);
  if (found) {
    records = records.filter((record) => record !== found);
    show();
  }
  return found ?? null;
}

function show() {
  setHidden(section, records.length === 0);
  keyed(list, records, {
    key: (record) => record.key,
    create: (record) => {
      const remove = async () => {
        records = records.filter((other) => other.key !== record.key);
        show();
        if (record.session) drop(record.session);
        await forget(record.key);
      };
      const share = record.sent ? `${percent(record.sent / record.size)} of ${bytes(record.size)} there` : `${bytes(record.size)}, just begun`;
      return {
        element: h(
          "li",
          { class: "unfinished-file" },
          h("strong", { text: record.name, title: record.name }),
          h("span", { class: "unfinished-facts", text: share }),
          h("progress", { max: record.size, value: record.sent, "aria-label": `What arrived of ${record.name}` }),
          button("close", `Forget ${record.name}`, remove, { quiet: true }),
        ),
      };
    },
    update: () => {},
  });
}
