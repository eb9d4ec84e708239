import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LONG_PRESS_MS, LongPress } from './longPress';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function begin() {
  const pressed: string[] = [];
  return { pressed, press: new LongPress<string>((item) => void pressed.push(item)) };
}

it('is a finger that stays, and takes the click at its end', () => {
  const { pressed, press } = begin();
  press.down('a', { x: 5, y: 5 }, 0);
  press.move({ x: 9, y: 9 });
  vi.advanceTimersByTime(LONG_PRESS_MS);
  expect(pressed).toEqual(['a']);
  expect([press.takeClick(), press.takeClick()]).toEqual([true, false]);
});

it('is not a finger that scrolls or leaves early', () => {
  const { pressed, press } = begin();
  press.down('a', { x: 5, y: 5 }, 0);
  press.move({ x: 5, y: 30 });
  vi.advanceTimersByTime(LONG_PRESS_MS);
  press.down('b', { x: 5, y: 5 }, 0);
  vi.advanceTimersByTime(LONG_PRESS_MS - 1);
  press.cancel();
  vi.advanceTimersByTime(LONG_PRESS_MS);
  expect([pressed, press.takeClick()]).toEqual([[], false]);
});

it('is long by the time of its events if the timer is late', () => {
  const { pressed, press } = begin();
  press.down('a', { x: 0, y: 0 }, 100);
  press.up(99 + LONG_PRESS_MS);
  expect([pressed, press.takeClick()]).toEqual([[], false]);
  press.down('a', { x: 0, y: 0 }, 100);
  press.up(100 + LONG_PRESS_MS);
  vi.advanceTimersByTime(LONG_PRESS_MS);
  expect([pressed, press.takeClick()]).toEqual([['a'], true]);
});

it('fires once if the browser reports it, too', () => {
  const { pressed, press } = begin();
  press.down('a', { x: 0, y: 0 }, 0);
  press.fire();
  press.fire();
  press.up(LONG_PRESS_MS);
  vi.advanceTimersByTime(LONG_PRESS_MS);
  expect(pressed).toEqual(['a']);
});

it('leaves the click of a later tap alone', () => {
  const { press } = begin();
  press.down('a', { x: 0, y: 0 }, 0);
  press.fire();
  press.down('b', { x: 0, y: 0 }, 0);
  press.cancel();
  expect(press.takeClick()).toBe(false);
});
