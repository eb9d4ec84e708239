import type { Picture } from './api';
import { nameOf } from './wording';

export const FORMATS = ['paths', 'csv', 'json'] as const;
export type Format = (typeof FORMATS)[number];

/** Where a picture is, for other programs: its folder and name, or its address on the web. */
export function pathOf(picture: Picture): string {
  if (!picture.url.startsWith('/')) return picture.url;
  const folder = picture.meta['folder'];
  return typeof folder === 'string' && folder ? `${folder}/${nameOf(picture)}` : nameOf(picture);
}

/** The chosen pictures as a text file of the format. */
export function exported(pictures: readonly Picture[], format: Format): string {
  const rows = pictures.map((picture) => ({
    id: picture.id,
    path: pathOf(picture),
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
  const lines = rows.map((row) => Object.values(row).map(cell).join(','));
  return ['id,path,width,height,caption,score', ...lines].map((line) => `${line}\r\n`).join('');
}

/** Gives the reader the chosen pictures as a file of the format. */
export function save(pictures: readonly Picture[], format: Format): void {
  const type = { paths: 'text/plain', csv: 'text/csv', json: 'application/json' }[format];
  const href = URL.createObjectURL(new Blob([exported(pictures, format)], { type }));
  const download = `pictures.${format === 'paths' ? 'txt' : format}`;
  Object.assign(document.createElement('a'), { href, download }).click();
  setTimeout(() => URL.revokeObjectURL(href), 1000);
}

/** One value as RFC 4180 has it; a text that a spreadsheet would run as a formula begins with a '. */
function cell(value: string | number | null): string {
  const text = typeof value === 'string' ? value.replace(/^(?=[=+@\t-])/, "'") : String(value ?? '');
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The set with the id if it was not there, without it if it was. */
export function toggled(ids: ReadonlySet<number>, id: number): ReadonlySet<number> {
  const next = new Set(ids);
  if (!next.delete(id)) next.add(id);
  return next;
}
