import { describe, expect, it } from 'vitest';
import type { Picture } from './api';
import { spread, withGroup } from './unfold';

const picture = (id: number): Picture => ({
  id,
  score: null,
  url: `/api/image/${id}`,
  width: 4,
  height: 3,
  color: '#000000',
  preview: '',
  caption: null,
  meta: {},
  similar: [],
});
const some = (...ids: number[]) => ids.map(picture);
const shown = (ranked: number[], weakFrom: number | null, groups: [number, number[]][]) => {
  const unfolded = new Map(groups.map(([id, members]) => [id, some(...members)]));
  const { pictures, ...rest } = spread(some(...ranked), weakFrom, unfolded);
  return { ids: pictures.map(({ id }) => id), weakFrom: rest.weakFrom, heads: [...rest.heads] };
};

describe('spread', () => {
  it('leaves a ranking in which nothing is unfolded as it is', () => {
    const ranked = some(1, 2);
    expect(spread(ranked, 1, new Map())).toEqual({ pictures: ranked, weakFrom: 1, heads: new Map() });
    expect(spread(ranked, 1, new Map()).pictures).toBe(ranked);
  });

  it('puts each group behind its head', () => {
    expect(
      shown([1, 2, 3], null, [
        [1, [7, 8]],
        [3, [9]],
      ]),
    ).toEqual({
      ids: [1, 7, 8, 2, 3, 9],
      weakFrom: null,
      heads: [
        [7, 1],
        [8, 1],
        [9, 3],
      ],
    });
  });

  it('shows a picture once, whether it is in the ranking or in two groups', () => {
    expect(
      shown([1, 2, 3], null, [
        [1, [2, 7]],
        [3, [7]],
      ]).ids,
    ).toEqual([1, 7, 2, 3]);
  });

  it('moves the line above weak matches by what is unfolded above it, and by no more', () => {
    const groups: [number, number[]][] = [
      [1, [7, 8]],
      [3, [9]],
    ];
    expect(shown([1, 2, 3], 1, groups).weakFrom).toBe(3);
    expect(shown([1, 2, 3], 2, groups).weakFrom).toBe(4);
    expect(shown([1, 2, 3], 9, groups).weakFrom).toBe(12);
    expect(shown([1, 2, 3], 0, groups).weakFrom).toBe(0);
  });
});

it('takes a group in and out without touching the others', () => {
  const one = withGroup(new Map(), 1, some(7));
  const two = withGroup(one, 2, some(8));
  expect([...withGroup(two, 1, null).keys()]).toEqual([2]);
  expect([...one.keys()]).toEqual([1]);
});
