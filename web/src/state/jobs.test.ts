import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Job, JobStatus } from '../lib/jobs';
import { ACTIVE_POLL_MS, ENDED_SHOWN_MS, IDLE_POLL_MS, JobsState } from './jobs.svelte';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function job(fields: Partial<Job> = {}): Job {
  return { id: 1, state: 'running', done: 1, total: 4, failed: 0, summary: 'Indexing 1 of 4', ...fields };
}

/** A poller whose server answers with `status.now`. */
function poller(first: JobStatus) {
  const status = { now: first };
  const polls = vi.fn(async () => status.now);
  const onchange = vi.fn();
  const clock = () => Date.now();
  const failures = async () => ({ total: 1, failures: [{ path: 'a.jpg', reason: 'empty' }] });
  const jobs = new JobsState(clock, onchange, { jobs: polls, failures });
  return { jobs, status, polls, onchange };
}

describe('polling', () => {
  it('is fast while a job runs and slow otherwise', async () => {
    const { jobs, status, polls } = poller({ jobs: [job()], version: 'a', count: 1 });
    await jobs.start();
    expect(jobs).toMatchObject({ isActive: true, current: { summary: 'Indexing 1 of 4' } });
    await vi.advanceTimersByTimeAsync(ACTIVE_POLL_MS);
    expect(polls).toHaveBeenCalledTimes(2);
    status.now = { jobs: [job({ state: 'done' })], version: 'b', count: 4 };
    await vi.advanceTimersByTimeAsync(ACTIVE_POLL_MS);
    expect(jobs.isActive).toBe(false);
    await vi.advanceTimersByTimeAsync(IDLE_POLL_MS - 1);
    expect(polls).toHaveBeenCalledTimes(3);
    jobs.stop();
    await vi.advanceTimersByTimeAsync(10 * IDLE_POLL_MS);
    expect(polls).toHaveBeenCalledTimes(3);
  });

  it('goes on after a failed request', async () => {
    const { jobs, polls } = poller({ jobs: [], version: 'a', count: 1 });
    polls.mockRejectedValueOnce(new TypeError('down'));
    await jobs.start();
    await vi.advanceTimersByTimeAsync(IDLE_POLL_MS);
    expect(polls).toHaveBeenCalledTimes(2);
  });
});

it('shows the end of a job for a moment', async () => {
  const { jobs, status } = poller({ jobs: [job()], version: 'a', count: 1 });
  await jobs.start();
  status.now = { jobs: [job({ state: 'done', summary: 'Indexed 4 of 4' })], version: 'b', count: 4 };
  await vi.advanceTimersByTimeAsync(ACTIVE_POLL_MS);
  expect(jobs.current?.summary).toBe('Indexed 4 of 4');
  await vi.advanceTimersByTimeAsync(ENDED_SHOWN_MS + IDLE_POLL_MS);
  expect(jobs.current).toBeNull();
});

it('shows no job that had ended before the page was opened', async () => {
  const { jobs } = poller({ jobs: [job({ state: 'done' })], version: 'a', count: 1 });
  await jobs.start();
  expect(jobs.current).toBeNull();
});

it('tells when the library has other pictures', async () => {
  const { jobs, status, onchange } = poller({ jobs: [job()], version: 'a', count: 1 });
  await jobs.start();
  await vi.advanceTimersByTimeAsync(ACTIVE_POLL_MS);
  expect(onchange).not.toHaveBeenCalled();
  status.now = { jobs: [job()], version: 'b', count: 3 };
  await vi.advanceTimersByTimeAsync(ACTIVE_POLL_MS);
  expect(onchange).toHaveBeenCalledTimes(1);
});

it('loads the files that could not be read', async () => {
  const { jobs } = poller({ jobs: [], version: 'a', count: 1 });
  await jobs.loadFailures();
  expect(jobs.failures?.failures).toEqual([{ path: 'a.jpg', reason: 'empty' }]);
});
