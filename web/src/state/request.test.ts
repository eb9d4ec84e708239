import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProblemError } from '../lib/errors';
import { EMPTY_QUERY } from '../lib/query';
import {
  INFO,
  displayedIds,
  entryOf,
  fakeApp,
  loadedApp,
  summaries,
  wordsQuery,
} from '../testing/fakeServer';
import { samplePage, samplePicture, samplePictures } from '../testing/samples';
import { TYPING_PAUSE_MS } from './request.svelte';
import { PAGE_SIZE } from '../lib/searchPages';
import { IDLE_MS } from './results.svelte';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('start', () => {
  it('lists the library in stored order and loads its facts', async () => {
    const { app, requests, history } = await loadedApp(3);
    expect(summaries(requests)).toEqual([['', 0, PAGE_SIZE]]);
    expect(app.results).toMatchObject({ answeredQuery: '', total: 3, isLoading: false, version: 1 });
    expect(app.library.info).toEqual(INFO);
    expect(displayedIds(app)).toEqual([0, 1, 2]);
    expect(history).toEqual(['']);
  });

  it('sends the query of the URL at once', async () => {
    const { app, requests } = fakeApp();
    void app.start(entryOf(wordsQuery(' two dogs ')));
    expect(app.request.words).toBe(' two dogs ');
    expect(summaries(requests)).toEqual([['two dogs', 0, PAGE_SIZE]]);
  });

  it('searches without the facts of the library', async () => {
    const { app, requests } = fakeApp({ info: () => Promise.reject(new TypeError('down')) });
    void app.start(entryOf(EMPTY_QUERY));
    await requests[0]!.respond(samplePage(samplePictures(0, 2)));
    expect(app.library.info).toBeNull();
    expect(app.results).toMatchObject({ total: 2, error: null });
  });
});

describe('typing', () => {
  it('sends only the last text, after a pause', async () => {
    const { app, requests } = await loadedApp(1);
    app.request.type('d');
    vi.advanceTimersByTime(TYPING_PAUSE_MS - 1);
    app.request.type('do');
    vi.advanceTimersByTime(TYPING_PAUSE_MS - 1);
    app.request.type('dog');
    expect(requests).toHaveLength(1);
    vi.advanceTimersByTime(TYPING_PAUSE_MS);
    expect(summaries(requests.slice(1))).toEqual([['dog', 0, PAGE_SIZE]]);
  });

  it('sends at once on Enter, and not again', async () => {
    const { app, requests, history } = await loadedApp(1);
    app.request.type('dog');
    void app.request.submit();
    expect(summaries(requests.slice(1))).toEqual([['dog', 0, PAGE_SIZE]]);
    vi.advanceTimersByTime(10 * TYPING_PAUSE_MS);
    void app.request.submit();
    expect(requests).toHaveLength(2);
    expect(history).toEqual(['', 'dog']);
  });

  it('does not repeat a request for added blanks, nor for restored words', async () => {
    const { app, requests } = await loadedApp(1);
    app.request.type('  ');
    app.request.type('x');
    app.request.type('');
    vi.advanceTimersByTime(10 * TYPING_PAUSE_MS);
    expect(requests).toHaveLength(1);
  });

  it('keeps the old pictures until the new ones arrive', async () => {
    const { app, requests } = await loadedApp(2);
    void app.request.submitQuery(wordsQuery('dog'));
    expect(app.request.words).toBe('dog');
    expect(app.results).toMatchObject({ answeredQuery: '', isLoading: true });
    expect(displayedIds(app)).toEqual([0, 1]);
    await requests[1]!.respond(samplePage(samplePictures(50, 1)));
    expect(app.results).toMatchObject({ answeredQuery: 'dog', isLoading: false, version: 2 });
    expect(displayedIds(app)).toEqual([50]);
  });
});

