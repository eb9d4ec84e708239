import { describe, expect, it } from 'vitest';
import { adjacentTile, swipeStep } from './navigation';

const box = (x: number, y: number, width: number) => ({ x, y, width, height: 10 });
/** Two tiles, then three, then one. */
const boxes = [
  box(0, 0, 50),
  box(60, 0, 40),
  box(0, 20, 30),
  box(35, 20, 30),
  box(70, 20, 30),
  box(0, 40, 20),
];

describe('adjacentTile', () => {
  it.each([
    [0, 'ArrowRight', 1],
    [1, 'ArrowRight', 2],
    [2, 'ArrowLeft', 1],
    [0, 'ArrowDown', 2],
    [1, 'ArrowDown', 4],
    [3, 'ArrowUp', 0],
    [4, 'ArrowUp', 1],
    [4, 'ArrowDown', 5],
    [5, 'ArrowUp', 2],
  ])('leads from tile %d by %s to tile %d', (index, key, next) => {
    expect(adjacentTile(boxes, index, key)).toBe(next);
  });

  it.each([
    [0, 'ArrowLeft'],
    [0, 'ArrowUp'],
    [5, 'ArrowRight'],
    [5, 'ArrowDown'],
    [2, 'Enter'],
    [-1, 'ArrowRight'],
    [9, 'ArrowLeft'],
  ])('returns null from tile %d by %s', (index, key) => {
    expect(adjacentTile(boxes, index, key)).toBeNull();
  });
});

describe('swipeStep', () => {
  it.each([
    [-60, 5, 1],
    [48, -24, -1],
    [47, 0, null],
    [-60, 31, null],
    [0, 300, null],
  ])('turns %d px across and %d px down into step %s', (x, y, step) => {
    expect(swipeStep({ x: 100, y: 100 }, { x: 100 + x, y: 100 + y })).toBe(step);
  });
});
