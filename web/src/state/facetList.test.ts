import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Facet, FacetRequest } from '../lib/overviewApi';
import { FACET_PAGE, FacetList, SEARCH_PAUSE_MS } from './facetList.svelte';

const value = (name: string) => ({ value: name, count: 1, folders: 0 });

/** A list over a server that answers when the test says so. */
function listOver(first?: Facet) {
  const requests: { request: FacetRequest; answer: (names: string[], total: number) => Promise<void> }[] = [];
  const load = (request: FacetRequest) =>
    new Promise<Facet>((resolve) => {
      const answer = async (names: string[], total: number) => {
        resolve({ values: names.map(value), total });
        await vi.advanceTimersByTimeAsync(0);
      };
      requests.push({ request, answer });
    });
  const list = new FacetList({ column: 'tags' }, load, first);
  return { list, requests, shown: () => list.values.map((entry) => entry.value) };
}

beforeEach(() => {
  vi.useFakeTimers();
});

describe('FacetList', () => {
  it('loads page after page', async () => {
    const { list, requests, shown } = listOver();
    void list.more();
    await requests[0]!.answer(['a', 'b'], 3);
    void list.more();
    void list.more();
    expect(requests[1]!.request).toEqual({ column: 'tags', limit: FACET_PAGE, offset: 2 });
    await requests[1]!.answer(['c'], 3);
    expect([shown(), list.hasMore, requests.length]).toEqual([['a', 'b', 'c'], false, 2]);
  });

  it('searches values that are all known without the server', async () => {
    const { list, requests, shown } = listOver({ values: [value('Red'), value('green')], total: 2 });
    list.search('re');
    expect(shown()).toEqual(['Red', 'green']);
    list.search('red');
    expect([shown(), list.total, requests]).toEqual([['Red'], 1, []]);
    list.search('');
    expect(shown()).toEqual(['Red', 'green']);
  });

  it('searches the server after a pause, and shows only the newest answer', async () => {
    const { list, requests, shown } = listOver({ values: [value('a')], total: 900 });
    list.search('b');
    list.search('bo');
    expect(requests).toEqual([]);
    await vi.advanceTimersByTimeAsync(SEARCH_PAUSE_MS);
    list.search('box');
    await vi.advanceTimersByTimeAsync(SEARCH_PAUSE_MS);
    expect(requests.map(({ request }) => request.contains)).toEqual(['bo', 'box']);
    await requests[1]!.answer(['box'], 1);
    await requests[0]!.answer(['bone'], 1);
    expect(shown()).toEqual(['box']);
    list.search('');
    expect([shown(), list.hasMore]).toEqual([['a'], true]);
  });

  it('says that loading failed, and tries again', async () => {
    let attempts = 0;
    const list = new FacetList({ column: 'tags' }, async () => {
      attempts += 1;
      if (attempts === 1) throw new TypeError('no server');
      return { values: [value('a')], total: 1 };
    });
    await list.more();
    expect([list.hasFailed, list.isLoading]).toEqual([true, false]);
    await list.more();
    expect([list.hasFailed, list.values.length]).toEqual([false, 1]);
  });
});
