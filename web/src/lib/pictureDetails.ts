import type { Picture } from './api';
import { formatCount, formatDate, formatNumber, formatScore } from './format';
import { formatBytes } from './formatMeasure';
import { metaText, pictureName, takenText } from './pictureText';

/** Names of the standard columns. */
const LABELS: Record<string, string> = { kind: 'File type', modified: 'File changed', tags: 'Tags' };
/** Columns that an opened picture shows elsewhere. */
const SHOWN = new Set(
  'name folder size_bytes taken camera title latitude longitude place country'.split(' '),
);

/** Return what matters first about an opened picture: when, where and with which camera. */
export function pictureFacts(picture: Picture): string[] {
  const folder = metaText(picture, 'folder');
  const facts = [takenText(picture), placeText(picture), folder, metaText(picture, 'camera')];
  return facts.filter((fact) => fact !== null);
}

/** Return the details of an opened picture as pairs of name and text. */
export function pictureDetails(picture: Picture, withScore: boolean): [string, string][] {
  const bytes = picture.meta['size_bytes'];
  const rows: [string, string | null][] = [
    ['Name', pictureName(picture)],
    ['Place', placeText(picture)],
    ['Coordinates', coordinatesText(picture)],
    ['Size', picture.width ? `${formatCount(picture.width)} × ${formatCount(picture.height)}` : null],
    ['File size', typeof bytes === 'number' ? formatBytes(bytes) : null],
    ...Object.entries(picture.meta).map(([key, value]): [string, string | null] => {
      return [LABELS[key] ?? sentenceCase(key), SHOWN.has(key) ? null : valueText(value)];
    }),
    ['Score', withScore && picture.score !== null ? formatScore(picture.score) : null],
  ];
  return rows.filter((row): row is [string, string] => row[1] !== null);
}

function valueText(value: unknown): string | null {
  if (value === null || value === '') return null;
  if (typeof value === 'number') return formatNumber(value);
  const text = Array.isArray(value) ? value.join(', ') : String(value);
  return formatDate(text) ?? (text || null);
}

/** "Paris, France"; null if neither is known. */
function placeText(picture: Picture): string | null {
  const parts = [metaText(picture, 'place'), metaText(picture, 'country')];
  return parts.filter((part) => part !== null).join(', ') || null;
}

/** (48.8584, 2.2945) -> "48.8584° N, 2.2945° E". */
function coordinatesText({ meta: { latitude, longitude } }: Picture): string | null {
  if (typeof latitude !== 'number' || typeof longitude !== 'number') return null;
  const degrees = (value: number, [positive, negative]: string) => {
    return `${Math.abs(value).toFixed(4)}° ${value < 0 ? negative : positive}`;
  };
  return `${degrees(latitude, 'NS')}, ${degrees(longitude, 'EW')}`;
}

function sentenceCase(key: string): string {
  const words = key.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
