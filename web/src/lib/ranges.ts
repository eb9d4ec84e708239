import type { Range } from './api';

/** The ends of a range as typed; '' for an open end. */
export interface Ends {
  readonly low: string;
  readonly high: string;
}

const RANGE = /^(?:>=([^,]+)|<=([^,]+)|([^,]*)\.\.([^,]*))$/;

/** Return the ends that a filter gives to the column; null if it is another filter. */
export function rangeOf(filter: string, name: string): Ends | null {
  if (!filter.startsWith(`${name}:`)) return null;
  const [, above, below, low, high] = RANGE.exec(filter.slice(name.length + 1)) ?? [];
  if (above !== undefined) return { low: above, high: '' };
  if (below !== undefined) return { low: '', high: below };
  return low === undefined ? null : { low, high: high ?? '' };
}

/** Return the filter of a range in filter syntax; null if both ends are open. */
export function rangeFilter(name: string, { low, high }: Ends): string | null {
  if (low && high) return `${name}:${low}..${high}`;
  if (low) return `${name}:>=${low}`;
  return high ? `${name}:<=${high}` : null;
}

/** Return the filters with another range of this column. */
export function withRange(filters: readonly string[], name: string, ends: Ends): string[] {
  const others = filters.filter((filter) => rangeOf(filter, name) === null);
  const filter = rangeFilter(name, ends);
  return filter === null ? others : [...others, filter];
}

/** Columns with a score of how unsafe a picture is, as data sets call them. */
const UNSAFE = /^(p_?)?(unsafe|nsfw|porn)(_?(score|prob|probability))?$/i;

/** The highest score that counts as safe, unless the user changes it. */
export const SAFE_THRESHOLD = 0.5;

/** Return the column with a score of how unsafe pictures are; null if the library has none. */
export function unsafeColumn(ranges: readonly Range[]): Range | null {
  return ranges.find(({ name, kind }) => kind === 'number' && UNSAFE.test(name)) ?? null;
}

/** Return the filter of the safe mode: pictures without a score are hidden, too. */
export function safeFilter(name: string, threshold: number): string {
  return `${name}:<${threshold}`;
}

/** Return the threshold of a safe-mode filter; null if it is off. */
export function thresholdOf(safe: string): number | null {
  const [, threshold] = /:<([\d.]+)$/.exec(safe) ?? [];
  return threshold === undefined ? null : Number(threshold);
}
