import { problemOf, ResponseError } from './errors';
import type { ServerTimings } from './latency';
import { parseInfo, parseRelevantCount, parseResultPage, parseSuggestions } from './parseResponse';
import { hasWords, isSearch, queryText, whereText, type SearchQuery } from './query';
import { serverUrl } from './serverUrl';

export interface Picture {
  readonly id: number;
  /** Similarity to the query, higher is better; null for a picture that was not ranked. */
  readonly score: number | null;
  /** URL of the original: an address of this server, or a web URL. */
  readonly url: string;
  /** Size of the upright original, px; 0 if unknown. */
  readonly width: number;
  readonly height: number;
  /** Mean colour, #rrggbb. */
  readonly color: string;
  /** A tiny WebP as base64; empty if there is none. */
  readonly preview: string;
  readonly caption: string | null;
  readonly meta: Readonly<Record<string, unknown>>;
  /** Ids of the near-duplicates that are grouped under it. */
  readonly similar: readonly number[];
  /** Their scores, in the same order. */
  readonly similarScores: readonly (number | null)[];
  /** What has a word of the query: `folder name`, `caption`. */
  readonly why: readonly string[];
}

/** The library that answered. */
export interface LibraryIndex {
  readonly name: string;
  readonly count: number;
  readonly model: string;
  readonly version: string;
}

/** How many partitions of a collection have answered, and a sentence about each other. */
export interface Partitions {
  readonly ok: number;
  readonly total: number;
  readonly missing: readonly string[];
}

/** One page of results. */
export interface ResultPage {
  readonly timings: ServerTimings;
  readonly index: LibraryIndex;
  /** Number of results over all pages. */
  readonly total: number;
  readonly pictures: readonly Picture[];
  /** Number of leading results over all pages that are relevant; null if all so far are. */
  readonly relevantCount: number | null;
  /** Filters that the server parsed from the typed words. */
  readonly filters: readonly string[];
  /** Null for a single library. */
  readonly partitions: Partitions | null;
  /** The end of the typed words that could not count yet. */
  readonly unfinished: { readonly hint: string } | null;
  /** What the user should know about the answer. */
  readonly notices: readonly { readonly text: string }[];
}

/** Facts of the library and the server, from `/api/info`. */
export interface Info {
  readonly name: string;
  readonly count: number;
  readonly model: string;
  readonly kernel: string;
  readonly snapseek: string;
  readonly examples: readonly string[];
  /** Files and folders that are not read as pictures, by kind. */
  readonly skipped: Readonly<Record<string, unknown>>;
  /** A faster text encoder answers while the user types. */
  readonly hasFast: boolean;
  readonly acceptsImageUrls: boolean;
  /** The server is on this machine: it tells paths of originals. */
  readonly isLocal: boolean;
}

/** A column with the values that the filter panel offers. */
export interface Column {
  readonly name: string;
  /** The name before the colon in filter syntax. */
  readonly operator: string;
  readonly values: readonly { readonly value: string; readonly count: number }[];
  /** Number of all values, of which these are the first. */
  readonly total: number;
}

/** A column of numbers or dates: its name is its filter, `name:low..high`. */
export interface Range {
  readonly name: string;
  readonly kind: string;
  readonly minimum: number | string;
  readonly maximum: number | string;
}

/** Example queries and filters of the library, from `/api/suggestions`. */
export interface Suggestions {
  readonly examples: readonly string[];
  readonly columns: readonly Column[];
  readonly ranges: readonly Range[];
}

/** Text encoder of a search: the model of the library, or its faster student. */
export type TextModel = 'full' | 'fast';

export interface PageRequest {
  /** The empty query lists the library, the newest pictures first. */
  readonly query: SearchQuery;
  readonly limit: number;
  readonly offset: number;
  readonly model?: TextModel;
  /** Group near-duplicates under the best of them. */
  readonly dedup?: boolean;
}

/** The server's interface. All methods reject with ProblemError, ResponseError, TypeError (no server) or AbortError. */
export interface Api {
  /** Return one page of the results of a query. */
  search(request: PageRequest, signal: AbortSignal): Promise<ResultPage>;
  info(): Promise<Info>;
  suggestions(): Promise<Suggestions>;
  /** Return whether the library has a picture that these words describe well. */
  hasGoodMatch(words: string): Promise<boolean>;
  /** Return the pictures most similar to a picture of the library. */
  similar(id: number, limit: number, where: string, signal: AbortSignal): Promise<ResultPage>;
  /** Reject if the server would refuse this path. */
  check(path: string): Promise<void>;
  /** Return the pictures with these ids, in this order, without those that were removed. */
  byIds(ids: readonly number[], signal: AbortSignal): Promise<ResultPage>;
}

