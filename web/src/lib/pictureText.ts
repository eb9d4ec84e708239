import type { Picture } from './api';
import { formatDate } from './format';

/** Return the file name of the picture, or its id if it has none. */
export function pictureName(picture: Picture): string {
  return metaText(picture, 'name') ?? `picture ${picture.id}`;
}

/**
 * Return the alternative text of the picture: its caption or title. Without them, the day says more about a
 * photo than the name of its file; without a day, the name has to do.
 */
export function pictureLabel(picture: Picture): string {
  const words = picture.caption || metaText(picture, 'title');
  if (words) return words;
  const taken = takenText(picture);
  if (taken === null) return pictureName(picture);
  return ['Photo', taken, metaText(picture, 'folder')].filter((part) => part !== null).join(', ');
}

/** Return where a word of the query was found: "in the folder name"; '' if the picture was found by sight. */
export function whyText({ why }: Picture): string {
  return why.length > 0 ? `in the ${why.join(', ')}` : '';
}

/** Return when the picture was taken; null if that is not known. */
export function takenText(picture: Picture): string | null {
  return formatDate(metaText(picture, 'taken') ?? '');
}

/** Return a column with a text; null if there is none. */
export function metaText(picture: Picture, key: string): string | null {
  const value = picture.meta[key];
  return typeof value === 'string' && value !== '' ? value : null;
}
