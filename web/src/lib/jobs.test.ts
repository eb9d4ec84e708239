import { expect, it, vi } from 'vitest';
import { sampleJob } from '../testing/samples';
import { ProblemError, ResponseError } from './errors';
import { jobsApi } from './jobs';

const answering = (body: unknown, status = 200) =>
  jobsApi(async () => new Response(JSON.stringify(body), { status }));

it('reads the jobs and the failures', async () => {
  const status = { jobs: [sampleJob()], version: 'a', model: 'starter' };
  await expect(answering(status).jobs()).resolves.toEqual(status);
  const failures = { total: 1, failures: [{ path: 'a.jpg', reason: 'empty' }] };
  await expect(answering(failures).failures()).resolves.toEqual(failures);
});

it('rejects other answers', async () => {
  await expect(answering({ detail: 'busy' }, 503).jobs()).rejects.toThrow(ProblemError);
  await expect(answering(null).failures()).rejects.toThrow(ResponseError);
  for (const url of ['javascript:alert(1)', 7, undefined])
    await expect(answering({ url }).openLibrary('a')).rejects.toThrow(ResponseError);
});

it('sends JSON to start a job and to open a library', async () => {
  const fetch = vi.fn(async () => new Response('{"url": "http://127.0.0.1:8001/"}'));
  const api = jobsApi(fetch);
  await api.start({ kind: 'sync' });
  await expect(api.openLibrary('a')).resolves.toBe('http://127.0.0.1:8001/');
  expect(fetch.mock.calls).toEqual([
    ['api/jobs', expect.objectContaining({ method: 'POST', body: '{"kind":"sync"}' })],
    ['api/libraries', expect.objectContaining({ method: 'POST', body: '{"id":"a"}' })],
  ]);
});
