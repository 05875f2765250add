// How much to send at once: enough that the waits between chunks do not count, little enough to lose.

const UNIT = 256 * 1024; // chunks must be multiples of it
export const SMALLEST = 8 * 2 ** 20;
export const LARGEST = 64 * 2 ** 20;
const SECONDS = 6;

/** The size of the next chunk, after one of `bytes` took `seconds`. */
export function nextChunkSize(bytes, seconds) {
  const wished = (bytes / Math.max(seconds, 0.05)) * SECONDS;
  return Math.min(LARGEST, Math.max(SMALLEST, Math.round(wished / UNIT) * UNIT));
}
