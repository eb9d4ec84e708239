import type { Column, Info, Partitions, Picture, Range, ResultPage, Suggestions } from './api';
import { ResponseError } from './errors';
import { serverUrl } from './serverUrl';

/** Return the value with its type, or throw ResponseError that names the `path` of the wrong field. */
type Parser<T> = (value: unknown, path: string) => T;

export const number = ofType<number>('number', 'a number');
export const string = ofType<string>('string', 'text');
export const flag: Parser<boolean> = (value) => value === true;
const record = ofType<Record<string, unknown>>('object', 'an object');

/**
 * A path on this server or a web URL; anything else, such as `javascript:`, must not become a link. A path of
 * the API becomes relative to the page, which a reverse proxy may show below any path.
 */
const url: Parser<string> = (value, path) => {
  const isSafe = /^(\/(?![/\\])|https?:\/\/)/i.test(string(value, path));
  return isSafe
    ? serverUrl(value as string)
    : reject('a path on this server or an http address', value, path);
};

/** An invalid colour becomes grey: it is only decoration. */
const color: Parser<string> = (value) => {
  return typeof value === 'string' && /^#[0-9a-f]{6}$/i.test(value) ? value : '#808080';
};

const scalar: Parser<string | number> = (value, path) => {
  return typeof value === 'number' ? value : string(value, path);
};

const picture = object<Picture>(
  {
    id: number,
    score: orNull(number),
    url,
    width: number,
    height: number,
    color,
    preview: string,
    caption: orNull(string),
    meta: orDefault(record, {}),
    similar: orDefault(list(number), []),
    similarScores: orDefault(list(orNull(number)), []),
    why: orDefault(list(string), []),
  },
  { similarScores: 'similar_scores' },
);

const column = object<Column>({
  name: string,
  operator: string,
  values: list(object({ value: string, count: number })),
  total: orDefault(number, 0),
});

const range = object<Range>({ name: string, kind: string, minimum: scalar, maximum: scalar });

const resultPage = object<ResultPage>(
  {
    timings: object({ embed: number, search: number, fetch: number, total: number }),
    index: object({ name: string, count: number, model: string, version: string }),
    total: number,
    pictures: list(picture),
    relevantCount: orDefault<number | null>(number, null),
    filters: orDefault(list(string), []),
    partitions: orDefault<Partitions | null>(
      object({ ok: number, total: number, missing: list(string) }),
      null,
    ),
    unfinished: orDefault<ResultPage['unfinished']>(object({ hint: string }), null),
    notices: orDefault(list(object({ text: string })), []),
  },
  { timings: 'took_ms', pictures: 'results', relevantCount: 'relevant_count' },
);

const info = object<Info>(
  {
    name: string,
    count: number,
    model: string,
    kernel: string,
    snapseek: string,
    examples: list(string),
    skipped: orDefault(record, {}),
    hasFast: flag,
    acceptsImageUrls: flag,
    isLocal: flag,
  },
  { hasFast: 'has_fast', acceptsImageUrls: 'accepts_image_url', isLocal: 'is_local' },
);

const suggestions = object<Suggestions>({
  examples: list(string),
  columns: list(column),
  ranges: orDefault(list(range), []),
});

/** Parse a page of results. Throws ResponseError. */
export const parseResultPage = (json: unknown): ResultPage => resultPage(json, '');

/** Parse the number of relevant results; null if all are. Throws ResponseError. */
export const parseRelevantCount = (json: unknown): number | null =>
  orDefault<number | null>(number, null)(record(json, '')['relevant_count'], 'relevant_count');

/** Parse `/api/info`. Throws ResponseError. */
export const parseInfo = (json: unknown): Info => info(json, '');

/** Parse `/api/suggestions`. Throws ResponseError. */
export const parseSuggestions = (json: unknown): Suggestions => suggestions(json, '');

function ofType<T>(type: string, expected: string): Parser<T> {
  return (value, path) => {
    const isType = typeof value === type && value !== null && !Array.isArray(value);
    return isType ? (value as T) : reject(expected, value, path);
  };
}

/** Parse an object; `serverNames` maps fields to the names that the server uses, if they differ. */
export function object<T>(
  fields: { [K in keyof T]: Parser<T[K]> },
  serverNames: Partial<Record<string, string>> = {},
): Parser<T> {
  const entries = Object.entries<Parser<unknown>>(fields);
  return (value, path) => {
    const source = record(value, path);
    const parsed = entries.map(([name, parse]) => {
      const key = serverNames[name] ?? name;
      return [name, parse(source[key], path ? `${path}.${key}` : key)];
    });
    return Object.fromEntries(parsed) as T;
  };
}

export function list<T>(item: Parser<T>): Parser<T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) return reject('a list', value, path);
    return value.map((element, i) => item(element, `${path}[${i}]`));
  };
}

export function orNull<T>(parse: Parser<T>): Parser<T | null> {
  return (value, path) => (value === null ? null : parse(value, path));
}

export function orDefault<T>(parse: Parser<T>, missing: T): Parser<T> {
  return (value, path) => (value === undefined || value === null ? missing : parse(value, path));
}

function reject(expected: string, found: unknown, path: string): never {
  const text = JSON.stringify(found)?.slice(0, 40) ?? 'nothing';
  throw new ResponseError(
    `The response of the server is not valid: expected ${expected} at ${path || 'the response'}, found ${text}. Reload the page.`,
  );
}
