import { expect, it } from 'vitest';
import { conceptsApi } from './concepts';
import { ProblemError, ResponseError } from './errors';

const REX = { name: 'rex', examples: [1, 4], counterexamples: [2] };

function answering(body: unknown, status = 200) {
  const sent: { url: string; method: string; body: unknown }[] = [];
  const api = conceptsApi((url, { method = 'GET', body: text }) => {
    sent.push({ url, method, body: typeof text === 'string' ? JSON.parse(text) : null });
    return Promise.resolve(new Response(JSON.stringify(body), { status }));
  });
  return { api, sent };
}

it('lists the words, and whether this page may change them', async () => {
  const { api, sent } = answering({ concepts: [REX], may_teach: true });
  expect(await api.list()).toEqual({ concepts: [REX], mayTeach: true });
  expect(sent).toEqual([{ url: 'api/concepts', method: 'GET', body: null }]);
});

it.each([
  [true, { name: 'rex', examples: [7] }],
  [false, { name: 'rex', counterexamples: [7] }],
])('marks pictures', async (isExample, body) => {
  const { api, sent } = answering(REX);
  expect(await api.teach('rex', [7], isExample)).toEqual(REX);
  expect(sent).toEqual([{ url: 'api/concepts', method: 'POST', body }]);
});

it('renames and forgets', async () => {
  const { api, sent } = answering({ ...REX, concepts: [], may_teach: true });
  await api.rename('rex', 'bella');
  expect(await api.delete('bella')).toEqual({ concepts: [], mayTeach: true });
  expect(sent.map(({ url, body }) => [url, body])).toEqual([
    ['api/concepts/rename', { name: 'rex', new_name: 'bella' }],
    ['api/concepts/delete', { name: 'bella' }],
  ]);
});

it('rejects with the words of the server', async () => {
  const { api } = answering({ detail: 'expected another name' }, 400);
  await expect(api.teach('x:y', [1], true)).rejects.toThrow(new ProblemError(400, 'expected another name'));
});

it('rejects what is no object', async () => {
  await expect(answering([][0] ?? null).api.list()).rejects.toBeInstanceOf(ResponseError);
});

it('drops ids that are no numbers', async () => {
  const { api } = answering({ concepts: [{ name: 'rex', examples: ['1', 2], counterexamples: null }] });
  expect((await api.list()).concepts).toEqual([{ name: 'rex', examples: [2], counterexamples: [] }]);
});
