const grouped = new Intl.NumberFormat('en');

/** 1234567 -> "1,234,567". */
export function formatCount(count: number): string {
  return grouped.format(count);
}

/** (1, "picture") -> "1 picture", (2, "picture") -> "2 pictures". */
export function formatPlural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** What is said of the results. */
export interface ResultCounts {
  /** The typed words; '' for the whole library. */
  readonly words: string;
  /** Results over all pages; of a search at most as many as the server pages to. */
  readonly total: number;
  /** Leading results that are relevant; null if all so far are. */
  readonly relevant: number | null;
  /** Near-duplicates that are shown. */
  readonly duplicates: number;
  /** '' for best first. */
  readonly order: string;
  /** Whether all pictures that match a filter are listed, without a ranking. */
  readonly isListed: boolean;
}

/** Describe the results to screen readers. A search ranks the whole library, so only good matches are counted. */
export function resultsAnnouncement(counts: ResultCounts): string {
  const { words, total, relevant, duplicates, order, isListed } = counts;
  const shown = duplicates ? ` ${formatPlural(duplicates, 'near-duplicate')} shown.` : '';
  if (!words) return `${formatPlural(total, 'picture')} in the library.${shown}`;
  if (isListed) return `${formatPlural(total, 'picture')} for ${words}.${shown}`;
  if (relevant === 0) return `Nothing looks like ${words}.${shown}`;
  const found = relevant === null ? 'Pictures' : goodMatches(relevant);
  return `${found} for ${words}, ${order || 'best'} first.${shown}`;
}

/** 8 -> "8 good matches". */
export function goodMatches(count: number): string {
  return `${formatCount(count)} good ${count === 1 ? 'match' : 'matches'}`;
}

/**
 * Describe the end of the results: all are shown, or as many as the server pages to.
 *
 * `similar` is the number of near-duplicates that are grouped under those shown. A search is over the best
 * `maxResults` pictures, whatever the library has.
 */
export function endOfResults(shown: number, total: number, similar: number, maxResults: number): string {
  const limit = formatCount(maxResults);
  if (shown < total)
    return `The first ${limit} of ${formatPlural(total, 'picture')}. Try other words to see others.`;
  if (total <= maxResults && shown + similar >= maxResults)
    return `The best ${limit} pictures. Try other words to see others.`;
  const grouped = similar > 0 ? `, ${formatCount(similar)} of them grouped as similar` : '';
  return `End of results: ${formatPlural(shown + similar, 'picture')}${grouped}.`;
}

/** 0.98571428 -> "0.986", 4000 -> "4000": a score of a data set has more digits than it means. */
export function formatNumber(value: number): string {
  return Number.isInteger(value) ? `${value}` : `${Number(value.toPrecision(3))}`;
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
