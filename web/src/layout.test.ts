import { describe, expect, it } from 'vitest';
import {
  aspectOf,
  fit,
  gapFor,
  layout,
  NARROWEST,
  rowHeightFor,
  WIDEST,
  type Box,
  type Sized,
} from './layout';

/** Repeatable pseudo-random numbers in 0..1. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

function somePictures(count: number, seed: number): Sized[] {
  const roll = dice(seed);
  return Array.from({ length: count }, () => ({
    width: 200 + Math.floor(roll() * 3000),
    height: 200 + Math.floor(roll() * 3000),
  }));
}

function rowsOf(boxes: readonly Box[]): Box[][] {
  return [...new Set(boxes.map(({ y }) => y))].map((y) => boxes.filter((box) => box.y === y));
}

const WIDTHS = [240, 366, 767.5, 1376, 2512];
const SEEDS = [1, 2, 3, 4, 5];
const cases = WIDTHS.flatMap((width) => SEEDS.map((seed) => [width, seed] as const));

describe.each(cases)('layout of 157 pictures on %d px, seed %d', (width, seed) => {
  const target = rowHeightFor(width);
  const gap = gapFor(width);
  const items = somePictures(157, seed);
  const { boxes, height, settled } = layout(items, width, target, gap);
  const rows = rowsOf(boxes);

  it('gives every item one box, in order, in whole pixels', () => {
    expect(boxes).toHaveLength(items.length);
    for (const box of boxes) {
      expect(Object.values(box).every(Number.isInteger)).toBe(true);
      expect(Math.min(box.width, box.height)).toBeGreaterThan(0);
    }
  });

  it('fills every full row exactly, edge to edge, without overlap', () => {
    for (const row of rows.filter((row) => boxes.indexOf(row.at(-1)!) < settled)) {
      expect(row[0]!.x).toBe(0);
      expect(row.at(-1)!.x + row.at(-1)!.width).toBe(Math.floor(width));
    }
    for (const row of rows) {
      row.slice(1).forEach((box, i) => expect(box.x).toBe(row[i]!.x + row[i]!.width + gap));
    }
  });

  it('stacks the rows without overlap and says their height', () => {
    rows.slice(1).forEach((row, i) => expect(row[0]!.y).toBe(rows[i]![0]!.y + rows[i]![0]!.height + gap));
    const last = rows.at(-1)![0]!;
    expect(height).toBe(last.y + last.height);
  });

  it('keeps the shape of every picture within the rounding', () => {
    boxes.forEach((box, i) => {
      const ideal = box.height * aspectOf(items[i]!);
      // Half a pixel for each of the two edges, and the height's own half pixel seen in the width.
      expect(Math.abs(box.width - ideal)).toBeLessThanOrEqual(1 + aspectOf(items[i]!) / 2 + 1e-9);
    });
  });

  it('keeps full rows near the wanted height and never stretches the last one', () => {
    // The worst that can be: a mast alone in its row, because with the panorama after it the row were as far off.
    const worst = Math.sqrt((NARROWEST + WIDEST) / NARROWEST) * 1.05;
    const off = rows
      .map((row) => Math.max(row[0]!.height / target, target / row[0]!.height))
      .sort((a, b) => a - b);
    expect(off.at(-1)).toBeLessThan(worst);
    expect(off[Math.floor(off.length / 2)]).toBeLessThan(1.3);
    if (settled < boxes.length) expect(rows.at(-1)![0]!.height).toBe(target);
    expect(rows.at(-1)!.at(-1)!.x + rows.at(-1)!.at(-1)!.width).toBeLessThanOrEqual(Math.floor(width));
  });

  it('moves no settled box when items are added', () => {
    const fewer = layout(items.slice(0, 60), width, target, gap);
    expect(fewer.settled).toBeGreaterThan(0);
    expect(boxes.slice(0, fewer.settled)).toEqual(fewer.boxes.slice(0, fewer.settled));
  });
});

describe('layout at the edges', () => {
  it('has nothing to place without items or without room', () => {
    expect(layout([], 1000, 200, 8)).toEqual({ boxes: [], height: 0, settled: 0 });
    expect(layout([{ width: 4, height: 3 }], 0, 200, 8)).toEqual({ boxes: [], height: 0, settled: 0 });
  });

  it('does not stretch a single picture', () => {
    const { boxes, settled } = layout([{ width: 400, height: 300 }], 1000, 240, 8);
    expect(boxes).toEqual([{ x: 0, y: 0, width: 320, height: 240 }]);
    expect(settled).toBe(0);
  });

  it('crops panoramas and masts to a bearable shape', () => {
    const { boxes } = layout([{ width: 40_000, height: 100 }], 2000, 200, 8);
    expect(boxes[0]).toEqual({ x: 0, y: 0, width: 200 * WIDEST, height: 200 });
    expect(aspectOf({ width: 10, height: 9000 })).toBe(NARROWEST);
  });

  it('shrinks a panorama to a narrow page instead of running over', () => {
    const { boxes, settled } = layout([{ width: 9000, height: 1000 }], 180, 120, 4);
    expect(boxes).toEqual([{ x: 0, y: 0, width: 180, height: 50 }]);
    expect(settled).toBe(1);
  });

  it.each([
    { width: 1, height: 1 },
    { width: 0, height: 0 },
    { width: 0, height: 50 },
    { width: NaN, height: 50 },
    { width: -3, height: 50 },
  ])('shows %o as a square', (item) => {
    expect(aspectOf(item)).toBe(1);
    expect(layout([item], 1000, 200, 8).boxes[0]).toEqual({ x: 0, y: 0, width: 200, height: 200 });
  });

  it('survives a page narrower than its gaps', () => {
    const { boxes } = layout(somePictures(40, 9), 5, 120, 8);
    expect(boxes).toHaveLength(40);
    for (const box of boxes) expect(box.x + box.width).toBeLessThanOrEqual(5);
  });
});

describe('fit', () => {
  it('fills the room by the tighter side', () => {
    expect(fit({ width: 4000, height: 1000 }, { width: 800, height: 600 }, 2)).toEqual({
      width: 800,
      height: 200,
    });
    expect(fit({ width: 1000, height: 4000 }, { width: 800, height: 600 }, 2)).toEqual({
      width: 150,
      height: 600,
    });
  });

  it('enlarges a small picture only so far', () => {
    expect(fit({ width: 100, height: 50 }, { width: 800, height: 600 }, 2)).toEqual({
      width: 200,
      height: 100,
    });
  });

  it('is nothing before the room is known', () => {
    expect(fit({ width: 100, height: 50 }, { width: 0, height: 0 }, 2)).toEqual({ width: 0, height: 0 });
  });
});
