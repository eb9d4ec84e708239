/** Responses older than this do not count. */
const WINDOW_MS = 2000;

/** Append a timestamp and drop those outside the window. */
export function withTimestamp(timestamps: readonly number[], now: number): readonly number[] {
  return [...timestamps.filter((timestamp) => now - timestamp < WINDOW_MS), now];
}

/** Return responses per second between the first and the last timestamp; 0 for fewer than two. */
export function responsesPerSecond(timestamps: readonly number[]): number {
  const span = (timestamps.at(-1) ?? 0) - (timestamps[0] ?? 0);
  return span > 0 ? ((timestamps.length - 1) * 1000) / span : 0;
}
