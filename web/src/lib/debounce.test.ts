import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { debounce } from './debounce';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('runs once for a burst of calls, after the last wait', () => {
  const run = vi.fn();
  const debounced = debounce(run, 100);
  debounced.call();
  vi.advanceTimersByTime(99);
  debounced.call();
  vi.advanceTimersByTime(99);
  expect(run).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(run).toHaveBeenCalledOnce();
});

it('does not run after cancel', () => {
  const run = vi.fn();
  const debounced = debounce(run, 100);
  debounced.call();
  debounced.cancel();
  vi.advanceTimersByTime(1000);
  expect(run).not.toHaveBeenCalled();
});
