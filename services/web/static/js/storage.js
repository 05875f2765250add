// What a browser says to Cloud Storage: one PUT, or a resumable session in chunks.
// https://cloud.google.com/storage/docs/performing-resumable-uploads

/** No answer: the network is gone, the server closed the connection, or nothing moved for too long. */
export class NoAnswer extends Error {
  constructor() {
    super("The network is gone.");
  }
}

const STILL = 60_000; // longest time without any movement

/**
 * Send one request by XMLHttpRequest, because fetch does not tell how much of a body has gone out. Returns
 * {status, header(name), text}. `signal` ends it with an AbortError.
 */
export function send(method, url, { headers = {}, body = null, signal, onprogress } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let watchdog = 0;
    const watch = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => {
        request.abort();
        finish(reject, new NoAnswer());
      }, STILL);
    };
    const stop = () => {
      request.abort();
      finish(reject, new DOMException("The upload was stopped.", "AbortError"));
    };
    const finish = (settle, value) => {
      clearTimeout(watchdog);
      signal?.removeEventListener("abort", stop);
      settle(value);
    };
    if (signal?.aborted) return finish(reject, new DOMException("The upload was stopped.", "AbortError"));
    signal?.addEventListener("abort", stop);
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) {
      if (name.toLowerCase() !== "host") request.setRequestHeader(name, value); // signed, but the browser's to set
    }
    request.upload.onprogress = (event) => {
      watch();
      onprogress?.(event.loaded);
    };
    request.onload = () =>
      finish(resolve, { status: request.status, header: (name) => request.getResponseHeader(name), text: request.responseText });
    request.onerror = () => finish(reject, new NoAnswer());
    watch();
    request.send(body);
  });
}

/** How many bytes a session has, from a 308: "Range: bytes=0-N", or no header at all for none. */
export function received(answer) {
  const match = /^bytes=0-(\d+)$/.exec(answer.header("Range") ?? "");
  return match ? Number(match[1]) + 1 : 0;
}

/** Ask a session how far it is. */
export function status(session, size, signal) {
  return send("PUT", session, { headers: { "Content-Range": `bytes */${size}` }, signal });
}

/** Send bytes [from, to) of a file to a session. */
export function sendChunk(session, file, from, to, { signal, onprogress }) {
  return send("PUT", session, {
    headers: { "Content-Range": `bytes ${from}-${to - 1}/${file.size}` },
    body: file.slice(from, to),
    signal,
    onprogress,
  });
}

/** Tell the storage to drop a session; whether it hears it does not matter, it drops old ones by itself. */
export function drop(session) {
  send("DELETE", session).catch(() => {});
}
