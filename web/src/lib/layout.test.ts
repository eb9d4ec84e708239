import { describe, expect, it } from 'vitest';
import {
  aspectRatio,
  fit,
  tileGap,
  layout,
  MIN_ASPECT,
  rowHeight,
  MAX_ASPECT,
  type Box,
  type Size,
} from './layout';

/** Reproducible pseudo-random numbers in 0..1. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

function randomSizes(count: number, seed: number): Size[] {
  const random = randomNumbers(seed);
  return Array.from({ length: count }, () => ({
    width: 200 + Math.floor(random() * 3000),
    height: 200 + Math.floor(random() * 3000),
  }));
}

function rowsOf(boxes: readonly Box[]): Box[][] {
  return [...new Set(boxes.map(({ y }) => y))].map((y) => boxes.filter((box) => box.y === y));
}

const WIDTHS = [240, 366, 767.5, 1376, 2512];
const SEEDS = [1, 2, 3, 4, 5];
const cases = WIDTHS.flatMap((width) => SEEDS.map((seed) => [width, seed] as const));

describe.each(cases)('layout of 157 pictures on %d px, seed %d', (width, seed) => {
  const target = rowHeight(width);
  const gap = tileGap(width);
  const items = randomSizes(157, seed);
  const { boxes, height, stableCount } = layout(items, width, target, gap);
  const rows = rowsOf(boxes);

  it('returns one box per item, in order, in whole pixels', () => {
    expect(boxes).toHaveLength(items.length);
    for (const box of boxes) {
      expect(Object.values(box).every(Number.isInteger)).toBe(true);
      expect(Math.min(box.width, box.height)).toBeGreaterThan(0);
    }
  });

  it('fills every full row exactly, edge to edge, without overlap', () => {
    for (const row of rows.filter((row) => boxes.indexOf(row.at(-1)!) < stableCount)) {
      expect(row[0]!.x).toBe(0);
      expect(row.at(-1)!.x + row.at(-1)!.width).toBe(Math.floor(width));
    }
    for (const row of rows) {
      row.slice(1).forEach((box, i) => expect(box.x).toBe(row[i]!.x + row[i]!.width + gap));
    }
  });

  it('stacks the rows without overlap and returns their height', () => {
    rows.slice(1).forEach((row, i) => expect(row[0]!.y).toBe(rows[i]![0]!.y + rows[i]![0]!.height + gap));
    const last = rows.at(-1)![0]!;
    expect(height).toBe(last.y + last.height);
  });

  it('keeps the aspect ratio of every picture within rounding', () => {
    boxes.forEach((box, i) => {
      const ideal = box.height * aspectRatio(items[i]!);
      // Half a pixel for each of the two edges, and the height's own half pixel seen in the width.
      expect(Math.abs(box.width - ideal)).toBeLessThanOrEqual(1 + aspectRatio(items[i]!) / 2 + 1e-9);
    });
  });

  it('keeps full rows near the target height and does not stretch the last one', () => {
    // Worst case: a tower alone in its row, because the panorama after it would miss the target by the same ratio.
    const worst = Math.sqrt((MIN_ASPECT + MAX_ASPECT) / MIN_ASPECT) * 1.05;
    const ratios = rows
      .map((row) => Math.max(row[0]!.height / target, target / row[0]!.height))
      .sort((a, b) => a - b);
    expect(ratios.at(-1)).toBeLessThan(worst);
    expect(ratios[Math.floor(ratios.length / 2)]).toBeLessThan(1.3);
    if (stableCount < boxes.length) expect(rows.at(-1)![0]!.height).toBe(target);
    expect(rows.at(-1)!.at(-1)!.x + rows.at(-1)!.at(-1)!.width).toBeLessThanOrEqual(Math.floor(width));
  });

  it('moves no box of a full row when items are appended', () => {
    const fewer = layout(items.slice(0, 60), width, target, gap);
    expect(fewer.stableCount).toBeGreaterThan(0);
    expect(boxes.slice(0, fewer.stableCount)).toEqual(fewer.boxes.slice(0, fewer.stableCount));
  });
});

describe('layout at the edges', () => {
  it('returns no boxes without items or without width', () => {
    expect(layout([], 1000, 200, 8)).toEqual({ boxes: [], height: 0, stableCount: 0 });
    expect(layout([{ width: 4, height: 3 }], 0, 200, 8)).toEqual({ boxes: [], height: 0, stableCount: 0 });
  });

  it('does not stretch a single picture', () => {
    const { boxes, stableCount } = layout([{ width: 400, height: 300 }], 1000, 240, 8);
    expect(boxes).toEqual([{ x: 0, y: 0, width: 320, height: 240 }]);
    expect(stableCount).toBe(0);
  });

  it('clamps the aspect ratio of panoramas and towers', () => {
    const { boxes } = layout([{ width: 40_000, height: 100 }], 2000, 200, 8);
    expect(boxes[0]).toEqual({ x: 0, y: 0, width: 200 * MAX_ASPECT, height: 200 });
    expect(aspectRatio({ width: 10, height: 9000 })).toBe(MIN_ASPECT);
  });

  it('shrinks a panorama to the width of a narrow page', () => {
    const { boxes, stableCount } = layout([{ width: 9000, height: 1000 }], 180, 120, 4);
    expect(boxes).toEqual([{ x: 0, y: 0, width: 180, height: 50 }]);
    expect(stableCount).toBe(1);
  });

  it.each([
    { width: 1, height: 1 },
    { width: 0, height: 0 },
    { width: 0, height: 50 },
    { width: NaN, height: 50 },
    { width: -3, height: 50 },
  ])('lays out %o as a square', (item) => {
    expect(aspectRatio(item)).toBe(1);
    expect(layout([item], 1000, 200, 8).boxes[0]).toEqual({ x: 0, y: 0, width: 200, height: 200 });
  });

  it('stays inside a page narrower than its gaps', () => {
    const { boxes } = layout(randomSizes(40, 9), 5, 120, 8);
    expect(boxes).toHaveLength(40);
    for (const box of boxes) expect(box.x + box.width).toBeLessThanOrEqual(5);
  });
});

describe('fit', () => {
  it('fills the bounds by the tighter side', () => {
    expect(fit({ width: 4000, height: 1000 }, { width: 800, height: 600 }, 2)).toEqual({
      width: 800,
      height: 200,
    });
    expect(fit({ width: 1000, height: 4000 }, { width: 800, height: 600 }, 2)).toEqual({
      width: 150,
      height: 600,
    });
  });

  it('limits the enlargement of a small picture', () => {
    expect(fit({ width: 100, height: 50 }, { width: 800, height: 600 }, 2)).toEqual({
      width: 200,
      height: 100,
    });
  });

  it('is 0 × 0 for empty bounds', () => {
    expect(fit({ width: 100, height: 50 }, { width: 0, height: 0 }, 2)).toEqual({ width: 0, height: 0 });
  });
});
