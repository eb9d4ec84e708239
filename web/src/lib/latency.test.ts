import { expect, it } from 'vitest';
import { latencyParts, totalMs } from './latency';

const server = { embed: 1.2, search: 0.3, fetch: 0.5, total: 2.1 };

it('splits the latency into parts that add up to the total', () => {
  const latency = { server, roundTripMs: 6, paintMs: 9 };
  expect(latencyParts(latency).map(({ name, ms }) => [name, ms])).toEqual([
    ['embed', 1.2],
    ['search', 0.3],
    ['fetch', 0.5],
    ['network', 4],
    ['paint', 9],
  ]);
  expect(totalMs(latency)).toBeCloseTo(15);
});

it('clamps a negative network time to 0, and shows paint as 0 until it is measured', () => {
  const parts = latencyParts({ server, roundTripMs: 1, paintMs: null });
  expect(parts.find(({ name }) => name === 'network')!.ms).toBe(0);
  expect(parts.find(({ name }) => name === 'paint')!.ms).toBe(0);
});
