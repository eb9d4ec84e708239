import { describe, expect, it } from 'vitest';
import { drawnFirst, type Placed } from './drawing';

/** Pictures of these ids in a column, 100 px each. */
const column = (...ids: number[]): Placed[] =>
  ids.map((id, i) => ({
    picture: {
      id,
      score: null,
      url: '',
      width: 1,
      height: 1,
      color: '',
      preview: '',
      caption: null,
      meta: {},
      similar: [],
    },
    box: { x: 0, y: 100 * i, width: 100, height: 90 },
    isWeak: false,
  }));
const idsOf = (placed: readonly Placed[]) => placed.map(({ picture }) => picture.id);

describe('drawnFirst', () => {
  it('draws what is in the window, and leaves what was below it as it was', () => {
    const before = column(1, 2, 3, 4);
    const drawn = drawnFirst(before, column(5, 6, 7, 8), 150);
    expect(idsOf(drawn)).toEqual([5, 6, 3, 4]);
    expect(drawn[2]).toBe(before[2]);
  });

  it('draws no picture twice', () => {
    expect(idsOf(drawnFirst(column(1, 2, 3, 4), column(4, 6, 7, 8), 150))).toEqual([4, 6, 3]);
  });

  it('keeps no more than the answer will need', () => {
    expect(idsOf(drawnFirst(column(1, 2, 3, 4), column(5), 150))).toEqual([5]);
    expect(idsOf(drawnFirst(column(1, 2, 3, 4), column(5, 6, 7), 150))).toEqual([5, 6, 3]);
  });

  it('draws the window alone where nothing was before', () => {
    expect(idsOf(drawnFirst([], column(5, 6, 7), 150))).toEqual([5, 6]);
  });
});
