import { expect, it } from 'vitest';
import { ResponseError } from './errors';
import { overviewApi } from './overviewApi';

function apiOver(body: unknown) {
  const sent: [string, RequestInit][] = [];
  const api = overviewApi(async (url, init) => {
    sent.push([url, init]);
    return new Response(JSON.stringify(body));
  });
  return { api, sent };
}

it('asks for the folders of a folder, and for a page of values', async () => {
  const { api, sent } = apiOver({ total: 1, values: [{ value: 'a', count: 2, folders: 1 }] });
  expect(await api.facet({ column: 'folder', within: '' })).toEqual({
    total: 1,
    values: [{ value: 'a', count: 2, folders: 1 }],
  });
  await api.facet({ column: 'tags', contains: 'ü&=', limit: 10, offset: 20 });
  expect(sent.map(([url]) => url)).toEqual([
    'api/facets?column=folder&within=',
    'api/facets?column=tags&contains=%C3%BC%26%3D&limit=10&offset=20',
  ]);
});

it('asks for the months of the displayed pictures', async () => {
  const answer = { months: [{ month: '2024-06', count: 3, offset: 0 }], total: 3, undated: 0 };
  const { api, sent } = apiOver(answer);
  expect(await api.timeline('year:2024', 'oldest')).toEqual(answer);
  await api.timeline('', 'newest');
  expect(sent.map(([url]) => url)).toEqual([
    'api/timeline?where=year%3A2024&sort=oldest',
    'api/timeline?sort=newest',
  ]);
});

it('names pictures by their ids only', async () => {
  const { api, sent } = apiOver({ paths: [{ id: 1, path: '/a.jpg' }], can_reveal: true });
  expect(await api.paths([1, 2])).toEqual({ paths: [{ id: 1, path: '/a.jpg' }], canReveal: true });
  await api.reveal(7);
  const [url, { method, body, headers }] = sent[1]!;
  expect([sent[0]![0], url, method, body]).toEqual(['api/paths?ids=1%2C2', 'api/reveal', 'POST', '{"id":7}']);
  expect(headers).toMatchObject({ 'content-type': 'application/json' });
});

it('starts previews where the server allows it', async () => {
  const { api, sent } = apiOver({ missing: 3, failed: 1, may_start: true });
  expect(await api.missingPreviews()).toEqual({ missing: 3, mayStart: true });
  await api.makePreviews();
  expect([sent[1]![0], sent[1]![1].body]).toEqual(['api/jobs', '{"kind":"previews"}']);
});

it('rejects an answer of another shape', async () => {
  const { api } = apiOver({ total: 'many', values: [] });
  await expect(api.facet({ column: 'tags' })).rejects.toThrow(ResponseError);
});
