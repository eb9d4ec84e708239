import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { displayedIds, entryOf, fakeApp, loadedApp, summaries, wordsQuery } from '../testing/fakeServer';
import { samplePage, samplePictures } from '../testing/samples';
import { REST_MS, TYPING_PAUSE_MS } from './request.svelte';
import { MAX_RESULTS, PAGE_SIZE } from '../lib/searchPages';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('a jump', () => {
  const total = 5000;

  it('shows a list from a later picture on, and goes on from there', async () => {
    const { app, requests } = await loadedApp(60, total);
    void app.results.jump(3000);
    expect(requests[1]).toMatchObject({ offset: 3000, limit: PAGE_SIZE });
    await requests[1]!.respond(samplePage(samplePictures(3000, 60), total));
    expect(app.results).toMatchObject({ start: 3000, end: 3060, version: 2, hasMore: true });
    expect(displayedIds(app)[0]).toBe(3000);
    void app.results.loadMore();
    expect(requests[2]).toMatchObject({ offset: 3060, limit: PAGE_SIZE });
  });

  it('ends after as many pictures as can be displayed, and can go on', async () => {
    const { app, requests } = await loadedApp(60, total);
    void app.results.jump(3000);
    await requests[1]!.respond(samplePage(samplePictures(3000, 60), total));
    while (app.results.hasMore) {
      void app.results.loadMore();
      const { offset, limit, respond } = requests.at(-1)!;
      await respond(samplePage(samplePictures(offset, limit), total));
    }
    expect(app.results).toMatchObject({ end: 3000 + MAX_RESULTS, isCut: true });
    expect(displayedIds(app)).toHaveLength(MAX_RESULTS);
    void app.results.jump(app.results.end);
    await requests.at(-1)!.respond(samplePage(samplePictures(4000, 60), total));
    expect(app.results).toMatchObject({ start: 4000, isCut: false });
  });

  it('puts the pictures before it in front, down to the first one', async () => {
    const { app, requests } = await loadedApp(60, total);
    void app.results.jump(100);
    await requests[1]!.respond(samplePage(samplePictures(100, 60), total));
    void app.results.loadBefore();
    expect(requests[2]).toMatchObject({ offset: 40, limit: 60 });
    await requests[2]!.respond(samplePage(samplePictures(40, 60), total));
    expect(app.results).toMatchObject({ start: 40, end: 160, version: 2 });
    void app.results.loadBefore();
    expect(requests[3]).toMatchObject({ offset: 0, limit: 40 });
    await requests[3]!.respond(samplePage(samplePictures(0, 40), total));
    expect([app.results.start, displayedIds(app).slice(0, 2), displayedIds(app).length]).toEqual([
      0,
      [0, 1],
      160,
    ]);
    void app.results.loadBefore();
    expect(requests).toHaveLength(4);
  });

  it('is forgotten by the next search, and a late answer to it is dropped', async () => {
    const { app, requests } = await loadedApp(60, total);
    void app.results.jump(3000);
    void app.request.submitQuery(wordsQuery('dog'));
    await requests[2]!.respond(samplePage(samplePictures(7, 1), 1));
    await requests[1]!.respond(samplePage(samplePictures(3000, 60), total));
    expect([app.results.start, displayedIds(app), app.results.isCut]).toEqual([0, [7], false]);
  });

  it('can be tried again', async () => {
    const { app, requests } = await loadedApp(60, total);
    void app.results.jump(3000);
    await requests[1]!.fail(new TypeError('no server'));
    expect([app.results.start, app.results.error?.isRetryable]).toEqual([0, true]);
    void app.results.retry();
    expect(requests[2]).toMatchObject({ offset: 3000 });
  });

  it('is not offered in a search, which has no pictures beyond its best', async () => {
    const { app, requests } = await loadedApp(1);
    void app.request.submitQuery(wordsQuery('dog'));
    await requests[1]!.respond(samplePage([], 300));
    expect(app.results.isCut).toBe(false);
  });
});

