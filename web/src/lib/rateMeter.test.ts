import { expect, it } from 'vitest';
import { responsesPerSecond, withTimestamp } from './rateMeter';

it('averages responses per second over the last two seconds', () => {
  let timestamps: readonly number[] = [];
  expect(responsesPerSecond(timestamps)).toBe(0);
  for (const now of [0, 100, 200, 300, 400]) timestamps = withTimestamp(timestamps, now);
  expect(responsesPerSecond(timestamps)).toBe(10);
  timestamps = withTimestamp(timestamps, 2350);
  expect(timestamps).toEqual([400, 2350]);
});
