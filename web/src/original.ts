import type { Sized } from './layout';

/** Few widths, so that one resized picture serves many tiles and every cache on the way. */
export const WIDTH_STEPS: readonly number[] = [320, 480, 640, 960, 1280, 1920, 2560, 3840];

/** The step at or above a width in device pixels; the largest step for anything beyond. */
export function widthStep(widthPx: number): number {
  return WIDTH_STEPS.find((step) => step >= widthPx) ?? WIDTH_STEPS.at(-1)!;
}

/**
 * Width in device pixels that fills `tile` (CSS pixels) with a picture of the shape of `picture`:
 * more than the tile's own width where the tile crops a panorama.
 */
export function coveringWidth(picture: Sized, tile: Sized, pixelRatio: number): number {
  const aspect = picture.width / picture.height;
  const covering = Number.isFinite(aspect) ? Math.max(tile.width, tile.height * aspect) : tile.width;
  return Math.ceil(covering * pixelRatio);
}

/** Where a lossy WebP says its width, in bytes from its beginning; 14 bits, low byte first. */
const WEBP_WIDTH_AT = 26;
/** Width of a preview that does not say it, px. */
const USUAL_PREVIEW_PX = 96;

/** Width in px of a preview, a lossy WebP in base64, read from its header. */
export function previewWidth(preview: string): number {
  let head = '';
  try {
    head = atob(preview.slice(0, 40));
  } catch {
    return USUAL_PREVIEW_PX;
  }
  if (!head.startsWith('VP8 ', 12)) return USUAL_PREVIEW_PX;
  return (
    (head.charCodeAt(WEBP_WIDTH_AT) | (head.charCodeAt(WEBP_WIDTH_AT + 1) << 8)) & 0x3fff || USUAL_PREVIEW_PX
  );
}

/** Blur in CSS pixels for a preview enlarged to `tile`: enough to take the edges off its blocks, no more. */
export function previewBlur(preview: string, tile: Sized): number {
  return Math.round((tile.width / previewWidth(preview)) * 5) / 10;
}

/** Address of the original at `url`, resized by this server to a step that fits `widthPx`; as it is elsewhere. */
export function resizedUrl(url: string, widthPx: number): string {
  if (!url.startsWith('/')) return url;
  return `${url}${url.includes('?') ? '&' : '?'}w=${widthStep(widthPx)}`;
}
