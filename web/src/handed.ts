import type { Term } from './question';

/** Enough for every model: its picture is at most this high and wide. */
const SIDE_PX = 384;
const QUALITY = 0.9;

/** Size of a picture whose shorter side is at most `SIDE_PX`, the longer at most three times that. */
export function shrunk(width: number, height: number): { width: number; height: number } {
  const scale = Math.min(1, SIDE_PX / Math.min(width, height), (3 * SIDE_PX) / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/** A picture file made small, as a JPEG in base64. Rejects with an Error for what the browser cannot read. */
async function shrink(file: Blob): Promise<string> {
  const picture = await createImageBitmap(file).catch(() => {
    throw new Error('This is not a picture that the browser can read. JPEG, PNG, WebP, GIF and AVIF are.');
  });
  const size = shrunk(picture.width, picture.height);
  const canvas = Object.assign(document.createElement('canvas'), size);
  const pen = canvas.getContext('2d')!;
  pen.fillStyle = '#fff';
  pen.fillRect(0, 0, size.width, size.height);
  pen.drawImage(picture, 0, 0, size.width, size.height);
  picture.close();
  return canvas.toDataURL('image/jpeg', QUALITY).split(',')[1]!;
}

/** A picture file as a part of the question. Rejects as `shrink` does. */
export async function termOfFile(file: Blob): Promise<Term> {
  const value = await shrink(file);
  const label = file instanceof File && file.name ? file.name : 'a picture';
  return { kind: 'image', value, label, thumbnail: `data:image/jpeg;base64,${value}`, weight: 1 };
}

/** The address of a picture as a part of the question. */
export function termOfLink(link: string): Term {
  return { kind: 'image_url', value: link, label: link, thumbnail: '', weight: 1 };
}

/** The first picture file among what was dropped or pasted. */
export function fileIn(data: DataTransfer | null): File | null {
  return [...(data?.files ?? [])].find(({ type }) => type.startsWith('image/')) ?? null;
}

/** The first web address among what was dropped; null where there is none. */
export function linkIn(data: DataTransfer | null): string | null {
  return linkOf(data?.getData('text/uri-list') ?? '') ?? linkOf(data?.getData('text/plain') ?? '');
}

/** A text that is nothing but a web address. */
export function linkOf(text: string): string | null {
  const line = text.trim().split(/\r?\n/)[0]!;
  return /^https?:\/\/[^\s]+$/i.test(line) ? line : null;
}
