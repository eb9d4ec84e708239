import type { Picture } from './api';

const grouped = new Intl.NumberFormat('en');

/** 1234567 -> "1,234,567". */
export function countText(count: number): string {
  return grouped.format(count);
}

/** (1, "picture") -> "1 picture", (2, "picture") -> "2 pictures". */
export function pluralText(count: number, noun: string): string {
  return `${countText(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** What was found, for those who cannot see the pictures come; `words` are '' for the library itself. */
export function announcementOf(words: string, total: number, unfolded: number): string {
  const found = pluralText(total, 'picture');
  const beside = unfolded ? ` ${pluralText(unfolded, 'near-duplicate')} shown beside.` : '';
  return (words ? `${found} for ${words}, best first.` : `${found} in the library.`) + beside;
}

/** What stands below the last picture: that these are all, or as many as can be paged to. */
export function endOf(shown: number, total: number, reach: number): string {
  if (shown >= total) return `That is all: ${pluralText(shown, 'picture')}.`;
  return `The first ${countText(reach)} of ${pluralText(total, 'picture')}. Other words bring up others.`;
}

/** 0.04 -> "<0.1 ms", 1.93 -> "1.9 ms", 12.7 -> "13 ms", 2345 -> "2.3 s". */
export function durationText(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms >= 9.95) return `${Math.round(ms)} ms`;
  return ms > 0 && ms < 0.05 ? '<0.1 ms' : `${ms.toFixed(1)} ms`;
}

/** 51234 -> "51 kB". */
export function sizeText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 999_500) return `${Math.round(bytes / 1000)} kB`;
  return bytes < 999_500_000 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

/** The picture's file name, or its number where it has none. */
export function nameOf(picture: Picture): string {
  return textIn(picture, 'name') ?? `picture ${picture.id}`;
}

/** What the picture shows, for those who do not see it: its caption, or else its name. */
export function labelOf(picture: Picture): string {
  return picture.caption || nameOf(picture);
}

/** The facts under an opened picture: folder, width × height, size, score, as far as they are known. */
export function factsOf(picture: Picture): string[] {
  const bytes = picture.meta['size_bytes'];
  return [
    textIn(picture, 'folder'),
    `${countText(picture.width)} × ${countText(picture.height)}`,
    typeof bytes === 'number' ? sizeText(bytes) : null,
    picture.score === null ? null : `score ${scoreText(picture.score)}`,
  ].filter((fact) => fact !== null);
}

/** 0.31234 -> "0.312". */
export function scoreText(score: number): string {
  return score.toFixed(3);
}

/** Everything the record of a picture tells beside its name, as names and texts. */
export function recordOf(picture: Picture): [string, string][] {
  return Object.entries(picture.meta).flatMap(([key, value]): [string, string][] => {
    if (value === null || value === '' || key === 'name' || key === 'folder' || key === 'size_bytes')
      return [];
    const text = Array.isArray(value) ? value.join(', ') : String(value);
    const day = /^\d{4}-\d\d-\d\dT/.test(text) ? text.slice(0, 16).replace('T', ' ') : text;
    return day ? [[key.replaceAll('_', ' '), day]] : [];
  });
}

function textIn(picture: Picture, key: string): string | null {
  const value = picture.meta[key];
  return typeof value === 'string' && value !== '' ? value : null;
}
