import { describe, expect, it } from 'vitest';
import { neighbour, swipe } from './navigation';

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

describe('neighbour', () => {
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
  ])('leads from tile %d by %s to tile %d', (from, key, to) => {
    expect(neighbour(boxes, from, key)).toBe(to);
  });

  it.each([
    [0, 'ArrowLeft'],
    [0, 'ArrowUp'],
    [5, 'ArrowRight'],
    [5, 'ArrowDown'],
    [2, 'Enter'],
    [-1, 'ArrowRight'],
    [9, 'ArrowLeft'],
  ])('leads nowhere from tile %d by %s', (from, key) => {
    expect(neighbour(boxes, from, key)).toBeNull();
  });
});

describe('swipe', () => {
  it.each([
    [-60, 5, 1],
    [48, -24, -1],
    [47, 0, null],
    [-60, 31, null],
    [0, 300, null],
  ])('means by %d px across and %d px down the step %s', (x, y, step) => {
    expect(swipe({ x: 100, y: 100 }, { x: 100 + x, y: 100 + y })).toBe(step);
  });
});
