import type { Picture, ResultPage } from '../lib/api';

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
