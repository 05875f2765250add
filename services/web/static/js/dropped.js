// Files out of a drop, with all that lies in dropped folders.

//: What operating systems put beside files without being asked.
const NOISE = /^(\.|Thumbs\.db$|desktop\.ini$|__MACOSX$)/i;

const NATURAL = new Intl.Collator(undefined, { numeric: true });
const inOrder = (a, b) => NATURAL.compare(a.path || a.file.name, b.path || b.file.name);

const noise = (name) => NOISE.test(name);

/** Files of a file input as {file, path}, and how many hidden ones were left out. */
export function chosen(list) {
  const found = [];
  let hidden = 0;
  for (const file of list) {
    const path = file.webkitRelativePath || "";
    if (path.split("/").some(noise) || noise(file.name)) hidden += 1;
    else found.push({ file, path });
  }
  return { found: found.sort(inOrder), hidden, unreadable: 0 };
}

/** Files of a drop, folders walked through. Entries must be taken before the event is over, hence no async here. */
export function dropped(transfer) {
  const entries = [...transfer.items].filter((item) => item.kind === "file").map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  return walkAll(entries.filter(Boolean));
}

async function walkAll(entries) {
  const result = { found: [], hidden: 0, unreadable: 0 };
  for (const entry of entries) {
    if (entry instanceof File) result.found.push({ file: entry, path: "" });
    else await walk(entry, "", result);
  }
  result.found.sort(inOrder); // folders are read in no order at all
  return result;
}

async function walk(entry, folder, result) {
  if (noise(entry.name)) {
    result.hidden += 1;
    return;
  }
  const path = `${folder}${entry.name}`;
  try {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      result.found.push({ file, path: folder ? path : "" });
    } else {
      const reader = entry.createReader();
      for (;;) {
        const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // a hundred at a time
        if (!some.length) break;
        for (const child of some) await walk(child, `${path}/`, result);
      }
    }
  } catch (error) {
    console.warn(`Cannot read ${path}:`, error);
    result.unreadable += 1;
  }
}
