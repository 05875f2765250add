// The browser's own memory of uploads (IndexedDB): which session a file goes to, and which files have arrived.

const KEEP_OPEN = 7 * 86_400_000; // as long as Cloud Storage keeps a resumable session
const KEEP_ARRIVED = 30 * 86_400_000;

let opened = null;

function database() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("spotmill-uploads", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("uploads", { keyPath: "key" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opened;
}

/** Run one transaction; "strict" because a record that only lay in a cache dies with the power. */
async function transact(mode, work) {
  const transaction = (await database()).transaction("uploads", mode, { durability: "strict" });
  const request = work(transaction.objectStore("uploads"));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}

/** Without IndexedDB (private windows of some browsers) uploads work, but are not remembered. */
async function orNothing(promise, nothing) {
  try {
    return await promise;
  } catch (error) {
    console.warn("Spotmill cannot remember uploads in this browser:", error);
    return nothing;
  }
}

/**
 * A record: key, user, name, size, lastModified, pipeline, arrived (bool), touched (ms), and the ticket (uploadId,
 * protocol, method, url, headers, expiresAt), its session URL and how many bytes are known to be there (sent).
 */
export function remember(record) {
  return orNothing(transact("readwrite", (store) => store.put({ ...record, touched: Date.now() })));
}

export function recall(key) {
  return orNothing(transact("readonly", (store) => store.get(key)));
}

export function forget(key) {
  return orNothing(transact("readwrite", (store) => store.delete(key)));
}

/** The uploads of this person that began and did not arrive, the newest first. Old records are dropped on the way. */
export async function unfinished(user) {
  const all = await orNothing(transact("readonly", (store) => store.getAll()), []);
  const now = Date.now();
  const old = all.filter((record) => now - record.touched > (record.arrived ? KEEP_ARRIVED : KEEP_OPEN));
  for (const record of old) await forget(record.key);
  return all
    .filter((record) => !old.includes(record) && record.user === user && !record.arrived)
    .sort((a, b) => b.touched - a.touched);
}
