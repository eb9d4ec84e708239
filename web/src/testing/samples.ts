import type { Picture, ResultPage } from '../lib/api';
import type { Job, JobsApi, JobStatus, LibraryDetails, UpgradeCost } from '../lib/jobs';

/** Return a picture without metadata, except for the given fields. */
export function samplePicture(fields: Partial<Picture> = {}): Picture {
  const { id = 7 } = fields;
  return {
    id,
    score: 0.3,
    url: `api/image/${id}`,
    width: 4,
    height: 3,
    color: '#000000',
    preview: '',
    caption: null,
    meta: {},
    similar: [],
    similarScores: [],
    why: [],
    ...fields,
  };
}

/** Return `count` pictures with consecutive ids. */
export function samplePictures(firstId: number, count: number): Picture[] {
  return Array.from({ length: count }, (_, i) => samplePicture({ id: firstId + i }));
}

/** Return a page of results with these pictures. */
export function samplePage(pictures: readonly Picture[], total = pictures.length): ResultPage {
  return {
    timings: { embed: 1, search: 0.5, fetch: 0.5, total: 2 },
    index: { name: 'demo', count: 302, model: 'starter', version: 'v1' },
    total,
    pictures,
    relevantCount: null,
    filters: [],
    partitions: null,
    unfinished: null,
    notices: [],
  };
}

/** One result in the form in which the server sends it. */
export const PICTURE_JSON = {
  id: 17,
  score: 0.312,
  url: '/api/image/17',
  width: 512,
  height: 341,
  color: '#7a6a55',
  preview: 'UklGRg==',
  caption: null,
  meta: { name: 'tabby.jpg', folder: 'animals', size_bytes: 51_234 },
};

/** A response of `/api/search`. */
export const RESULTS_JSON = {
  query: 'two dogs',
  took_ms: { embed: 1.21, search: 0.3, fetch: 0.2, total: 1.9 },
  index: { name: 'demo', count: 302, model: 'starter', dim: 396, version: '3f9a0c12' },
  total: 302,
  results: [PICTURE_JSON],
};

/** A response of `/api/info`. */
export const INFO_JSON = {
  name: 'demo',
  count: 302,
  failed: 0,
  model: 'starter',
  kernel: 'avx2',
  snapseek: '0.1.0',
  examples: ['a dog'],
};

export function sampleJob(fields: Partial<Job> = {}): Job {
  return {
    id: 1,
    kind: 'index',
    state: 'running',
    done: 1,
    total: 4,
    failed: 0,
    message: '',
    summary: 'Indexing 1 of 4',
    ...fields,
  };
}

export function sampleStatus(jobs: readonly Job[], fields: Partial<JobStatus> = {}): JobStatus {
  return { jobs, version: 'a', model: 'starter', ...fields };
}

export function sampleCost(fields: Partial<UpgradeCost> = {}): UpgradeCost {
  return {
    model: 'better',
    current: 'starter',
    is_current: false,
    pictures: 1404,
    embedded: 0,
    imported: 0,
    download_bytes: 154e6,
    seconds: 720,
    disk_bytes: 760e6,
    free_bytes: 5e9,
    missing: 0,
    has_space: true,
    may_start: true,
    ...fields,
  };
}

export const DETAILS: LibraryDetails = {
  path: '/home/me/library',
  size_bytes: 1000,
  last_sync: null,
  sources: [],
  missing: [],
  skipped: [],
  may_sync: true,
  may_edit: true,
};

/** An API of jobs that answers with samples, but for the given methods. */
export function sampleJobsApi(methods: Partial<JobsApi> = {}): JobsApi {
  return {
    jobs: async () => sampleStatus([]),
    failures: async () => ({ total: 1, failures: [{ path: 'a.jpg', reason: 'empty' }] }),
    upgradeCost: async () => sampleCost(),
    library: async () => DETAILS,
    libraries: async () => [],
    start: async () => sampleJob(),
    openLibrary: async () => 'http://127.0.0.1:8001/',
    ...methods,
  };
}

/** A storage that forgets with the test. */
export function sampleStorage() {
  const entries = new Map<string, string>();
  return {
    getItem: (key: string) => entries.get(key) ?? null,
    setItem: (key: string, value: string) => void entries.set(key, value),
  };
}
