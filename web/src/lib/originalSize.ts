import type { Size } from './layout';
import { isOnServer } from './serverUrl';

/** Widths that originals are resized to. Few, so that one resized image serves many tiles and every cache. */
export const WIDTH_STEPS: readonly number[] = [320, 480, 640, 960, 1280, 1920, 2560, 3840];

/** Return the smallest step of at least `widthPx` device pixels, or the largest step. */
export function widthStep(widthPx: number): number {
  return WIDTH_STEPS.find((step) => step >= widthPx) ?? WIDTH_STEPS.at(-1)!;
}

/**
 * Return the width in device pixels at which a picture covers `tile` (CSS pixels). It is more than the
 * width of the tile if the tile crops the picture.
 */
export function coveringWidth(picture: Size, tile: Size, pixelRatio: number): number {
  const aspect = picture.width / picture.height;
  const covering = Number.isFinite(aspect) ? Math.max(tile.width, tile.height * aspect) : tile.width;
  return Math.ceil(covering * pixelRatio);
}

/** Byte offset of the width in the header of a lossy WebP: 14 bits, little-endian. */
const WEBP_WIDTH_OFFSET = 26;
/** Assumed width of a preview whose header has none, px. */
const DEFAULT_PREVIEW_PX = 96;

/** Return the width in px of a preview (lossy WebP in base64), read from its header. */
export function previewWidth(preview: string): number {
  let header: string;
  try {
    header = atob(preview.slice(0, 40));
  } catch {
    return DEFAULT_PREVIEW_PX;
  }
  if (!header.startsWith('VP8 ', 12)) return DEFAULT_PREVIEW_PX;
  const bits = header.charCodeAt(WEBP_WIDTH_OFFSET) | (header.charCodeAt(WEBP_WIDTH_OFFSET + 1) << 8);
  return bits & 0x3fff || DEFAULT_PREVIEW_PX;
}

/** Return the blur radius (CSS px) that hides the block edges of a preview enlarged to `tile`. */
export function previewBlur(preview: string, tile: Size): number {
  return Math.round((tile.width / previewWidth(preview)) * 5) / 10;
}

/** Return the URL of the original, resized by this server to a step of at least `widthPx`; web URLs stay as they are. */
export function resizedUrl(url: string, widthPx: number): string {
  if (!isOnServer(url)) return url;
  return `${url}${url.includes('?') ? '&' : '?'}w=${widthStep(widthPx)}`;
}
