import { describe, expect, it } from 'vitest';
import { samplePicture } from '../testing/samples';
import { withDuplicates, withGroup, withScores } from './duplicates';

const picturesOf = (...ids: number[]) => ids.map((id) => samplePicture({ id }));
const expand = (rankedIds: number[], relevantCount: number | null, groups: [number, number[]][]) => {
  const groupsById = new Map(groups.map(([id, members]) => [id, picturesOf(...members)]));
  const expanded = withDuplicates(picturesOf(...rankedIds), relevantCount, groupsById);
  const ids = expanded.pictures.map(({ id }) => id);
  return { ids, relevantCount: expanded.relevantCount, groupOf: [...expanded.groupOf] };
};

describe('withDuplicates', () => {
  it('returns the ranking unchanged if no group is expanded', () => {
    const ranking = picturesOf(1, 2);
    expect(withDuplicates(ranking, 1, new Map())).toEqual({
      pictures: ranking,
      relevantCount: 1,
      groupOf: new Map(),
    });
    expect(withDuplicates(ranking, 1, new Map()).pictures).toBe(ranking);
  });

  it('inserts each group after its picture', () => {
    expect(
      expand([1, 2, 3], null, [
        [1, [7, 8]],
        [3, [9]],
      ]),
    ).toEqual({
      ids: [1, 7, 8, 2, 3, 9],
      relevantCount: null,
      groupOf: [
        [7, 1],
        [8, 1],
        [9, 3],
      ],
    });
  });

  it('shows a picture once if it is in the ranking or in two groups', () => {
    expect(
      expand([1, 2, 3], null, [
        [1, [2, 7]],
        [3, [7]],
      ]).ids,
    ).toEqual([1, 7, 2, 3]);
  });

  it('moves the first weak match by the pictures inserted before it', () => {
    const groups: [number, number[]][] = [
      [1, [7, 8]],
      [3, [9]],
    ];
    expect(expand([1, 2, 3], 1, groups).relevantCount).toBe(3);
    expect(expand([1, 2, 3], 2, groups).relevantCount).toBe(4);
    expect(expand([1, 2, 3], 9, groups).relevantCount).toBe(12);
    expect(expand([1, 2, 3], 0, groups).relevantCount).toBe(0);
  });
});

it('adds and removes a group without changing the others', () => {
  const one = withGroup(new Map(), 1, picturesOf(7));
  const two = withGroup(one, 2, picturesOf(8));
  expect([...withGroup(two, 1, null).keys()]).toEqual([2]);
  expect([...one.keys()]).toEqual([1]);
});

it('gives near-duplicates the scores that came with their picture', () => {
  const head = samplePicture({ id: 1, similar: [5, 6, 7], similarScores: [0.5, null, 0.3] });
  const members = withScores(picturesOf(7, 5, 6, 9), head);
  expect(members.map(({ score }) => score)).toEqual([0.3, 0.5, null, null]);
});
