import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { debounce } from './debounce';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('lets only the last call of a burst through, after the wait', () => {
  const seen: string[] = [];
  const debounced = debounce<string>((value) => seen.push(value), 100);
  debounced.call('a');
  vi.advanceTimersByTime(99);
  debounced.call('ab');
  vi.advanceTimersByTime(99);
  expect(seen).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(seen).toEqual(['ab']);
});

it('runs nothing once cancelled', () => {
  const seen: string[] = [];
  const debounced = debounce<string>((value) => seen.push(value), 100);
  debounced.call('a');
  debounced.cancel();
  vi.advanceTimersByTime(1000);
  expect(seen).toEqual([]);
});
