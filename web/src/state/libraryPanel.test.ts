import { expect, it, vi } from 'vitest';
import { ProblemError } from '../lib/errors';
import type { JobsApi } from '../lib/jobs';
import { DETAILS, sampleJob, sampleJobsApi, sampleStorage } from '../testing/samples';
import { JobsState } from './jobs.svelte';
import { LibraryPanelState } from './libraryPanel.svelte';

const OTHER = { id: 'b', path: '/other', pictures: 3, model: 'starter', is_current: false };

function panelOf(methods: Partial<JobsApi> = {}) {
  const visit = vi.fn();
  const api = sampleJobsApi({ libraries: async () => [OTHER], ...methods });
  const jobs = new JobsState(() => 0, { onversion() {}, onmodelchange() {} }, api, sampleStorage);
  return { panel: new LibraryPanelState(jobs, visit), jobs, visit };
}

it('loads folders and libraries', async () => {
  const { panel } = panelOf();
  await panel.load();
  expect(panel).toMatchObject({ details: DETAILS, libraries: [OTHER], error: null });
});

it('keeps what it shows if it cannot be loaded again', async () => {
  const library = vi.fn(async () => DETAILS);
  const { panel } = panelOf({ library });
  await panel.load();
  library.mockRejectedValueOnce(new ProblemError(500, 'damaged'));
  await panel.load();
  expect(panel).toMatchObject({ details: DETAILS, error: 'Damaged' });
});

it('asks before it removes, and forgets the question when something is started', async () => {
  const start = vi.fn(async () => sampleJob());
  const { panel, jobs } = panelOf({ start });
  panel.confirming = 'a';
  expect(await panel.run({ kind: 'remove', source: 'a' })).toBe(true);
  expect(panel.confirming).toBeNull();
  jobs.stop();
});

it('shows why a job was not started', async () => {
  const start = async () => Promise.reject(new ProblemError(400, 'expected a folder'));
  const { panel } = panelOf({ start });
  expect(await panel.run({ kind: 'add', path: 'x' })).toBe(false);
  expect(panel.error).toBe('Expected a folder');
});

it('goes to the page of another library', async () => {
  const { panel, visit } = panelOf();
  await panel.open('b');
  expect(visit).toHaveBeenCalledWith('http://127.0.0.1:8001/');
  const failing = panelOf({ openLibrary: async () => Promise.reject(new ProblemError(500, 'damaged')) });
  await failing.panel.open('b');
  expect(failing.visit).not.toHaveBeenCalled();
  expect(failing.panel).toMatchObject({ error: 'Damaged', opening: null });
});
