import { isSearch, typedQuery, whereOf, type Question } from './question';
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
  /** Ids of near-duplicates that are folded under it. */
  readonly similar: readonly number[];
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
  /** Place in the whole ranking where weak matches begin; null where none does. */
  readonly weakFrom: number | null;
  /** Filters that were read out of the typed words. */
  readonly filters: readonly string[];
}

/** The library and the server, as `/api/info` tells. */
export interface Info {
  readonly name: string;
  readonly count: number;
  readonly model: string;
  readonly kernel: string;
  readonly snapseek: string;
  readonly examples: readonly string[];
  /** A quicker model answers while one types. */
  readonly hasFast: boolean;
  readonly acceptsLinks: boolean;
}

/** Values of a column worth filtering by. */
export interface Column {
  readonly name: string;
  /** What one types before the colon. */
  readonly operator: string;
  readonly values: readonly { readonly value: string | number | boolean; readonly count: number }[];
}

/** What the library itself suggests. */
export interface Suggestions {
  readonly examples: readonly string[];
  readonly columns: readonly Column[];
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
  /** What to look for; nothing, for the pictures in stored order. */
  readonly question: Question;
  readonly limit: number;
  readonly offset: number;
  readonly tower?: 'full' | 'fast';
  /** Near-duplicates are folded under the best of them. */
  readonly fold?: boolean;
}

/** What the page asks of the server. */
export interface Api {
  /** One page of answers. Rejects with ProblemError, AnswerError, TypeError (no server) or AbortError. */
  pictures(page: Page, signal: AbortSignal): Promise<Answer>;
  /** The library's own facts. Rejects as `pictures` does. */
  info(): Promise<Info>;
  /** What the library suggests. Rejects as `pictures` does. */
  suggestions(): Promise<Suggestions>;
  /** Pictures that look like one of the library. Rejects as `pictures` does. */
  similar(id: number, limit: number, signal: AbortSignal): Promise<Answer>;
  /** The pictures of these ids, in their order, but for those that are gone. Rejects as `pictures` does. */
  named(ids: readonly number[], signal: AbortSignal): Promise<Answer>;
}

/** So many pictures are named in one request at most: the server's own bound. */
const MOST_IDS = 256;

type Fetch = (address: string, init: RequestInit) => Promise<Response>;

/** The server's HTTP interface, by a `fetch` of your choice. */
export function httpApi(fetch: Fetch): Api {
  return {
    pictures: async (page, signal) => {
      const { address, body } = requestFor(page);
      return parseAnswer(await readJson(fetch, address, signal, body));
    },
    info: async () => parseInfo(await readJson(fetch, '/api/info')),
    suggestions: async () => parseSuggestions(await readJson(fetch, '/api/suggestions')),
    similar: async (id, limit, signal) =>
      parseAnswer(await readJson(fetch, `/api/items/${id}/similar?limit=${limit}`, signal)),
    named: async (ids, signal) =>
      parseAnswer(await readJson(fetch, `/api/items?ids=${ids.slice(0, MOST_IDS).join(',')}`, signal)),
  };
}

export interface Request {
  readonly address: string;
  /** JSON to post; null for a plain GET. */
  readonly body: string | null;
}

/** How one page is asked for: by its address alone, unless a picture from elsewhere is among the terms. */
export function requestFor({ question, limit, offset, tower = 'full', fold = false }: Page): Request {
  const query = typedQuery(question);
  const where = whereOf(question);
  if (query === null) return { address: '/api/search', body: bodyFor(question, where, limit, offset, fold) };
  let address = query ? `/api/search?q=${encodeURIComponent(query)}&` : '/api/items?';
  address += `limit=${limit}&offset=${offset}`;
  if (where) address += `&where=${encodeURIComponent(where)}`;
  if (isSearch(question) && tower !== 'full') address += `&tower=${tower}`;
  if (isSearch(question) && fold) address += '&dedup=1';
  return { address, body: null };
}

function bodyFor(question: Question, where: string, limit: number, offset: number, fold: boolean): string {
  const terms = question.terms.map(({ kind, value, weight }) => {
    if (kind === 'words') return { text: value, weight };
    return { [kind]: kind === 'id' ? Number(value) : value, weight };
  });
  const q = question.words.trim();
  return JSON.stringify({ ...(q && { q }), terms, ...(where && { where }), dedup: fold, limit, offset });
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
    weakFrom: typeof answer['weak_from'] === 'number' ? answer['weak_from'] : null,
    filters: asTexts(answer['filters'] ?? [], 'filters'),
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
    examples: asTexts(info['examples'], 'examples'),
    hasFast: info['has_fast'] === true,
    acceptsLinks: info['accepts_image_url'] === true,
  };
}

/** Reads `/api/suggestions` from JSON. Throws AnswerError where it is not of the agreed form. */
export function parseSuggestions(json: unknown): Suggestions {
  const given = asRecord(json, 'the answer');
  return {
    examples: asTexts(given['examples'], 'examples'),
    columns: asList(given['columns'], 'columns').map((item, i) => parseColumn(item, `columns[${i}]`)),
  };
}

function parseColumn(json: unknown, at: string): Column {
  const column = asRecord(json, at);
  return {
    name: asText(column['name'], `${at}.name`),
    operator: asText(column['operator'], `${at}.operator`),
    values: asList(column['values'], `${at}.values`).map((item) => {
      const { value, count } = asRecord(item, `${at}.values`);
      const isPlain = ['string', 'number', 'boolean'].includes(typeof value);
      return {
        value: isPlain ? (value as string | number | boolean) : refuse('a plain value', value, at),
        count: asNumber(count, `${at}.count`),
      };
    }),
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
    similar: asList(item['similar'] ?? [], `${at}.similar`).map((id) => asNumber(id, `${at}.similar`)),
  };
}

async function readJson(
  fetch: Fetch,
  address: string,
  signal: AbortSignal | null = null,
  body: string | null = null,
): Promise<unknown> {
  const headers = { accept: 'application/json', ...(body && { 'content-type': 'application/json' }) };
  const response = await fetch(address, { signal, headers, ...(body && { method: 'POST', body }) });
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

function asTexts(value: unknown, at: string): string[] {
  return asList(value, at).map((item, i) => asText(item, `${at}[${i}]`));
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
