import { beforeEach, expect, it, vi } from 'vitest';
import { JUMP_PAUSE_MS, ScrubberState } from './scrubber.svelte';

const months = ['2024-06', '2024-05', '2023-12', '2022-01'].map((month, i) => {
  return { month, count: 10, offset: 10 * i };
});

function stripOver() {
  const jumps: number[] = [];
  const answers: (() => void)[] = [];
  const jump = (offset: number) => {
    jumps.push(offset);
    return new Promise<void>((resolve) => answers.push(resolve));
  };
  const strip = new ScrubberState({ jump });
  strip.timeline = { months, total: 40, undated: 0 };
  const answer = async () => {
    answers.shift()!();
    await vi.advanceTimersByTimeAsync(0);
  };
  return { strip, jumps, answer };
}

beforeEach(() => void vi.useFakeTimers());

it('loads once after several steps, and rests when the pictures are there', async () => {
  const { strip, jumps, answer } = stripOver();
  strip.goTo(1);
  strip.goTo(2);
  expect([strip.index, jumps]).toEqual([2, []]);
  await vi.advanceTimersByTimeAsync(JUMP_PAUSE_MS);
  expect(jumps).toEqual([20]);
  await answer();
  expect([strip.wanted, strip.index]).toEqual([null, 2]);
});

it('stays at a newer position while an older one loads', async () => {
  const { strip, jumps, answer } = stripOver();
  strip.goTo(3);
  await vi.advanceTimersByTimeAsync(JUMP_PAUSE_MS);
  strip.goTo(-5);
  await answer();
  expect(strip.index).toBe(0);
  await vi.advanceTimersByTimeAsync(JUMP_PAUSE_MS);
  expect(jumps).toEqual([30, 0]);
});

it('waits for the newest pictures when a drag rested and then ended', async () => {
  const { strip, jumps, answer } = stripOver();
  strip.isDragged = true;
  strip.goTo(2);
  await vi.advanceTimersByTimeAsync(JUMP_PAUSE_MS);
  strip.isDragged = false;
  void strip.jump(); // aborts the request of the pause, which answers at once
  await answer();
  strip.track('June 2024'); // the headings are still those of the old pictures
  expect([strip.index, strip.wanted !== null, jumps]).toEqual([2, true, [20, 20]]);
  await answer();
  expect([strip.index, strip.wanted]).toEqual([2, null]);
});

it('follows the list unless it is moved', () => {
  const { strip } = stripOver();
  strip.track('December 2023');
  expect(strip.index).toBe(2);
  strip.track('No such month');
  expect(strip.index).toBe(2);
  strip.moveTo(0);
  strip.track('January 2022');
  expect(strip.index).toBe(0);
  strip.cancel();
});

it('steps by years', () => {
  const { strip } = stripOver();
  strip.stepYear(1);
  expect(strip.index).toBe(2);
  strip.stepYear(1);
  expect(strip.index).toBe(3);
  strip.stepYear(-1);
  expect(strip.index).toBe(2);
  strip.cancel();
});
