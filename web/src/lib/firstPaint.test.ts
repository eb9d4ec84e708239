import { describe, expect, it } from 'vitest';
import { samplePicture } from '../testing/samples';
import { firstPaintTiles, type PlacedPicture } from './firstPaint';

/** Pictures with these ids in a column, 100 px each. */
const column = (...ids: number[]): PlacedPicture[] =>
  ids.map((id, i) => ({
    picture: samplePicture({ id }),
    box: { x: 0, y: 100 * i, width: 100, height: 90 },
    isWeak: false,
  }));
const idsOf = (placed: readonly PlacedPicture[]) => placed.map(({ picture }) => picture.id);

describe('firstPaintTiles', () => {
  it('draws new pictures inside the window and keeps old tiles below it', () => {
    const previous = column(1, 2, 3, 4);
    const drawn = firstPaintTiles(previous, column(5, 6, 7, 8), 150);
    expect(idsOf(drawn)).toEqual([5, 6, 3, 4]);
    expect(drawn[2]).toBe(previous[2]);
  });

  it('draws each picture once', () => {
    expect(idsOf(firstPaintTiles(column(1, 2, 3, 4), column(4, 6, 7, 8), 150))).toEqual([4, 6, 3]);
  });

  it('keeps only as many old tiles as the new results need', () => {
    expect(idsOf(firstPaintTiles(column(1, 2, 3, 4), column(5), 150))).toEqual([5]);
    expect(idsOf(firstPaintTiles(column(1, 2, 3, 4), column(5, 6, 7), 150))).toEqual([5, 6, 3]);
  });

  it('draws only the window if there were no tiles before', () => {
    expect(idsOf(firstPaintTiles([], column(5, 6, 7), 150))).toEqual([5, 6]);
  });
});
