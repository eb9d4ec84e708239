import { EMPTY_QUERY, type SearchQuery, type Term } from './query';

/** Kinds of terms that fit into a URL; images are kept in the history state only. */
const URL_KINDS: readonly string[] = ['words', 'id', 'image_url'];

/** Parse the query of a page URL: `?q=two+dogs&term=1:id:17&where=year:2023`. */
export function queryFromUrl(url: string): SearchQuery {
  const params = new URL(url).searchParams;
  const terms = params.getAll('term').flatMap((text) => parseTerm(text) ?? []);
  return { ...EMPTY_QUERY, words: params.get('q') ?? '', terms, filters: params.getAll('where') };
}

/** Return the page URL with another query; the empty query adds no parameters. */
export function urlWithQuery(pageUrl: string, { words, terms, filters }: SearchQuery): string {
  const url = new URL(pageUrl);
  for (const name of ['q', 'term', 'where']) url.searchParams.delete(name);
  if (words) url.searchParams.set('q', words);
  for (const { kind, value, weight } of terms)
    if (URL_KINDS.includes(kind)) url.searchParams.append('term', `${weight}:${kind}:${value}`);
  for (const filter of filters) url.searchParams.append('where', filter);
  return url.href;
}

function parseTerm(text: string): Term | null {
  const [, weight, kind, value] = /^(-?[\d.]+):(\w+):(.+)$/s.exec(text) ?? [];
  if (!value || !kind || !URL_KINDS.includes(kind) || !Number.isFinite(Number(weight))) return null;
  const label = kind === 'id' ? `like picture ${value}` : value;
  const thumbnail = kind === 'id' ? `api/preview/${encodeURIComponent(value)}` : '';
  return { kind: kind as Term['kind'], value, label, thumbnail, weight: Number(weight) };
}

/** The parts of the browser's history that HistorySync needs. */
export interface HistoryAccess {
  readonly href: () => string;
  readonly history: Pick<History, 'replaceState' | 'pushState'>;
}

/**
 * Writes the query to the URL and the browser history. Typing replaces the current entry. A submitted
 * query gets an entry of its own, and the entry before it is reset to the query that was submitted there.
 */
export class HistorySync {
  readonly #access: HistoryAccess;
  #submitted: SearchQuery;

  constructor(access: HistoryAccess, initial: SearchQuery) {
    this.#access = access;
    this.#submitted = initial;
  }

  /** Replace the current entry. */
  replace(query: SearchQuery): void {
    this.#write('replaceState', query);
  }

  /** Add an entry. */
  push(query: SearchQuery): void {
    this.#write('replaceState', this.#submitted);
    this.#write('pushState', query);
    this.#submitted = query;
  }

  /** Note that the user went back or forward to an entry. */
  restored(query: SearchQuery): void {
    this.#submitted = query;
  }

  #write(method: 'replaceState' | 'pushState', query: SearchQuery): void {
    const url = urlWithQuery(this.#access.href(), query);
    this.#access.history[method]({ query: JSON.stringify(query) }, '', url);
  }
}

/** Return the query of a history entry: with its images if this page wrote the state, otherwise from the URL. */
export function queryFromHistory(state: unknown, url: string): SearchQuery {
  const saved = (state as { query?: unknown } | null)?.query;
  return typeof saved === 'string' ? (JSON.parse(saved) as SearchQuery) : queryFromUrl(url);
}
