import { expect, it } from 'vitest';
import { partsOf, wholeMs } from './timing';

const took = { embed: 1.2, search: 0.3, fetch: 0.5, total: 2.1 };

it('splits the way into parts that add up', () => {
  const timing = { took, roundTripMs: 6, paintMs: 9 };
  expect(partsOf(timing).map(({ name, ms }) => [name, ms])).toEqual([
    ['embed', 1.2],
    ['search', 0.3],
    ['fetch', 0.5],
    ['network', 4],
    ['paint', 9],
  ]);
  expect(wholeMs(timing)).toBeCloseTo(15);
});

it('never shows a negative network, and no paint before it is known', () => {
  const parts = partsOf({ took, roundTripMs: 1, paintMs: null });
  expect(parts.find(({ name }) => name === 'network')!.ms).toBe(0);
  expect(parts.find(({ name }) => name === 'paint')!.ms).toBe(0);
});
