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

/** Long side of a preview, px, as the library makes them. */
const PREVIEW_PX = 68;

/** Blur in CSS pixels for a preview enlarged to `tile`: enough to take the edges off its blocks, no more. */
export function previewBlur(tile: Sized): number {
  return Math.round((Math.max(tile.width, tile.height) / PREVIEW_PX) * 5) / 10;
}

/** Address of the original at `url`, resized by the server to a step that fits `widthPx`. */
export function resizedUrl(url: string, widthPx: number): string {
  return `${url}${url.includes('?') ? '&' : '?'}w=${widthStep(widthPx)}`;
}
