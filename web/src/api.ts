import type { Took } from './timing';

/** One picture as the server tells of it. */
export interface Picture {
  readonly id: number;
  /** Likeness to the query, higher is better; null where nothing was asked. */
  readonly score: number | null;
  /** Where the original is: a path on this server, or an address elsewhere. */
  readonly url: string;
  /** Width and height of the upright original, px; 0 where not known. */
  readonly width: number;
  readonly height: number;
  /** Mean colour, #rrggbb. */
  readonly color: string;
  /** A tiny WebP as base64; empty where there is none. */
  readonly preview: string;
  readonly caption: string | null;
  readonly meta: Readonly<Record<string, unknown>>;
}

/** The library an answer comes from. */
export interface Index {
  readonly name: string;
  readonly count: number;
  readonly model: string;
  readonly version: string;
}

/** One page of pictures. */
export interface Answer {
  readonly took: Took;
  readonly index: Index;
  /** How many pictures could be paged to. */
  readonly total: number;
  readonly pictures: readonly Picture[];
}

/** The library and the server, as `/api/info` tells. */
export interface Info {
  readonly name: string;
  readonly count: number;
  readonly model: string;
  readonly kernel: string;
  readonly snapseek: string;
  readonly examples: readonly string[];
}

/** The server refused, and says why in one sentence. */
export class ProblemError extends Error {
  override name = 'ProblemError';
  constructor(
    readonly status: number,
    detail: string,
  ) {
    super(detail);
  }
}

/** The server answered something that is not of the agreed form. */
export class AnswerError extends Error {
  override name = 'AnswerError';
}

export interface Page {
  /** Words to look for; empty for the pictures in stored order. */
  readonly query: string;
  readonly limit: number;
  readonly offset: number;
}

/** What the page asks of the server. */
export interface Api {
  /** One page of answers. Rejects with ProblemError, AnswerError, TypeError (no server) or AbortError. */
  pictures(page: Page, signal: AbortSignal): Promise<Answer>;
  /** The library's own facts. Rejects as `pictures` does. */
  info(): Promise<Info>;
}

type Fetch = (address: string, init: RequestInit) => Promise<Response>;

/** The server's HTTP interface, by a `fetch` of your choice. */
export function httpApi(fetch: Fetch): Api {
  return {
    pictures: async (page, signal) => parseAnswer(await readJson(fetch, pageUrl(page), signal)),
    info: async () => parseInfo(await readJson(fetch, '/api/info')),
  };
}

/** The address of one page: a search, or the stored order where the query is empty. */
export function pageUrl({ query, limit, offset }: Page): string {
  const range = `limit=${limit}&offset=${offset}`;
  return query ? `/api/search?q=${encodeURIComponent(query)}&${range}` : `/api/items?${range}`;
}

/** Reads a page of pictures from JSON. Throws AnswerError where it is not of the agreed form. */
export function parseAnswer(json: unknown): Answer {
  const answer = asRecord(json, 'the answer');
  const took = asRecord(answer['took_ms'], 'took_ms');
  const index = asRecord(answer['index'], 'index');
  return {
    took: {
      embed: asNumber(took['embed'], 'took_ms.embed'),
      search: asNumber(took['search'], 'took_ms.search'),
      fetch: asNumber(took['fetch'], 'took_ms.fetch'),
      total: asNumber(took['total'], 'took_ms.total'),
    },
    index: {
      name: asText(index['name'], 'index.name'),
      count: asNumber(index['count'], 'index.count'),
      model: asText(index['model'], 'index.model'),
      version: asText(index['version'], 'index.version'),
    },
    total: asNumber(answer['total'], 'total'),
    pictures: asList(answer['results'], 'results').map((item, i) => parsePicture(item, `results[${i}]`)),
  };
}

/** Reads `/api/info` from JSON. Throws AnswerError where it is not of the agreed form. */
export function parseInfo(json: unknown): Info {
  const info = asRecord(json, 'the answer');
  return {
    name: asText(info['name'], 'name'),
    count: asNumber(info['count'], 'count'),
    model: asText(info['model'], 'model'),
    kernel: asText(info['kernel'], 'kernel'),
    snapseek: asText(info['snapseek'], 'snapseek'),
    examples: asList(info['examples'], 'examples').map((item, i) => asText(item, `examples[${i}]`)),
  };
}

function parsePicture(json: unknown, at: string): Picture {
  const item = asRecord(json, at);
  return {
    id: asNumber(item['id'], `${at}.id`),
    score: item['score'] === null ? null : asNumber(item['score'], `${at}.score`),
    url: asAddress(item['url'], `${at}.url`),
    width: asNumber(item['width'], `${at}.width`),
    height: asNumber(item['height'], `${at}.height`),
    color: asColor(item['color']),
    preview: asText(item['preview'], `${at}.preview`),
    caption: item['caption'] === null ? null : asText(item['caption'], `${at}.caption`),
    meta: asRecord(item['meta'] ?? {}, `${at}.meta`),
  };
}

async function readJson(fetch: Fetch, address: string, signal?: AbortSignal): Promise<unknown> {
  const response = await fetch(address, { signal: signal ?? null, headers: { accept: 'application/json' } });
  if (!response.ok) throw await problemIn(response);
  try {
    return await response.json();
  } catch (cause) {
    if (cause instanceof SyntaxError)
      throw new AnswerError('The server answered something that is not JSON.');
    throw cause;
  }
}

/** The sentence of a problem+json answer, or one of our own where there is none. */
async function problemIn(response: Response): Promise<ProblemError> {
  const problem: unknown = await response.json().catch(() => null);
  const detail = isRecord(problem) ? (problem['detail'] ?? problem['title']) : null;
  const said = typeof detail === 'string' && detail !== '' ? detail : null;
  return new ProblemError(response.status, said ?? `The server answered with status ${response.status}.`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asRecord(value: unknown, at: string): Record<string, unknown> {
  return isRecord(value) ? value : refuse('an object', value, at);
}

function asList(value: unknown, at: string): unknown[] {
  return Array.isArray(value) ? value : refuse('a list', value, at);
}

function asNumber(value: unknown, at: string): number {
  return typeof value === 'number' ? value : refuse('a number', value, at);
}

function asText(value: unknown, at: string): string {
  return typeof value === 'string' ? value : refuse('text', value, at);
}

/** A path on this server or an address of the web; nothing else may become a link. */
function asAddress(value: unknown, at: string): string {
  const address = asText(value, at);
  const isSafe = /^(\/(?![/\\])|https?:\/\/)/i.test(address);
  return isSafe ? address : refuse('a path on this server or an http address', address, at);
}

/** A colour is only an ornament: a senseless one becomes grey. */
function asColor(value: unknown): string {
  return typeof value === 'string' && /^#[0-9a-f]{6}$/i.test(value) ? value : '#808080';
}

function refuse(expected: string, found: unknown, at: string): never {
  const shown = JSON.stringify(found)?.slice(0, 40) ?? 'nothing';
  throw new AnswerError(
    `The server's answer is not understood: expected ${expected} at ${at}, found ${shown}.`,
  );
}
