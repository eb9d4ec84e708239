import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Api } from '../lib/api';
import { ProblemError } from '../lib/errors';
import {
  displayedIds,
  entryOf,
  fakeApp,
  fakeServer,
  loadedApp,
  summaries,
  wordsQuery,
} from '../testing/fakeServer';
import { samplePage, samplePicture, samplePictures } from '../testing/samples';
import { MAX_RESULTS, PAGE_SIZE } from '../lib/searchPages';
import { IDLE_MS, SLOW_MS } from './results.svelte';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('idle results', () => {
  it('stop being idle when the next response arrives', async () => {
    const { app, requests } = await loadedApp(1);
    app.results.markPainted(app.results.version);
    vi.advanceTimersByTime(IDLE_MS);
    expect(app.results.isIdle).toBe(true);
    void app.request.submitQuery(wordsQuery('dog'));
    expect(app.results.isIdle).toBe(true);
    await requests[1]!.respond(samplePage(samplePictures(10, 1)));
    expect(app.results.isIdle).toBe(false);
  });
});

describe('a slow request', () => {
  it('is marked after a while', async () => {
    const { app, requests } = await loadedApp(1);
    void app.request.submitQuery(wordsQuery('dog'));
    vi.advanceTimersByTime(SLOW_MS - 1);
    expect(app.results).toMatchObject({ isLoading: true, isSlow: false });
    vi.advanceTimersByTime(1);
    expect(app.results.isSlow).toBe(true);
    await requests[1]!.respond(samplePage(samplePictures(10, 1)));
    expect(app.results).toMatchObject({ isLoading: false, isSlow: false });
  });
});

describe('stale responses', () => {
  it('have their request aborted', async () => {
    const { app, requests } = await loadedApp(1);
    void app.request.submitQuery(wordsQuery('cat'));
    expect(requests[1]!.signal.aborted).toBe(false);
    void app.request.submitQuery(wordsQuery('dog'));
    expect(requests[1]!.signal.aborted).toBe(true);
    expect(requests[2]!.signal.aborted).toBe(false);
  });

  it('are not shown after a newer one', async () => {
    const { app, requests } = await loadedApp(1);
    void app.request.submitQuery(wordsQuery('cat'));
    void app.request.submitQuery(wordsQuery('dog'));
    await requests[2]!.respond(samplePage(samplePictures(200, 1)));
    await requests[1]!.respond(samplePage(samplePictures(100, 1)));
    expect(app.results.answeredQuery).toBe('dog');
    expect(displayedIds(app)).toEqual([200]);
  });

  it('are not shown while a newer request is pending', async () => {
    const { app, requests } = await loadedApp(1);
    void app.request.submitQuery(wordsQuery('cat'));
    void app.request.submitQuery(wordsQuery('dog'));
    await requests[1]!.respond(samplePage(samplePictures(100, 1)));
    expect(app.results).toMatchObject({ answeredQuery: '', isLoading: true });
    expect(displayedIds(app)).toEqual([0]);
  });

  it('are not reported as errors', async () => {
    const { app, requests } = await loadedApp(1);
    void app.request.submitQuery(wordsQuery('cat'));
    void app.request.submitQuery(wordsQuery('dog'));
    await requests[1]!.fail(new DOMException('aborted', 'AbortError'));
    expect(app.results).toMatchObject({ error: null, isLoading: true });
  });

  it('are not appended to the pictures of another query', async () => {
    const { app, requests } = await loadedApp(60, 300);
    void app.results.loadMore();
    void app.request.submitQuery(wordsQuery('dog'));
    expect(requests[1]!.signal.aborted).toBe(true);
    await requests[2]!.respond(samplePage(samplePictures(500, 2)));
    await requests[1]!.respond(samplePage(samplePictures(60, 60), 300));
    expect(displayedIds(app)).toEqual([500, 501]);
    expect(app.results.isLoadingMore).toBe(false);
  });
});

