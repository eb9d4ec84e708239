import type { Picture } from './api';
import type { Box } from './layout';

/** A picture and its place on the page. */
export interface Placed {
  readonly picture: Picture;
  readonly box: Box;
  readonly isWeak: boolean;
}

/**
 * What is drawn in the first frame of an answer: its pictures in the window, above `bottom` px, and no more.
 *
 * Below, tiles of the answer before stay as they are, which costs nothing, as many as will be needed. They
 * become the new ones when the first frame is on the screen.
 */
export function drawnFirst(before: readonly Placed[], next: readonly Placed[], bottom: number): Placed[] {
  const seen = next.filter(({ box }) => box.y < bottom);
  const ids = new Set(seen.map(({ picture }) => picture.id));
  const below = before.filter(({ picture, box }) => box.y >= bottom && !ids.has(picture.id));
  return [...seen, ...below.slice(0, next.length - seen.length)];
}
