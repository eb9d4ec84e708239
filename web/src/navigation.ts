import type { Box } from './layout';

const SIDEWAYS: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1 };

/**
 * The tile an arrow key leads to from the tile `from`: the next or the previous one sideways, the nearest
 * one of the next row up or down. Null if the key is no arrow or there is no tile that way.
 */
export function neighbour(boxes: readonly Box[], from: number, key: string): number | null {
  const here = boxes[from];
  if (!here) return null;
  if (key in SIDEWAYS) return from + SIDEWAYS[key]! in boxes ? from + SIDEWAYS[key]! : null;
  if (key === 'ArrowUp') return nearestInRow(boxes, here, from, -1);
  if (key === 'ArrowDown') return nearestInRow(boxes, here, from, 1);
  return null;
}

function nearestInRow(boxes: readonly Box[], here: Box, from: number, step: 1 | -1): number | null {
  let i = from;
  while (boxes[i]?.y === here.y) i += step;
  const rowY = boxes[i]?.y;
  if (rowY === undefined) return null;
  let best = i;
  for (; boxes[i]?.y === rowY; i += step) {
    if (distance(boxes[i]!, here) < distance(boxes[best]!, here)) best = i;
  }
  return best;
}

function distance(a: Box, b: Box): number {
  return Math.abs(a.x + a.width / 2 - (b.x + b.width / 2));
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** How far a finger must go sideways to turn the page, CSS px. */
const SWIPE_PX = 48;

/** The step a swipe means: to the left the next (1), to the right the previous (-1); null for no swipe. */
export function swipe(from: Point, to: Point): 1 | -1 | null {
  const sideways = to.x - from.x;
  if (Math.abs(sideways) < Math.max(SWIPE_PX, 2 * Math.abs(to.y - from.y))) return null;
  return sideways < 0 ? 1 : -1;
}
