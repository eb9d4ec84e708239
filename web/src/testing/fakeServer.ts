import { vi } from 'vitest';
import type { Api, Info, PageRequest, ResultPage } from '../lib/api';
import { EMPTY_QUERY, type SearchQuery } from '../lib/query';
import type { PageEntry } from '../lib/urlState';
import { AppState } from '../state/app.svelte';
import { samplePage, samplePicture, samplePictures } from './samples';

export const INFO: Info = {
  name: 'demo',
  count: 302,
  model: 'starter',
  kernel: 'avx2',
  snapseek: '0',
  examples: ['a dog'],
  skipped: {},
  hasFast: false,
  acceptsImageUrls: false,
  isLocal: false,
};

/** A search request that waits for its response. */
export interface PendingRequest extends PageRequest {
  readonly signal: AbortSignal;
  respond(page: ResultPage): Promise<void>;
  fail(cause: unknown): Promise<void>;
}

/** A server that responds when the test says so, in any order, and that ignores aborts. */
export function fakeServer() {
  const requests: PendingRequest[] = [];
  const api: Api = {
    search: (request, signal) =>
      new Promise((resolve, reject) => {
        const settled = () => vi.advanceTimersByTimeAsync(0).then(() => undefined);
        const respond = (page: ResultPage) => (resolve(page), settled());
        const fail = (cause: unknown) => (reject(cause), settled());
        requests.push({ ...request, signal, respond, fail });
      }),
    info: async () => INFO,
    suggestions: async () => ({ examples: ['a cat'], columns: [], ranges: [] }),
    hasGoodMatch: async () => true,
    check: async () => undefined,
    similar: async () => samplePage([]),
    byIds: async (ids) => samplePage(ids.map((id) => samplePicture({ id }))),
  };
  return { api, requests };
}

/** The state of a page over a fake server; `overrides` replaces methods of its API. */
export function fakeApp(overrides: Partial<Api> = {}) {
  const { api, requests } = fakeServer();
  /** The words of each query that was written to the history. */
  const history: string[] = [];
  /** The picture of each entry that was opened; null if one was closed. */
  const opened: (number | null)[] = [];
  const clock = { ms: 0 };
  const write = ({ words }: SearchQuery) => void history.push(words);
  const app = new AppState({
    api: { ...api, ...overrides },
    now: () => clock.ms,
    history: {
      replace: write,
      push: write,
      openPicture: (_, id) => void opened.push(id),
      closePicture: () => void opened.push(null),
    },
  });
  return { app, requests, history, opened, clock };
}

/** A page that already shows `count` of `total` pictures of the library. */
export async function loadedApp(count: number, total = count) {
  const page = fakeApp();
  void page.app.start(entryOf(EMPTY_QUERY));
  await page.requests[0]!.respond(samplePage(samplePictures(0, count), total));
  return page;
}

/** A history entry without an opened picture. */
export function entryOf(query: SearchQuery): PageEntry {
  return { query, picture: null, isAfterResults: false };
}

export function wordsQuery(words: string): SearchQuery {
  return { ...EMPTY_QUERY, words };
}

export function displayedIds(app: AppState): number[] {
  return app.results.pictures.map(({ id }) => id);
}

/** The words, offset and limit of each request. */
export function summaries(requests: readonly PendingRequest[]): [string, number, number][] {
  return requests.map(({ query, offset, limit }) => [query.words, offset, limit]);
}
