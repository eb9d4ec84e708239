/** Answers further back than this do not count as speed. */
const WINDOW_MS = 2000;

/** Moments of answers with a further one; those too old to count are left out. */
export function withMoment(moments: readonly number[], now: number): readonly number[] {
  return [...moments.filter((moment) => now - moment < WINDOW_MS), now];
}

/** Answers a second, by the first and the last of the moments; 0 for fewer than two. */
export function rateOf(moments: readonly number[]): number {
  const span = (moments.at(-1) ?? 0) - (moments[0] ?? 0);
  return span > 0 ? ((moments.length - 1) * 1000) / span : 0;
}
