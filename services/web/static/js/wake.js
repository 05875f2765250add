// Keeping the screen, and with it the computer, awake while files go up; a sleeping laptop sends nothing.

let lock = null;
let wanted = false;

async function hold() {
  if (!wanted || lock || document.hidden || !navigator.wakeLock) return;
  try {
    lock = await navigator.wakeLock.request("screen");
    lock.addEventListener("release", () => (lock = null));
    if (!wanted) lock.release();
  } catch (error) {
    console.info("The computer may fall asleep during uploads:", error.message); // low battery: its decision
  }
}

/** Keep awake, or let go. */
export function stayAwake(yes) {
  wanted = yes;
  if (yes) hold();
  else lock?.release();
}

document.addEventListener("visibilitychange", hold);
