import { describe, expect, it, vi } from 'vitest';
import { ProblemError } from '../lib/errors';
import type { JobsApi, UpgradeCost } from '../lib/jobs';
import { sampleCost, sampleJob, sampleJobsApi, sampleStatus, sampleStorage } from '../testing/samples';
import { JobsState } from './jobs.svelte';

const upgradeJob = (state: string, id = 1) => sampleJob({ id, kind: 'upgrade', state });

/** The upgrade of a library, over a server that has run `jobs` and offers `cost`. */
async function upgradeOf(
  cost: Partial<UpgradeCost> = {},
  states: readonly string[] = [],
  storage = sampleStorage(),
) {
  const server = { jobs: states.map((state, i) => upgradeJob(state, i)) };
  const start = vi.fn<JobsApi['start']>(async () => {
    server.jobs = [...server.jobs, upgradeJob('running', 9)];
    return server.jobs.at(-1)!;
  });
  const api = sampleJobsApi({
    jobs: async () => sampleStatus(server.jobs),
    upgradeCost: async () => sampleCost(cost),
    start,
  });
  const jobs = new JobsState(
    () => 0,
    { onversion() {}, onmodelchange() {} },
    api,
    () => storage,
  );
  await jobs.follow('demo');
  jobs.stop();
  async function poll(state: string, message = '') {
    server.jobs = server.jobs.map((job) => (job.id === 9 ? { ...job, state, message } : job));
    await jobs.start();
    jobs.stop();
  }
  return { upgrade: jobs.upgrade, start, poll, storage };
}

describe('the offer', () => {
  it('is made for the built-in model', async () => {
    const { upgrade, start } = await upgradeOf();
    expect(upgrade).toMatchObject({ phase: 'offer', isShown: true });
    expect(start).not.toHaveBeenCalled();
  });

  it.each<[string, Partial<UpgradeCost>]>([
    ['another model', { current: 'mine' }],
    ['the model itself', { is_current: true }],
    ['a client that may not start it', { may_start: false }],
    ['an empty library', { pictures: 0 }],
  ])('is not made for %s', async (_, cost) => {
    const { upgrade } = await upgradeOf(cost);
    expect(upgrade).toMatchObject({ phase: 'none', isShown: false });
  });

  it('is made again for an upgrade that was interrupted', async () => {
    const { upgrade } = await upgradeOf({ current: 'mine', embedded: 7 });
    expect(upgrade.phase).toBe('offer');
  });

  it('is not repeated after "Not now", but for another model', async () => {
    const { upgrade, storage } = await upgradeOf();
    upgrade.dismiss();
    expect(upgrade.isShown).toBe(false);
    expect((await upgradeOf({}, [], storage)).upgrade.isShown).toBe(false);
    expect((await upgradeOf({ model: 'best' }, [], storage)).upgrade.isShown).toBe(true);
  });

  it('is made if the browser has no storage', async () => {
    const refuse = () => {
      throw new DOMException('denied', 'SecurityError');
    };
    const { upgrade } = await upgradeOf({}, [], { getItem: refuse, setItem: refuse });
    expect(upgrade.isShown).toBe(true);
    upgrade.dismiss();
    expect(upgrade.isShown).toBe(false);
  });

  it('is made if the last upgrade has ended before the page was opened', async () => {
    expect((await upgradeOf({}, ['failed'])).upgrade.phase).toBe('offer');
  });
});

describe('the upgrade', () => {
  it('runs after a yes, and ends', async () => {
    const { upgrade, start, poll } = await upgradeOf();
    await upgrade.start();
    expect(start).toHaveBeenCalledWith({ kind: 'upgrade', model: 'better' });
    expect(upgrade.phase).toBe('running');
    await poll('done');
    expect(upgrade).toMatchObject({ phase: 'done', isShown: true });
    upgrade.dismiss();
    expect(upgrade.isShown).toBe(false);
  });

  it('fails with a reason, and starts again', async () => {
    const { upgrade, start, poll } = await upgradeOf();
    await upgrade.start();
    await poll('failed', 'no hub');
    expect(upgrade).toMatchObject({ phase: 'failed', job: { message: 'no hub' } });
    await upgrade.start();
    expect(start).toHaveBeenCalledTimes(2);
  });

  it('that the server refuses says why', async () => {
    const { upgrade, start } = await upgradeOf();
    start.mockRejectedValueOnce(new ProblemError(403, 'expected a request of this machine'));
    await upgrade.start();
    expect(upgrade).toMatchObject({ phase: 'offer', error: 'Expected a request of this machine' });
    await upgrade.start();
    expect(upgrade).toMatchObject({ phase: 'running', error: null });
  });

  it('comes back at its end if it was hidden while it ran', async () => {
    const { upgrade, poll } = await upgradeOf();
    await upgrade.start();
    upgrade.dismiss();
    expect(upgrade.isShown).toBe(false);
    await poll('failed');
    expect(upgrade.isShown).toBe(true);
  });

  it('that runs already is shown', async () => {
    expect((await upgradeOf({}, ['done', 'running'])).upgrade).toMatchObject({ phase: 'running' });
  });
});
