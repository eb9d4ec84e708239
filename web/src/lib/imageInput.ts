import type { Term } from './query';

export const NOT_A_PICTURE =
  'This is not a picture that the browser can decode. Use a JPEG, PNG, WebP, GIF or AVIF file.';

/** Turn an image file into a term. Rejects with an Error if the browser cannot decode it. */
export async function fileTerm(file: Blob): Promise<Term> {
  const { resizeForUpload } = await import('./uploadResize');
  const value = await resizeForUpload(file);
  const label = file instanceof File && file.name ? file.name : 'a picture';
  return { kind: 'image', value, label, thumbnail: `data:image/jpeg;base64,${value}`, weight: 1 };
}

/** Turn the URL of an image into a term. */
export function urlTerm(url: string): Term {
  return { kind: 'image_url', value: url, label: url, thumbnail: '', weight: 1 };
}

/** Return the first image file of dropped or pasted data. */
export function imageFileIn(data: DataTransfer | null): File | null {
  return [...(data?.files ?? [])].find(({ type }) => type.startsWith('image/')) ?? null;
}

/** Return the first web URL of dropped data; null if there is none. */
export function droppedUrl(data: DataTransfer | null): string | null {
  return urlFromText(data?.getData('text/uri-list') ?? '') ?? urlFromText(data?.getData('text/plain') ?? '');
}

/** Return the URL of a text whose first line is nothing but a web URL; null otherwise. */
export function urlFromText(text: string): string | null {
  const line = text.trim().split(/\r?\n/)[0]!;
  return /^https?:\/\/[^\s]+$/i.test(line) ? line : null;
}
