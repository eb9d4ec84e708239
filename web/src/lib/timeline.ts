import { formatMonth } from './format';
import type { Timeline } from './overviewApi';

/** A stop of the month scrubber: a month, or the pictures without a date. */
export interface Stop {
  readonly label: string;
  /** Year of the month; '' without a date. */
  readonly year: string;
  readonly count: number;
  /** Number of pictures before its first one. */
  readonly offset: number;
  /** Where it begins on the strip, from 0 to 1. */
  readonly start: number;
}

/** A year on the strip. */
export interface YearMark {
  readonly year: string;
  readonly start: number;
}

/** Pictures of a month up to which the pointer snaps to its first one. */
const SNAP_COUNT = 200;

/**
 * Return the stops of a timeline, from top to bottom. A month takes space by the square root of its pictures,
 * so that a month with few can still be hit.
 */
export function timelineStops({ months, total, undated }: Timeline): Stop[] {
  const entries = months.map(({ month, count, offset }) => {
    const label = formatMonth(`${month}-01T00:00`) ?? month;
    return { label, year: month.slice(0, 4), count, offset };
  });
  if (undated > 0 && entries.length > 0)
    entries.push({ label: 'No date', year: '', count: undated, offset: total - undated });
  const sum = entries.reduce((weights, { count }) => weights + Math.sqrt(count), 0);
  let before = 0;
  return entries.map((entry) => {
    const start = before / sum;
    before += Math.sqrt(entry.count);
    return { ...entry, start };
  });
}

/** Return the index of the stop at a position of the strip, from 0 to 1. */
export function stopAt(stops: readonly Stop[], position: number): number {
  return Math.max(0, stops.filter(({ start }) => start <= position).length - 1);
}

/** Return the offset of the picture at a position of the strip: of a month with few pictures, its first one. */
export function offsetAt(stops: readonly Stop[], position: number): number {
  const index = stopAt(stops, position);
  const { start, count, offset } = stops[index]!;
  const end = stops[index + 1]?.start ?? 1;
  if (count <= SNAP_COUNT || end <= start) return offset;
  const share = Math.min(1, Math.max(0, (position - start) / (end - start)));
  return offset + Math.min(count - 1, Math.floor(share * count));
}

/** Return the first stop of the next (1) or previous (-1) year; the last or first stop if there is none. */
export function yearStep(stops: readonly Stop[], index: number, step: 1 | -1): number {
  const { year } = stops[index]!;
  if (step > 0) {
    const next = stops.findIndex((stop, i) => i > index && stop.year !== year);
    return next < 0 ? stops.length - 1 : next;
  }
  const first = stops.findIndex((stop) => stop.year === year);
  if (first < index) return first;
  const before = stops[index - 1]?.year;
  return Math.max(
    0,
    stops.findIndex((stop) => stop.year === before),
  );
}

/** Return the years whose marks have `minGap` (of the strip) between them. */
export function yearMarks(stops: readonly Stop[], minGap: number): YearMark[] {
  const marks: YearMark[] = [];
  for (const { year, start } of stops) {
    const last = marks.at(-1);
    const isNew = year !== '' && !marks.some((mark) => mark.year === year);
    if (isNew && (!last || start - last.start >= minGap)) marks.push({ year, start });
  }
  return marks;
}
