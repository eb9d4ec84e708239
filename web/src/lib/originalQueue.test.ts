import { expect, it } from 'vitest';
import { fakeServer, wordsQuery } from '../testing/fakeServer';
import { samplePage } from '../testing/samples';
import { answersFirst, MAX_PARALLEL, OriginalQueue, type OriginalLoad } from './originalQueue';

function loads(queue: OriginalQueue, count: number) {
  const log: string[] = [];
  const added = Array.from({ length: count }, (_, i): OriginalLoad => {
    return { start: () => void log.push(`+${i}`), stop: () => void log.push(`-${i}`) };
  });
  for (const load of added) queue.add(load);
  return { added, log };
}

it('loads a few at a time, in order', () => {
  const queue = new OriginalQueue();
  const { added, log } = loads(queue, MAX_PARALLEL + 2);
  expect(log).toEqual(['+0', '+1', '+2', '+3']);
  queue.remove(added[4]!);
  queue.remove(added[1]!);
  expect(log.at(-1)).toBe('+5');
});

it('starts none while it is held', () => {
  const queue = new OriginalQueue();
  const release = queue.hold(false);
  const { log } = loads(queue, 2);
  expect(log).toEqual([]);
  release();
  release();
  expect(log).toEqual(['+0', '+1']);
});

it('stops running loads for a search, and starts them again before others', () => {
  const queue = new OriginalQueue();
  const { log } = loads(queue, MAX_PARALLEL + 1);
  const release = queue.hold(true);
  expect(log.slice(MAX_PARALLEL)).toEqual(['-0', '-1', '-2', '-3']);
  release();
  expect(log.slice(2 * MAX_PARALLEL)).toEqual(['+0', '+1', '+2', '+3']);
});

it('holds originals until a search is answered', async () => {
  const { api, requests } = fakeServer();
  const queue = new OriginalQueue();
  const search = answersFirst(api, queue).search;
  const answer = search({ query: wordsQuery('dog'), limit: 1, offset: 0 }, new AbortController().signal);
  const { log } = loads(queue, 1);
  expect(log).toEqual([]);
  void requests[0]!.respond(samplePage([])).catch(() => undefined);
  await answer;
  await Promise.resolve();
  expect(log).toEqual(['+0']);
});
