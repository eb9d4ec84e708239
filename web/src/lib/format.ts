const grouped = new Intl.NumberFormat('en');

/** 1234567 -> "1,234,567". */
export function formatCount(count: number): string {
  return grouped.format(count);
}

/** (1, "picture") -> "1 picture", (2, "picture") -> "2 pictures". */
export function formatPlural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** Describe the results to screen readers; `words` are '' for the whole library, `order` is '' for best first. */
export function resultsAnnouncement(words: string, total: number, duplicates: number, order = ''): string {
  const found = formatPlural(total, 'picture');
  const shown = duplicates ? ` ${formatPlural(duplicates, 'near-duplicate')} shown.` : '';
  return (words ? `${found} for ${words}, ${order || 'best'} first.` : `${found} in the library.`) + shown;
}

/** Describe the end of the results: all are shown, or as many as the server pages to. */
export function endOfResults(shown: number, total: number, maxResults: number): string {
  if (shown >= total) return `End of results: ${formatPlural(shown, 'picture')}.`;
  return `The first ${formatCount(maxResults)} of ${formatPlural(total, 'picture')}. Try other words to see others.`;
}

/** 0.04 -> "<0.1 ms", 1.93 -> "1.9 ms", 12.7 -> "13 ms", 2345 -> "2.3 s". */
export function formatDuration(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms >= 9.95) return `${Math.round(ms)} ms`;
  return ms > 0 && ms < 0.05 ? '<0.1 ms' : `${ms.toFixed(1)} ms`;
}

/** 0.98571428 -> "0.986", 4000 -> "4000": a score of a data set has more digits than it means. */
export function formatNumber(value: number): string {
  return Number.isInteger(value) ? `${value}` : `${Number(value.toPrecision(3))}`;
}

/** 51234 -> "51 kB". */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 999_500) return `${Math.round(bytes / 1000)} kB`;
  return bytes < 999_500_000 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

/** 0.31234 -> "0.31". */
export function formatScore(score: number): string {
  return score.toFixed(2);
}

const MONTHS = 'January February March April May June July August September October November December'.split(
  ' ',
);

/** "2023-06-12T16:54:10+00:00" -> "12 June 2023, 16:54", as the camera wrote it; null if it is no date. */
export function formatDate(text: string): string | null {
  const [, year, month, day, time] = /^(\d{4})-(\d\d)-(\d\d)T(\d\d:\d\d)/.exec(text) ?? [];
  const name = MONTHS[Number(month) - 1];
  return name ? `${Number(day)} ${name} ${year}, ${time}` : null;
}

/** "2023-06-12T16:54:10+00:00" -> "June 2023"; null if it is no date. */
export function formatMonth(text: string): string | null {
  return formatDate(text)?.replace(/^\d+ (.*), .*$/, '$1') ?? null;
}
