// The server's clock: ages are reckoned by it, whatever this computer's clock says.

let offset = 0;

/** Learn the offset from the Date header of an answer (to the second, which is what ages need). */
export function tuneClock(dateHeader) {
  const server = Date.parse(dateHeader ?? "");
  if (Number.isNaN(server)) return;
  const measured = server + 500 - Date.now();
  if (Math.abs(measured - offset) > 2000) offset = measured;
}

export function serverNow() {
  return Date.now() + offset;
}
