import type { Box } from './layout';

const SIDEWAYS: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1 };

/**
 * Return the index of the tile that an arrow key leads to: the previous or next one sideways, the nearest
 * one of the row above or below. Null if the key is no arrow or there is no tile in that direction.
 */
export function adjacentTile(boxes: readonly Box[], index: number, key: string): number | null {
  const current = boxes[index];
  if (!current) return null;
  if (key in SIDEWAYS) return index + SIDEWAYS[key]! in boxes ? index + SIDEWAYS[key]! : null;
  if (key === 'ArrowUp') return nearestInRow(boxes, current, index, -1);
  if (key === 'ArrowDown') return nearestInRow(boxes, current, index, 1);
  return null;
}

function nearestInRow(boxes: readonly Box[], current: Box, index: number, step: 1 | -1): number | null {
  let i = index;
  while (boxes[i]?.y === current.y) i += step;
  const rowY = boxes[i]?.y;
  if (rowY === undefined) return null;
  let best = i;
  for (; boxes[i]?.y === rowY; i += step) {
    if (distance(boxes[i]!, current) < distance(boxes[best]!, current)) best = i;
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

/** Minimum horizontal distance of a swipe, CSS px. */
const SWIPE_PX = 48;

/** Return the step of a swipe: left is the next picture (1), right the previous one (-1); null if it is no swipe. */
export function swipeStep(start: Point, end: Point): 1 | -1 | null {
  const dx = end.x - start.x;
  if (Math.abs(dx) < Math.max(SWIPE_PX, 2 * Math.abs(end.y - start.y))) return null;
  return dx < 0 ? 1 : -1;
}
