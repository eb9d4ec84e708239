import type { Picture } from './api';

const grouped = new Intl.NumberFormat('en');

/** 1234567 -> "1,234,567". */
export function formatCount(count: number): string {
  return grouped.format(count);
}

/** (1, "picture") -> "1 picture", (2, "picture") -> "2 pictures". */
export function formatPlural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** {raw: 3, linked_folder: 1} -> "3 raw, 1 linked folder"; what is not a number is left out. */
export function formatCounts(counts: Readonly<Record<string, unknown>>): string {
  return Object.entries(counts)
    .filter(([, count]) => typeof count === 'number' && count > 0)
    .map(([kind, count]) => `${formatCount(count as number)} ${kind.replaceAll('_', ' ')}`)
    .join(', ');
}

/** Describe the results to screen readers; `words` are '' for the whole library. */
export function resultsAnnouncement(words: string, total: number, duplicates: number): string {
  const found = formatPlural(total, 'picture');
  const shown = duplicates ? ` ${formatPlural(duplicates, 'near-duplicate')} shown.` : '';
  return (words ? `${found} for ${words}, best first.` : `${found} in the library.`) + shown;
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

/** 51234 -> "51 kB". */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 999_500) return `${Math.round(bytes / 1000)} kB`;
  return bytes < 999_500_000 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

/** 0.31234 -> "0.312". */
export function formatScore(score: number): string {
  return score.toFixed(3);
}

/** Return the file name of the picture, or its id if it has none. */
export function pictureName(picture: Picture): string {
  return metaText(picture, 'name') ?? `picture ${picture.id}`;
}

/** Return the alternative text of the picture: its caption, or else its name. */
export function pictureLabel(picture: Picture): string {
  return picture.caption || pictureName(picture);
}

/** Return the known facts below an opened picture: folder, width × height, file size, score. */
export function pictureFacts(picture: Picture): string[] {
  const bytes = picture.meta['size_bytes'];
  return [
    metaText(picture, 'folder'),
    `${formatCount(picture.width)} × ${formatCount(picture.height)}`,
    typeof bytes === 'number' ? formatBytes(bytes) : null,
    picture.score === null ? null : `score ${formatScore(picture.score)}`,
  ].filter((fact) => fact !== null);
}

/** Return all other metadata of the picture as pairs of name and text. */
export function metadataRows(picture: Picture): [string, string][] {
  return Object.entries(picture.meta).flatMap(([key, value]): [string, string][] => {
    if (value === null || value === '' || key === 'name' || key === 'folder' || key === 'size_bytes')
      return [];
    const text = Array.isArray(value) ? value.join(', ') : String(value);
    const minutes = /^\d{4}-\d\d-\d\dT/.test(text) ? text.slice(0, 16).replace('T', ' ') : text;
    return minutes ? [[key.replaceAll('_', ' '), minutes]] : [];
  });
}

function metaText(picture: Picture, key: string): string | null {
  const value = picture.meta[key];
  return typeof value === 'string' && value !== '' ? value : null;
}
