import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProblemError } from '../lib/errors';
import type { JobStatus } from '../lib/jobs';
import { sampleCost, sampleJob, sampleJobsApi, sampleStatus, sampleStorage } from '../testing/samples';
import { ACTIVE_POLL_MS, ENDED_SHOWN_MS, IDLE_POLL_MS, JobsState } from './jobs.svelte';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A poller whose server answers with `status.now`. */
function poller(first: JobStatus) {
  const status = { now: first };
  const polls = vi.fn(async () => status.now);
  const events = { onversion: vi.fn(), onmodelchange: vi.fn() };
  const start = vi.fn(async () => sampleJob());
  const jobs = new JobsState(() => Date.now(), events, sampleJobsApi({ jobs: polls, start }), sampleStorage);
  return { jobs, status, polls, start, ...events };
}

describe('polling', () => {
  it('is fast while a job runs and slow otherwise', async () => {
    const { jobs, status, polls } = poller(sampleStatus([sampleJob()]));
    await jobs.start();
    expect(jobs).toMatchObject({ isActive: true, current: { summary: 'Indexing 1 of 4' } });
    await vi.advanceTimersByTimeAsync(ACTIVE_POLL_MS);
    expect(polls).toHaveBeenCalledTimes(2);
    status.now = sampleStatus([sampleJob({ state: 'done' })]);
    await vi.advanceTimersByTimeAsync(ACTIVE_POLL_MS);
    expect(jobs.isActive).toBe(false);
    await vi.advanceTimersByTimeAsync(IDLE_POLL_MS - 1);
    expect(polls).toHaveBeenCalledTimes(3);
    jobs.stop();
    await vi.advanceTimersByTimeAsync(10 * IDLE_POLL_MS);
    expect(polls).toHaveBeenCalledTimes(3);
  });

  it('goes on after a failed request', async () => {
    const { jobs, polls } = poller(sampleStatus([]));
    polls.mockRejectedValueOnce(new TypeError('down'));
    await jobs.start();
    await vi.advanceTimersByTimeAsync(IDLE_POLL_MS);
    expect(polls).toHaveBeenCalledTimes(2);
  });
});

it('shows the end of a job for a moment', async () => {
  const { jobs, status } = poller(sampleStatus([sampleJob()]));
  await jobs.start();
  status.now = sampleStatus([sampleJob({ state: 'done', summary: 'Indexed 4 of 4' })]);
  await vi.advanceTimersByTimeAsync(ACTIVE_POLL_MS);
  expect(jobs.current?.summary).toBe('Indexed 4 of 4');
  await vi.advanceTimersByTimeAsync(ENDED_SHOWN_MS + IDLE_POLL_MS);
  expect(jobs.current).toBeNull();
});

it('shows no job that had ended before the page was opened', async () => {
  const { jobs } = poller(sampleStatus([sampleJob({ state: 'done' })]));
  await jobs.start();
  expect(jobs.current).toBeNull();
});

it('tells the version of the library at each poll', async () => {
  const { jobs, status, onversion } = poller(sampleStatus([sampleJob()]));
  await jobs.start();
  expect(onversion).toHaveBeenLastCalledWith('a');
  status.now = sampleStatus([sampleJob()], { version: 'b' });
  await vi.advanceTimersByTimeAsync(ACTIVE_POLL_MS);
  expect(onversion).toHaveBeenLastCalledWith('b');
  expect(onversion).toHaveBeenCalledTimes(2);
});

it('loads the files that could not be read', async () => {
  const { jobs } = poller(sampleStatus([]));
  await jobs.loadFailures();
  expect(jobs.failures?.failures).toEqual([{ path: 'a.jpg', reason: 'empty' }]);
});

it('tells when the library has another model, once', async () => {
  const { jobs, status, onversion, onmodelchange } = poller(sampleStatus([sampleJob()]));
  await jobs.start();
  status.now = sampleStatus([sampleJob()], { model: 'better', version: 'b' });
  await vi.advanceTimersByTimeAsync(ACTIVE_POLL_MS);
  expect(onversion).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(ACTIVE_POLL_MS);
  expect(onmodelchange).toHaveBeenCalledTimes(1);
});

it('counts the jobs that end', async () => {
  const { jobs, status } = poller(sampleStatus([sampleJob()]));
  await jobs.start();
  status.now = sampleStatus([sampleJob({ state: 'done' }), sampleJob({ id: 2 })]);
  await vi.advanceTimersByTimeAsync(ACTIVE_POLL_MS);
  expect(jobs.endedCount).toBe(1);
  status.now = sampleStatus([sampleJob({ state: 'done' }), sampleJob({ id: 2, state: 'failed' })]);
  await vi.advanceTimersByTimeAsync(ACTIVE_POLL_MS);
  expect(jobs.endedCount).toBe(2);
});

it('starts a job and polls at once', async () => {
  const { jobs, polls, start } = poller(sampleStatus([]));
  expect(await jobs.run({ kind: 'sync' })).toBe(true);
  expect(start).toHaveBeenCalledWith({ kind: 'sync' });
  expect(polls).toHaveBeenCalledTimes(1);
  start.mockRejectedValueOnce(new ProblemError(400, 'expected a folder'));
  expect(await jobs.run({ kind: 'add', path: 'x' })).toBe(false);
  expect(jobs.error).toBe('Expected a folder');
  jobs.stop();
});

it('asks for the cost of an upgrade only if the library has the built-in model', async () => {
  const cost = vi.fn(async () => sampleCost());
  for (const model of ['starter', 'better']) {
    const api = sampleJobsApi({ jobs: async () => sampleStatus([], { model }), upgradeCost: cost });
    const jobs = new JobsState(() => 0, { onversion() {}, onmodelchange() {} }, api, sampleStorage);
    await jobs.follow('demo');
    jobs.stop();
  }
  expect(cost).toHaveBeenCalledTimes(1);
});
