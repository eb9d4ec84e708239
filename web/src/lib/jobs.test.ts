import { expect, it } from 'vitest';
import { ResponseError } from './errors';
import { jobsApi } from './jobs';

const answering = (body: unknown, status = 200) =>
  jobsApi(async () => new Response(JSON.stringify(body), { status }));

it('reads the jobs and the failures', async () => {
  const job = { id: 1, state: 'running', done: 1, total: 2, failed: 0, summary: 'Indexing 1 of 2' };
  await expect(answering({ jobs: [job], version: 'a', count: 5 }).jobs()).resolves.toEqual({
    jobs: [job],
    version: 'a',
    count: 5,
  });
  const failures = { total: 1, failures: [{ path: 'a.jpg', reason: 'empty' }] };
  await expect(answering(failures).failures()).resolves.toEqual(failures);
});

it('rejects other answers', async () => {
  await expect(answering({}, 503).jobs()).rejects.toThrow(ResponseError);
  await expect(answering(null).failures()).rejects.toThrow(ResponseError);
});
