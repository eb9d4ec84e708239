import type { Picture } from './api';
import type { Box } from './layout';

/** A picture with its box on the page. */
export interface PlacedPicture {
  readonly picture: Picture;
  readonly box: Box;
  readonly isWeak: boolean;
}

/**
 * Return the tiles to draw in the first frame of new results: only the pictures inside the window, above
 * `bottom` px.
 *
 * Below it, old tiles stay unchanged, which costs nothing. As many stay as the new results need, so that
 * they are reused once the first frame is on the screen.
 */
export function firstPaintTiles(
  previous: readonly PlacedPicture[],
  next: readonly PlacedPicture[],
  bottom: number,
): PlacedPicture[] {
  const visible = next.filter(({ box }) => box.y < bottom);
  const ids = new Set(visible.map(({ picture }) => picture.id));
  const below = previous.filter(({ picture, box }) => box.y >= bottom && !ids.has(picture.id));
  return [...visible, ...below.slice(0, next.length - visible.length)];
}