describe('weak matches', () => {
  /** A page that shows `count` of `total` results for dog, of which `relevantCount` are good. */
  async function rankedApp(relevantCount: number | null, count = 5, total = 200) {
    const page = fakeApp();
    void page.app.start(entryOf(wordsQuery('dog')));
    await page.requests[0]!.respond({ ...samplePage(samplePictures(0, count), total), relevantCount });
    return page;
  }

  it('are hidden until the user wants to see them', async () => {
    const { app, requests } = await rankedApp(2);
    expect(displayedIds(app)).toEqual([0, 1]);
    expect(app.results).toMatchObject({ hidesWeak: true, hasMore: false, goodMatches: 2 });
    await app.results.loadMore();
    expect(requests).toHaveLength(1);
    app.results.showWeak = true;
    expect(displayedIds(app)).toEqual([0, 1, 2, 3, 4]);
    expect(app.results).toMatchObject({ hidesWeak: false, hasMore: true, relevantCount: 2 });
  });

  it('are hidden again by the next search', async () => {
    const { app, requests } = await rankedApp(2);
    app.results.showWeak = true;
    void app.request.submitQuery(wordsQuery('cat'));
    await requests[1]!.respond({ ...samplePage(samplePictures(0, 5)), relevantCount: 1 });
    expect(displayedIds(app)).toEqual([0]);
  });

  it.each([null, 5, 9])('are not there if %s are good', async (relevantCount) => {
    const { app } = await rankedApp(relevantCount);
    expect(displayedIds(app)).toHaveLength(5);
    expect(app.results.hidesWeak).toBe(false);
  });

  it('are hidden if nothing is good, but not before the query is complete', async () => {
    const { app, requests } = await rankedApp(2);
    app.request.type('c');
    await vi.advanceTimersByTimeAsync(TYPING_PAUSE_MS);
    await requests[1]!.respond({ ...samplePage(samplePictures(0, 5)), relevantCount: 0 });
    expect(displayedIds(app)).toHaveLength(5);
    await vi.advanceTimersByTimeAsync(REST_MS);
    expect(app.results.hidesWeak).toBe(true);
    expect(displayedIds(app)).toEqual([]);
  });
});

describe('another model', () => {
  const byModel = (model: string, pictures = samplePictures(60, 60)) => {
    const page = samplePage(pictures, 300);
    return { ...page, index: { ...page.index, model } };
  };

  it('starts a ranking over instead of continuing it', async () => {
    const { app, requests } = fakeApp();
    void app.start(entryOf(wordsQuery('dog')));
    await requests[0]!.respond(byModel('starter', samplePictures(0, 60)));
    void app.results.loadMore();
    await requests[1]!.respond(byModel('better'));
    expect(summaries(requests).at(-1)).toEqual(['dog', 0, PAGE_SIZE]);
    expect(displayedIds(app)).toHaveLength(60);
    await requests[2]!.respond(byModel('better', samplePictures(500, 60)));
    expect(displayedIds(app)[0]).toBe(500);
  });

  it('does not matter for pictures that are not ranked', async () => {
    const { app, requests } = await loadedApp(60, 300);
    void app.results.loadMore();
    await requests[1]!.respond(byModel('better'));
    expect(displayedIds(app)).toHaveLength(120);
  });
});

it('keeps what the answer says of the query', async () => {
  const { app, requests } = await loadedApp(1);
  void app.request.submitQuery(wordsQuery('horse -'));
  const unfinished = { hint: 'Add a word after the minus.' };
  await requests[1]!.respond({ ...samplePage([]), unfinished, notices: [{ text: 'Not known.' }] });
  expect(app.results.notes).toEqual(['Add a word after the minus.', 'Not known.']);
  void app.request.submitQuery(wordsQuery('horse'));
  await requests[2]!.respond(samplePage([]));
  expect(app.results.notes).toEqual([]);
});
