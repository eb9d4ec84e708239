import { expect, it } from 'vitest';
import { slotsFor } from './slots';

const slots = (...ids: number[]) => new Map(ids.map((id, slot) => [id, slot]));
const entries = (map: ReadonlyMap<number, number>) => [...map];

it('numbers the first pictures from 0', () => {
  expect(entries(slotsFor(new Map(), [7, 3, 9]))).toEqual([
    [7, 0],
    [3, 1],
    [9, 2],
  ]);
});

it('gives the slots of those that go to those that come', () => {
  expect(entries(slotsFor(slots(7, 3, 9), [1, 2, 4]))).toEqual([
    [1, 0],
    [2, 1],
    [4, 2],
  ]);
});

it('leaves a picture its slot, wherever it stands now', () => {
  expect(entries(slotsFor(slots(7, 3, 9), [9, 1, 7, 2]))).toEqual([
    [9, 2],
    [1, 1],
    [7, 0],
    [2, 3],
  ]);
});

it('keeps all slots while pictures are added, and gives none twice', () => {
  let now = new Map<number, number>();
  for (const ids of [
    [5, 6],
    [5, 6, 7, 8],
    [8, 1],
    [1, 2, 3, 8, 5],
  ]) {
    const next = slotsFor(now, ids);
    expect([...next.keys()]).toEqual(ids);
    expect(new Set(next.values()).size).toBe(ids.length);
    for (const id of ids) if (now.has(id)) expect(next.get(id)).toBe(now.get(id));
    now = next;
  }
});
