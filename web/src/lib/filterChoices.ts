import { formatMonth } from './format';

const LABELS: Record<string, string> = {
  date: 'Year',
  month: 'Month',
  folder: 'Folder',
  kind: 'File type',
  camera: 'Camera',
  tags: 'Tag',
  place: 'Place',
  country: 'Country',
  rating: 'Rating',
  width: 'Width, pixels',
  height: 'Height, pixels',
  size_bytes: 'File size, bytes',
  duration_s: 'Duration, seconds',
};

/** Return the words for a column. */
export function columnLabel(name: string): string {
  return LABELS[name] ?? name;
}

/** Return the words for a value: "2024-06" is June 2024. */
export function valueLabel(column: string, value: string): string {
  return (column === 'month' && formatMonth(`${value}-01T00:00`)) || value;
}

/**
 * Return what a search of all filters searches among the values of a column: the words that are not in its
 * label, so that "camera x100" finds X100 among the cameras. A label that has all words matches all values.
 */
export function searchedValue(label: string, searched: string): string {
  const words = searched.toLowerCase().split(/\s+/).filter(Boolean);
  return words.filter((word) => !label.toLowerCase().includes(word)).join(' ');
}