describe('preview-only mode', () => {
  it('sends at the first key, then one request at a time, the newest text next', async () => {
    const { app, requests } = await loadedApp(1);
    app.view.isPreviewOnly = true;
    app.request.type('d');
    app.request.type('do');
    app.request.type('dog');
    expect(summaries(requests.slice(1))).toEqual([['d', 0, PAGE_SIZE]]);
    expect(requests[1]!.signal.aborted).toBe(false);
    await requests[1]!.respond(samplePage(samplePictures(10, 1)));
    expect(app.results.answeredQuery).toBe('d');
    expect(summaries(requests.slice(2))).toEqual([['dog', 0, PAGE_SIZE]]);
    await requests[2]!.respond(samplePage(samplePictures(20, 1)));
    expect(app.results).toMatchObject({ answeredQuery: 'dog', isLoading: false });
    expect(requests).toHaveLength(3);
  });

  it('continues after a refused query, and does not send it again', async () => {
    const { app, requests } = await loadedApp(1);
    app.view.isPreviewOnly = true;
    app.request.type('d +');
    app.request.type('d + c');
    await requests[1]!.fail(new ProblemError(400, 'Nothing follows the plus.'));
    await requests[2]!.fail(new ProblemError(400, 'No word of it is known.'));
    expect(summaries(requests.slice(1)).map(([text]) => text)).toEqual(['d +', 'd + c']);
  });

  it('lets Enter abort a pending request', async () => {
    const { app, requests } = await loadedApp(1);
    app.view.isPreviewOnly = true;
    app.request.type('d');
    void app.request.submitQuery(wordsQuery('cat'));
    expect(requests[1]!.signal.aborted).toBe(true);
    await requests[2]!.respond(samplePage(samplePictures(20, 1)));
    await requests[1]!.respond(samplePage(samplePictures(10, 1)));
    expect(app.results.answeredQuery).toBe('cat');
    expect(requests).toHaveLength(3);
  });
});

describe('the URL', () => {
  it('changes only after the painted results are idle', async () => {
    const { app, requests, history } = await loadedApp(1);
    app.request.type('dog');
    vi.advanceTimersByTime(TYPING_PAUSE_MS);
    await requests[1]!.respond(samplePage(samplePictures(10, 1)));
    vi.advanceTimersByTime(10 * IDLE_MS);
    expect(app.results.isIdle).toBe(false);
    app.results.markPainted(app.results.version);
    vi.advanceTimersByTime(IDLE_MS - 1);
    expect(history).toEqual(['']);
    vi.advanceTimersByTime(1);
    expect(app.results.isIdle).toBe(true);
    expect(history).toEqual(['', 'dog']);
  });

  it('does not get words that the user has already changed', async () => {
    const { app, requests, history } = await loadedApp(1);
    app.request.type('dog');
    vi.advanceTimersByTime(TYPING_PAUSE_MS);
    await requests[1]!.respond(samplePage(samplePictures(10, 1)));
    app.results.markPainted(app.results.version);
    app.request.type('dogs');
    vi.advanceTimersByTime(IDLE_MS);
    expect(history).toEqual(['']);
  });

  it('gets the words of a failed query', async () => {
    const { app, requests, history } = await loadedApp(1);
    app.request.type('dog');
    vi.advanceTimersByTime(TYPING_PAUSE_MS);
    await requests[1]!.fail(new ProblemError(400, 'No.'));
    expect(history).toEqual(['', 'dog']);
  });
});

describe('the fast text encoder', () => {
  it('answers while the user types, and the full model answers after a longer pause', async () => {
    const { app, requests } = fakeApp({ info: async () => ({ ...INFO, hasFast: true }) });
    void app.start(entryOf(EMPTY_QUERY));
    await requests[0]!.respond(samplePage(samplePictures(0, 1)));
    app.request.type('dog');
    vi.advanceTimersByTime(10 * TYPING_PAUSE_MS);
    expect(requests.slice(1).map(({ model }) => model)).toEqual(['fast', 'full']);
  });
});

describe('the safe mode', () => {
  it('stays for all queries until it is changed', async () => {
    const { app, requests } = await loadedApp(1);
    void app.request.setSafe('punsafe:<0.5');
    expect(requests.at(-1)!.query.safe).toBe('punsafe:<0.5');
    void app.request.submitQuery(wordsQuery('dog'));
    void app.request.clearFilters();
    expect(requests.at(-1)!.query).toMatchObject({ words: 'dog', safe: 'punsafe:<0.5' });
    void app.request.findSimilar([samplePicture({ id: 3 })]);
    expect(requests.at(-1)!.query.safe).toBe('punsafe:<0.5');
    void app.request.setSafe('');
    expect(requests.at(-1)!.query.safe).toBe('');
  });
});