describe('errors', () => {
  it('show the message of the server and keep the pictures', async () => {
    const { app, requests } = await loadedApp(2);
    void app.request.submitQuery(wordsQuery('zzz'));
    await requests[1]!.fail(new ProblemError(400, 'No word of it is known.'));
    expect(app.results.error).toEqual({ message: 'No word of it is known.', isRetryable: false });
    expect(app.results).toMatchObject({ isLoading: false, answeredQuery: '' });
    expect(displayedIds(app)).toEqual([0, 1]);
  });

  it('offer a retry if the server is unreachable, and go away when it responds', async () => {
    const { app, requests } = await loadedApp(1);
    void app.request.submitQuery(wordsQuery('dog'));
    await requests[1]!.fail(new TypeError('Failed to fetch'));
    expect(app.results.error).toMatchObject({ isRetryable: true });
    expect(app.results.error!.message).toContain('does not respond');
    void app.results.retry();
    await requests[2]!.respond(samplePage(samplePictures(9, 1)));
    expect(app.results).toMatchObject({ error: null, answeredQuery: 'dog' });
  });

  it('let Enter repeat the failed request', async () => {
    const { app, requests } = await loadedApp(1);
    void app.request.submitQuery(wordsQuery('dog'));
    await requests[1]!.fail(new ProblemError(503, 'Busy.'));
    void app.request.submit();
    expect(summaries(requests.slice(1))).toEqual([
      ['dog', 0, PAGE_SIZE],
      ['dog', 0, PAGE_SIZE],
    ]);
  });

  it('stop paging until the failed page is retried', async () => {
    const { app, requests } = await loadedApp(60, 300);
    void app.results.loadMore();
    await requests[1]!.fail(new ProblemError(500, 'Oh.'));
    void app.results.loadMore();
    expect(requests).toHaveLength(2);
    void app.results.retry();
    expect(app.results.error).toBeNull();
    await requests[2]!.respond(samplePage(samplePictures(60, 60), 300));
    expect(app.results.pictures).toHaveLength(120);
  });
});

describe('paging', () => {
  it('appends pages one at a time, in order, without a new version', async () => {
    const { app, requests } = await loadedApp(60, 130);
    void app.results.loadMore();
    void app.results.loadMore();
    expect(summaries(requests.slice(1))).toEqual([['', 60, PAGE_SIZE]]);
    expect(app.results.isLoadingMore).toBe(true);
    await requests[1]!.respond(samplePage(samplePictures(60, 60), 130));
    void app.results.loadMore();
    await requests[2]!.respond(samplePage(samplePictures(120, 10), 130));
    expect(displayedIds(app)).toEqual(Array.from({ length: 130 }, (_, i) => i));
    expect(app.results).toMatchObject({ hasMore: false, isLoadingMore: false, version: 1 });
    void app.results.loadMore();
    expect(requests).toHaveLength(3);
  });

  it('waits for a page that is on its way', async () => {
    const { app, requests } = await loadedApp(60, 130);
    void app.results.loadMore();
    const counts: number[] = [];
    const joined = app.results.loadMore().then(() => counts.push(app.results.pictures.length));
    await requests[1]!.respond(samplePage(samplePictures(60, 60), 130));
    await joined;
    expect(counts).toEqual([120]);
  });

  it('stays within the limit of the server', async () => {
    const { app, requests } = await loadedApp(60, 5000);
    while (app.results.hasMore) {
      void app.results.loadMore();
      const { offset, limit, respond } = requests.at(-1)!;
      expect(offset + limit).toBeLessThanOrEqual(MAX_RESULTS);
      await respond(samplePage(samplePictures(offset, limit), 5000));
    }
    expect(app.results.pictures).toHaveLength(MAX_RESULTS);
  });

  it('shows a picture once if a changing library returns it twice', async () => {
    const { app, requests } = await loadedApp(60, 120);
    void app.results.loadMore();
    await requests[1]!.respond(samplePage(samplePictures(50, 60), 120));
    expect(new Set(displayedIds(app)).size).toBe(app.results.pictures.length);
    expect(app.results.pictures).toHaveLength(110);
    expect(app.results.hasMore).toBe(false);
  });

  it('ends at an empty page, whatever the total says', async () => {
    const { app, requests } = await loadedApp(60, 300);
    void app.results.loadMore();
    await requests[1]!.respond(samplePage([], 300));
    expect(app.results.hasMore).toBe(false);
  });

  it('waits while a search is pending', async () => {
    const { app, requests } = await loadedApp(60, 300);
    void app.request.submitQuery(wordsQuery('dog'));
    void app.results.loadMore();
    expect(requests).toHaveLength(2);
  });
});

