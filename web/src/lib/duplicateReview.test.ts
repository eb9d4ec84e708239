import { expect, it } from 'vitest';
import { othersOf, readDuplicates } from './duplicateReview';
import { ProblemError, ResponseError } from './errors';

const picture = (id: number) => ({
  id,
  score: null,
  url: `/api/image/${id}`,
  width: 40,
  height: 30,
  color: '#aabbcc',
  preview: '',
  caption: null,
  meta: {},
  similar: [],
  similarScores: [],
  why: [],
});
const PAGE = {
  total: 3,
  compared: 90,
  others: 4,
  free_bytes: 1200,
  groups: [{ free_bytes: 700, ids: [1, 2, 3], results: [picture(1), picture(2), picture(3)] }],
};
const signal = new AbortController().signal;
const answering =
  (body: unknown, status = 200) =>
  (url: string) =>
    Promise.resolve(new Response(JSON.stringify(body), { status, headers: { 'x-url': url } }));

it('reads a page of sets', async () => {
  const page = await readDuplicates(answering(PAGE), 0, signal);
  expect(page).toMatchObject({ total: 3, others: 4, freeBytes: 1200 });
  expect(page.sets[0]).toMatchObject({ freeBytes: 700 });
  expect(page.sets[0]?.pictures.map(({ id }) => id)).toEqual([1, 2, 3]);
  expect(othersOf(page.sets).map(({ id }) => id)).toEqual([2, 3]);
});

it('asks for the sets from the offset on', async () => {
  const urls: string[] = [];
  await readDuplicates((url) => (urls.push(url), answering(PAGE)(url)), 20, signal);
  expect(urls).toEqual(['api/duplicates?offset=20']);
});

it.each([{ id: '1' }, { url: 'javascript:alert(1)' }, { width: null }])('leaves out %j', async (change) => {
  const results = [picture(1), { ...picture(2), ...change }, { ...picture(3), color: 'red', meta: null }];
  const page = await readDuplicates(answering({ ...PAGE, groups: [{ free_bytes: 1, results }] }), 0, signal);
  expect(page.sets[0]?.pictures.map(({ id, color, meta }) => [id, color, meta])).toEqual([
    [1, '#aabbcc', {}],
    [3, '#808080', {}],
  ]);
});

it('rejects with the words of the server, and what is no object', async () => {
  await expect(readDuplicates(answering({ detail: 'try again' }, 503), 0, signal)).rejects.toThrow(
    new ProblemError(503, 'try again'),
  );
  await expect(readDuplicates(answering(null), 0, signal)).rejects.toBeInstanceOf(ResponseError);
});
