import type { Picture } from './api';
import { pictureName } from './pictureText';
import { isOnServer } from './serverUrl';

export type ExportFormat = 'paths' | 'csv' | 'json';

/** Export files with their labels. */
export const EXPORTS: readonly (readonly [format: ExportFormat, label: string])[] = [
  ['csv', 'CSV'],
  ['json', 'JSON'],
  ['paths', 'List of paths'],
];

/** Maximum number of pictures in one archive: the server's limit. */
export const MAX_ARCHIVED = 256;

/** Return the path of the archive of these pictures; null if their originals are all on other servers. */
export function zipPath(pictures: readonly Picture[]): string | null {
  const ids = pictures.filter(({ url }) => isOnServer(url)).map(({ id }) => id);
  return ids.length > 0 ? `/api/zip?ids=${ids.slice(0, MAX_ARCHIVED).join(',')}` : null;
}

/** Copy a text to the clipboard. Return whether the browser allowed it. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text); // a page without https may not use the clipboard directly
  }
}

function copyBySelection(text: string): boolean {
  const area = Object.assign(document.createElement('textarea'), { value: text });
  const focused = document.activeElement;
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand('copy');
  area.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return isCopied;
}

/** Return the location of a picture for other programs: folder and name, or its web URL. */
export function picturePath(picture: Picture): string {
  if (!isOnServer(picture.url)) return picture.url;
  const folder = picture.meta['folder'];
  return typeof folder === 'string' && folder ? `${folder}/${pictureName(picture)}` : pictureName(picture);
}

/** Return the contents of an export file; `whole` has the paths on this machine, if they are known. */
export function exportText(
  pictures: readonly Picture[],
  format: ExportFormat,
  whole: ReadonlyMap<number, string> = new Map(),
): string {
  const rows = pictures.map((picture) => ({
    id: picture.id,
    path: whole.get(picture.id) ?? picturePath(picture),
    width: picture.width,
    height: picture.height,
    caption: picture.caption,
    score: picture.score,
  }));
  if (format === 'paths') return rows.map(({ path }) => `${path}\n`).join('');
  if (format === 'json')
    return JSON.stringify(
      rows.map((row, i) => ({ ...row, meta: pictures[i]!.meta })),
      null,
      2,
    );
  const lines = rows.map((row) => Object.values(row).map(csvField).join(','));
  return ['id,path,width,height,caption,score', ...lines].map((line) => `${line}\r\n`).join('');
}

/** Download the pictures as an export file. */
export function downloadExport(pictures: readonly Picture[], format: ExportFormat): void {
  const type = { paths: 'text/plain', csv: 'text/csv', json: 'application/json' }[format];
  const href = URL.createObjectURL(new Blob([exportText(pictures, format)], { type }));
  const download = `pictures.${format === 'paths' ? 'txt' : format}`;
  Object.assign(document.createElement('a'), { href, download }).click();
  setTimeout(() => URL.revokeObjectURL(href), 1000);
}

/** Return a field by RFC 4180; a leading ' keeps a spreadsheet from running the text as a formula. */
function csvField(value: string | number | null): string {
  const text = typeof value === 'string' ? value.replace(/^(?=[=+@\t-])/, "'") : String(value ?? '');
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
