import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { SLIDE_MS, showNext, SlideshowState } from './slideshow.svelte';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function begin(count: number) {
  const shown: number[] = [];
  const slideshow = new SlideshowState(async () => {
    if (shown.length === count) return false;
    shown.push(shown.length + 1);
    return true;
  });
  return { slideshow, shown, pass: (ms: number) => vi.advanceTimersByTimeAsync(ms) };
}

it('shows each picture for its time and ends with the last', async () => {
  const { slideshow, shown, pass } = begin(2);
  slideshow.toggle();
  await pass(SLIDE_MS - 1);
  expect(shown).toEqual([]);
  await pass(1);
  expect(shown).toEqual([1]);
  await pass(SLIDE_MS);
  expect([shown, slideshow.isRunning]).toEqual([[1, 2], true]);
  await pass(SLIDE_MS);
  expect([shown, slideshow.isRunning]).toEqual([[1, 2], false]);
  expect(vi.getTimerCount()).toBe(0);
});

it('stops at once', async () => {
  const { slideshow, shown, pass } = begin(9);
  slideshow.toggle();
  await pass(SLIDE_MS);
  slideshow.toggle();
  await pass(9 * SLIDE_MS);
  expect([shown, slideshow.isRunning]).toEqual([[1], false]);
});

it('waits while the page is hidden, and then shows the picture for its full time', async () => {
  const { slideshow, shown, pass } = begin(9);
  slideshow.toggle();
  await pass(SLIDE_MS - 1);
  slideshow.setHidden(true);
  await pass(9 * SLIDE_MS);
  expect([shown, slideshow.isRunning]).toEqual([[], true]);
  slideshow.setHidden(false);
  await pass(SLIDE_MS - 1);
  expect(shown).toEqual([]);
  await pass(1);
  expect(shown).toEqual([1]);
});

it('does not begin when the page comes back after a stop', async () => {
  const { slideshow, shown, pass } = begin(9);
  slideshow.toggle();
  slideshow.setHidden(true);
  slideshow.stop();
  slideshow.setHidden(false);
  await pass(9 * SLIDE_MS);
  expect(shown).toEqual([]);
});

it('sets no timer if it is stopped while the next picture loads', async () => {
  let loaded = (_hasNext: boolean) => {};
  const slideshow = new SlideshowState(() => new Promise((done) => (loaded = done)));
  slideshow.toggle();
  await vi.advanceTimersByTimeAsync(SLIDE_MS);
  slideshow.stop();
  loaded(true);
  await vi.advanceTimersByTimeAsync(0);
  expect([vi.getTimerCount(), slideshow.isRunning]).toEqual([0, false]);
});

/** Results of which the next one is there only after `load`. */
function slowResults() {
  let load = () => {};
  const stepped: number[] = [];
  let isThere = false;
  const lightbox = { picture: {}, neighbour: () => (isThere ? {} : undefined) };
  const loadMore = () =>
    new Promise<void>((done) => {
      load = () => {
        isThere = true;
        done();
      };
    });
  const stepPicture = () => void stepped.push(1);
  const app = { view: { lightbox }, results: { loadMore }, stepPicture } as unknown as Parameters<
    typeof showNext
  >[0];
  const slideshow = new SlideshowState((isWanted) => showNext(app, isWanted));
  return { slideshow, stepped, load: () => load() };
}

it.each(['stop', 'restart', 'hide'])('shows no picture that has loaded after a %s', async (change) => {
  const { slideshow, stepped, load } = slowResults();
  slideshow.toggle();
  await vi.advanceTimersByTimeAsync(SLIDE_MS);
  if (change === 'hide') slideshow.setHidden(true);
  else slideshow.toggle();
  if (change === 'restart') slideshow.toggle();
  load();
  await vi.advanceTimersByTimeAsync(0);
  expect([stepped.length, slideshow.isRunning]).toEqual([0, change !== 'stop']);
  if (change === 'hide') slideshow.setHidden(false);
  await vi.advanceTimersByTimeAsync(SLIDE_MS);
  expect(stepped.length).toBe(change === 'stop' ? 0 : 1);
});

it('shows a picture that takes longer to load than it is shown', async () => {
  const { slideshow, stepped, load } = slowResults();
  slideshow.toggle();
  await vi.advanceTimersByTimeAsync(3 * SLIDE_MS);
  load();
  await vi.advanceTimersByTimeAsync(0);
  expect([stepped.length, slideshow.isRunning]).toEqual([1, true]);
});