/** Maximum number of ids in one request: the server's limit. */
const MAX_IDS = 256;

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Implement `Api` over HTTP with the given `fetch`. */
export function httpApi(fetch: Fetch): Api {
  return {
    search: async (request, signal) => {
      const { url, body } = searchRequest(request);
      return parseResultPage(await readJson(fetch, url, signal, body));
    },
    info: async () => parseInfo(await readJson(fetch, '/api/info')),
    suggestions: async () => parseSuggestions(await readJson(fetch, '/api/suggestions')),
    hasGoodMatch: async (words) => {
      const url = `/api/search?q=${encodeURIComponent(words)}&limit=1&include=&mode=auto`;
      return parseRelevantCount(await readJson(fetch, url)) !== 0;
    },
    check: async (path) => {
      const { ok } = await fetch(serverUrl(path), { method: 'HEAD' });
      if (!ok) await readJson(fetch, path); // a HEAD has no reason in it
    },
    similar: async (id, limit, where, signal) => {
      const url = `api/items/${id}/similar?limit=${limit}&where=${encodeURIComponent(where)}`;
      return parseResultPage(await readJson(fetch, url, signal));
    },
    byIds: async (ids, signal) =>
      parseResultPage(await readJson(fetch, `api/items?ids=${ids.slice(0, MAX_IDS).join(',')}`, signal)),
  };
}

export interface HttpRequest {
  readonly url: string;
  /** JSON to POST; null for a GET. */
  readonly body: string | null;
}

/** Build the HTTP request of a page: a GET, or a POST if a term is an image that query syntax cannot express. */
export function searchRequest(request: PageRequest): HttpRequest {
  const { query, limit, offset, model = 'full', dedup = false } = request;
  const text = queryText(query);
  const where = whereText(query);
  if (text === null) return { url: 'api/search', body: searchBody(request, where) };
  const { mode, sort = text ? undefined : 'newest' } = rankingOf(query);
  const parameters: readonly (readonly [name: string, value: unknown])[] = [
    ['q', text],
    ['limit', `${limit}`],
    ['offset', `${offset}`],
    ['where', where],
    ['model', isSearch(query) && model !== 'full' && model],
    ['dedup', isSearch(query) && dedup && '1'],
    ['mode', mode],
    ['sort', sort],
  ];
  const given = parameters.filter(([, value]) => value);
  const search = given.map(([name, value]) => `${name}=${encodeURIComponent(value as string)}`).join('&');
  return { url: `${text ? 'api/search' : 'api/items'}?${search}`, body: null };
}

/** Return how the server ranks the results; words count in names and captions unless the user says otherwise. */
function rankingOf(query: SearchQuery): { mode?: string; sort?: string } {
  const { sort } = query;
  const isMode = sort === 'clip' || sort === 'words';
  const mode = !hasWords(query) || sort === 'clip' ? '' : isMode ? sort : 'auto';
  return { ...(mode && { mode }), ...(sort && !isMode && { sort }) };
}

function searchBody({ query, limit, offset, dedup = false }: PageRequest, where: string): string {
  const terms = query.terms.map(({ kind, value, weight }) => {
    if (kind === 'words') return { text: value, weight };
    return { [kind]: kind === 'id' ? Number(value) : value, weight };
  });
  const q = query.words.trim();
  return JSON.stringify({
    ...(q && { q }),
    terms,
    ...(where && { where }),
    ...rankingOf(query),
    dedup,
    limit,
    offset,
  });
}

export async function readJson(
  fetch: Fetch,
  url: string,
  signal: AbortSignal | null = null,
  body: string | null = null,
): Promise<unknown> {
  const headers = { accept: 'application/json', ...(body && { 'content-type': 'application/json' }) };
  const response = await fetch(serverUrl(url), { signal, headers, ...(body && { method: 'POST', body }) });
  if (!response.ok) throw await problemOf(response);
  try {
    return await response.json();
  } catch (cause) {
    if (cause instanceof SyntaxError)
      throw new ResponseError('The response of the server is not JSON. Reload the page.');
    throw cause;
  }
}
