import { expect, it } from 'vitest';
import { assignSlots } from './tilePool';

const slots = (...ids: number[]) => new Map(ids.map((id, slot) => [id, slot]));
const entries = (map: ReadonlyMap<number, number>) => [...map];

it('assigns slots from 0 to the first pictures', () => {
  expect(entries(assignSlots(new Map(), [7, 3, 9]))).toEqual([
    [7, 0],
    [3, 1],
    [9, 2],
  ]);
});

it('reuses the slots of removed pictures for new ones', () => {
  expect(entries(assignSlots(slots(7, 3, 9), [1, 2, 4]))).toEqual([
    [1, 0],
    [2, 1],
    [4, 2],
  ]);
});

it('keeps the slot of a picture that moved', () => {
  expect(entries(assignSlots(slots(7, 3, 9), [9, 1, 7, 2]))).toEqual([
    [9, 2],
    [1, 1],
    [7, 0],
    [2, 3],
  ]);
});

it('keeps all slots when pictures are added, and assigns none twice', () => {
  let current = new Map<number, number>();
  for (const ids of [
    [5, 6],
    [5, 6, 7, 8],
    [8, 1],
    [1, 2, 3, 8, 5],
  ]) {
    const next = assignSlots(current, ids);
    expect([...next.keys()]).toEqual(ids);
    expect(new Set(next.values()).size).toBe(ids.length);
    for (const id of ids) if (current.has(id)) expect(next.get(id)).toBe(current.get(id));
    current = next;
  }
});
