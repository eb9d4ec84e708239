import { expect, it } from 'vitest';
import { rateOf, withMoment } from './speed';

it('counts answers a second over the last two seconds', () => {
  let moments: readonly number[] = [];
  expect(rateOf(moments)).toBe(0);
  for (const now of [0, 100, 200, 300, 400]) moments = withMoment(moments, now);
  expect(rateOf(moments)).toBe(10);
  moments = withMoment(moments, 2350);
  expect(moments).toEqual([400, 2350]);
});