describe('latency', () => {
  it('measures the round trip, then the paint, once', async () => {
    const { app, requests, clock } = await loadedApp(1);
    clock.ms = 100;
    void app.request.submitQuery(wordsQuery('dog'));
    clock.ms = 107;
    await requests[1]!.respond(samplePage(samplePictures(0, 1)));
    expect(app.results.latency).toMatchObject({ roundTripMs: 7, paintMs: null });
    clock.ms = 120;
    app.results.markPainted(app.results.version);
    clock.ms = 500;
    app.results.markPainted(app.results.version);
    expect(app.results.latency).toMatchObject({ roundTripMs: 7, paintMs: 13 });
  });

  it('ignores the paint of an older version', async () => {
    const { app } = await loadedApp(1);
    app.results.markPainted(app.results.version - 1);
    expect(app.results.latency!.paintMs).toBeNull();
  });
});

describe('near-duplicates', () => {
  async function groupedApp() {
    const page = fakeApp();
    void page.app.start(entryOf(wordsQuery('dog')));
    const [first, ...others] = samplePictures(0, 3);
    await page.requests[0]!.respond(samplePage([{ ...first!, similar: [10, 11] }, ...others], 3));
    return page;
  }

  it('are shown after the picture they are grouped under, and hidden again', async () => {
    const { app } = await groupedApp();
    await app.results.toggleDuplicates(0);
    expect(displayedIds(app)).toEqual([0, 10, 11, 1, 2]);
    expect(app.results.groupOf.get(11)).toBe(0);
    app.view.open(0);
    app.stepPicture(1);
    expect(app.view.lightbox.picture?.id).toBe(10);
    await app.results.toggleDuplicates(0);
    expect(displayedIds(app)).toEqual([0, 1, 2]);
  });

  it('do not change the offset of the next page', async () => {
    const { app, requests } = fakeApp();
    void app.start(entryOf(wordsQuery('dog')));
    const first = samplePictures(0, PAGE_SIZE).map((one) => ({ ...one, similar: one.id === 5 ? [500] : [] }));
    await requests[0]!.respond(samplePage(first, 200));
    await app.results.toggleDuplicates(5);
    void app.results.loadMore();
    expect(summaries(requests).at(-1)).toEqual(['dog', PAGE_SIZE, PAGE_SIZE]);
    await requests[1]!.respond(samplePage(samplePictures(PAGE_SIZE, PAGE_SIZE), 200));
    expect(displayedIds(app).slice(5, 8)).toEqual([5, 500, 6]);
    expect(app.results.pictures).toHaveLength(2 * PAGE_SIZE + 1);
  });

  it('are hidden by the next search, even if they arrive after it was sent', async () => {
    const { app, requests } = await groupedApp();
    const late = app.results.toggleDuplicates(0);
    void app.request.submitQuery(wordsQuery('cat'));
    await late;
    await requests[1]!.respond(samplePage(samplePictures(0, 2)));
    expect(displayedIds(app)).toEqual([0, 1]);
    expect(app.results.expandedGroups.size).toBe(0);
  });

  it('are not requested for a picture without them', async () => {
    const byIds = vi.fn<Api['byIds']>();
    const { app, requests } = fakeApp({ byIds });
    void app.start(entryOf(wordsQuery('dog')));
    await requests[0]!.respond(samplePage(samplePictures(0, 1)));
    await app.results.toggleDuplicates(0);
    expect(byIds).not.toHaveBeenCalled();
  });

  it('can be retried if they fail to load', async () => {
    const server = fakeServer();
    let isDown = true;
    const byIds: Api['byIds'] = (ids, signal) =>
      isDown ? Promise.reject(new TypeError('down')) : server.api.byIds(ids, signal);
    const { app, requests } = fakeApp({ byIds });
    void app.start(entryOf(wordsQuery('dog')));
    await requests[0]!.respond(samplePage([samplePicture({ id: 0, similar: [10] })]));
    await app.results.toggleDuplicates(0);
    expect(app.results.error?.isRetryable).toBe(true);
    isDown = false;
    await app.results.retry();
    expect(displayedIds(app)).toEqual([0, 10]);
    expect(app.results.error).toBeNull();
  });
});
