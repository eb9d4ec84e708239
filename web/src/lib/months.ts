import type { Picture } from './api';
import { formatMonth } from './format';

/** Columns with the date of a picture, the first that it has: the server sorts by the same. */
const DATE_COLUMNS = ['taken', 'date', 'datetime', 'timestamp', 'created', 'modified'];

/** Pictures of one month that follow one another. */
export interface MonthSection {
  /** Index of its first picture. */
  readonly index: number;
  readonly label: string;
}

/** Split pictures in the order of their dates by month. Pictures without a date have no section if none has one. */
export function monthSections(pictures: readonly Picture[]): MonthSection[] {
  const sections: MonthSection[] = [];
  let last: string | null = null;
  for (const [index, { meta }] of pictures.entries()) {
    const date = DATE_COLUMNS.map((name) => meta[name]).find((value) => typeof value === 'string');
    const label = formatMonth(String(date)) ?? 'No date';
    if (label !== last) sections.push({ index, label });
    last = label;
  }
  return sections.length === 1 && last === 'No date' ? [] : sections;
}
