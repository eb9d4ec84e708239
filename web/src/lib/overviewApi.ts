import { readJson, type Fetch } from './api';
import { flag, list, number, object, orNull, string } from './parseResponse';

/** A value of a column with its number of pictures. */
export interface FacetValue {
  readonly value: string;
  readonly count: number;
  /** Number of folders directly in it, if it is a folder. */
  readonly folders: number;
}

/** One page of the values of a column, from `/api/facets`. */
export interface Facet {
  /** Number of values over all pages. */
  readonly total: number;
  readonly values: readonly FacetValue[];
}

export interface FacetRequest {
  readonly column: string;
  /** Only values with this text. */
  readonly contains?: string;
  /** Only the folders directly in this one; '' for the top. */
  readonly within?: string;
  readonly limit?: number;
  readonly offset?: number;
}

/** The pictures of a month, such as `2024-06`. */
export interface Month {
  readonly month: string;
  readonly count: number;
  /** Number of pictures before its first one. */
  readonly offset: number;
}

/** The months in the order of the results, from `/api/timeline`. */
export interface Timeline {
  readonly months: readonly Month[];
  readonly total: number;
  /** Number of pictures without a date, which come last. */
  readonly undated: number;
}

/** Where originals are on this machine, from `/api/paths`. */
export interface Paths {
  readonly paths: readonly { readonly id: number; readonly path: string | null }[];
  /** The server can show them in a file manager. */
  readonly canReveal: boolean;
}

/** How many pictures have no preview, from `/api/previews`. */
export interface MissingPreviews {
  readonly missing: number;
  /** The user may have them made. */
  readonly mayStart: boolean;
}

/** What only lazily loaded parts of the page request. All methods reject as those of `Api`. */
export interface OverviewApi {
  facet(request: FacetRequest): Promise<Facet>;
  timeline(where: string, sort: 'newest' | 'oldest'): Promise<Timeline>;
  /** Return the paths of originals, of at most 256 pictures at a time. */
  paths(ids: readonly number[]): Promise<Paths>;
  /** Show an original in the file manager of this machine. */
  reveal(id: number): Promise<void>;
  missingPreviews(): Promise<MissingPreviews>;
  /** Start a job that makes the missing previews. */
  makePreviews(): Promise<void>;
}

const facet = object<Facet>({
  total: number,
  values: list(object<FacetValue>({ value: string, count: number, folders: number })),
});

const timeline = object<Timeline>({
  months: list(object<Month>({ month: string, count: number, offset: number })),
  total: number,
  undated: number,
});

const paths = object<Paths>(
  { paths: list(object({ id: number, path: orNull(string) })), canReveal: flag },
  { canReveal: 'can_reveal' },
);

const missingPreviews = object<MissingPreviews>(
  { missing: number, mayStart: flag },
  { mayStart: 'may_start' },
);

/** Implement `OverviewApi` over HTTP with the given `fetch`. */
export function overviewApi(fetch: Fetch = (url, init) => globalThis.fetch(url, init)): OverviewApi {
  const get = (path: string, parameters: Readonly<Record<string, string | number | undefined>> = {}) => {
    const given = Object.entries(parameters).filter(([, value]) => value !== undefined);
    const query = new URLSearchParams(given.map(([name, value]) => [name, `${value}`])).toString();
    return readJson(fetch, query ? `${path}?${query}` : path);
  };
  const post = async (path: string, body: object) => {
    await readJson(fetch, path, null, JSON.stringify(body));
  };
  return {
    facet: async (request) => facet(await get('api/facets', { ...request }), ''),
    timeline: async (where, sort) =>
      timeline(await get('api/timeline', { where: where || undefined, sort }), ''),
    paths: async (ids) => paths(await get('api/paths', { ids: ids.join(',') }), ''),
    reveal: (id) => post('api/reveal', { id }),
    missingPreviews: async () => missingPreviews(await get('api/previews'), ''),
    makePreviews: () => post('api/jobs', { kind: 'previews' }),
  };
}
