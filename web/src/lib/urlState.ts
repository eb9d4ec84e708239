import { SORTS, type SearchQuery, type Term } from './query';
import { serverUrl } from './serverUrl';

/** Kinds of terms that fit into a URL; images are kept in the history state only. */
const URL_KINDS: readonly string[] = ['words', 'id', 'image_url'];

/** Parse the query of a page URL: `?q=two+dogs&term=1:id:17&where=year:2023`. */
export function queryFromUrl(url: string): SearchQuery {
  const params = new URL(url).searchParams;
  const terms = params.getAll('term').flatMap((text) => parseTerm(text) ?? []);
  const sort = SORTS.find(([name]) => name === params.get('sort'))?.[0] ?? '';
  const safe = params.get('safe') ?? '';
  return { words: params.get('q') ?? '', terms, filters: params.getAll('where'), sort, safe };
}

/** Return the page URL with another query and opened picture; the empty query adds no parameters. */
export function urlWithQuery(
  pageUrl: string,
  { words, terms, filters, sort, safe }: SearchQuery,
  picture: number | null = null,
): string {
  const url = new URL(pageUrl);
  for (const name of ['q', 'term', 'where', 'sort', 'safe', 'picture']) url.searchParams.delete(name);
  if (words) url.searchParams.set('q', words);
  for (const { kind, value, weight } of terms)
    if (URL_KINDS.includes(kind)) url.searchParams.append('term', `${weight}:${kind}:${value}`);
  for (const filter of filters) url.searchParams.append('where', filter);
  if (sort) url.searchParams.set('sort', sort);
  if (safe) url.searchParams.set('safe', safe);
  if (picture !== null) url.searchParams.set('picture', `${picture}`);
  return url.href;
}

function parseTerm(text: string): Term | null {
  const [, weight, kind, value] = /^(-?[\d.]+):(\w+):(.+)$/s.exec(text) ?? [];
  if (!value || !kind || !URL_KINDS.includes(kind) || !Number.isFinite(Number(weight))) return null;
  const label = kind === 'id' ? `like picture ${value}` : value;
  const thumbnail = kind === 'id' ? serverUrl(`/api/preview/${encodeURIComponent(value)}`) : '';
  return { kind: kind as Term['kind'], value, label, thumbnail, weight: Number(weight) };
}

/** What the page shows: it is in the URL and in an entry of the browser history. */
export interface PageEntry {
  readonly query: SearchQuery;
  /** Id of the opened picture. */
  readonly picture: number | null;
  /** The entry before it shows the results without the picture. */
  readonly isAfterResults: boolean;
}

/** The parts of the browser's history that HistorySync needs. */
export interface HistoryAccess {
  readonly href: () => string;
  readonly history: Pick<History, 'replaceState' | 'pushState' | 'back'>;
}

/**
 * Writes the query and the opened picture to the URL and the browser history.
 *
 * Typing replaces the current entry. A submitted query gets an entry of its own, and the entry before it is
 * reset to the query that was submitted there. An opened picture gets an entry, too, so that *Back* closes
 * it; the next picture replaces it.
 */
export class HistorySync {
  readonly #access: HistoryAccess;
  #submitted: SearchQuery;
  #picture: number | null;
  #isAfterResults: boolean;
  /** What to do once the browser is back at the results; null if it is not on its way there. */
  #onreturn: (() => void)[] | null = null;

  constructor(access: HistoryAccess, initial: PageEntry) {
    this.#access = access;
    this.#submitted = initial.query;
    this.#picture = initial.picture;
    this.#isAfterResults = initial.isAfterResults;
  }

  /** Replace the query of the current entry. */
  replace(query: SearchQuery): void {
    this.#whenThere(() => this.#write('replaceState', query));
  }

  /** Add an entry for a query, without an opened picture. */
  push(query: SearchQuery): void {
    this.#whenThere(() => {
      this.#write('replaceState', this.#submitted);
      this.#setPicture(null, false);
      this.#write('pushState', query);
      this.#submitted = query;
    });
  }

  /** Add an entry for an opened picture, or replace that of the picture before. */
  openPicture(query: SearchQuery, id: number): void {
    this.#whenThere(() => {
      const isFirst = this.#picture === null;
      if (isFirst) this.#write('replaceState', query);
      this.#setPicture(id, isFirst || this.#isAfterResults);
      this.#write(isFirst ? 'pushState' : 'replaceState', query);
    });
  }

  /** Leave the entry of an opened picture: go back to the results, or replace it if they are not before it. */
  closePicture(query: SearchQuery): void {
    if (this.#picture === null || this.#onreturn) return;
    if (this.#isAfterResults) {
      this.#onreturn = [];
      this.#access.history.back();
    } else {
      this.#setPicture(null, false);
      this.#write('replaceState', query);
    }
  }

  /** Note that the browser went to another entry. Return whether `closePicture` caused it. */
  restored(entry: PageEntry): boolean {
    const waiting = this.#onreturn;
    this.#onreturn = null;
    this.#setPicture(entry.picture, entry.isAfterResults);
    if (!waiting) this.#submitted = entry.query;
    for (const run of waiting ?? []) run();
    return waiting !== null;
  }

  #whenThere(run: () => void): void {
    if (this.#onreturn) this.#onreturn.push(run);
    else run();
  }

  #setPicture(picture: number | null, isAfterResults: boolean): void {
    this.#picture = picture;
    this.#isAfterResults = isAfterResults;
  }

  #write(method: 'replaceState' | 'pushState', query: SearchQuery): void {
    const url = urlWithQuery(this.#access.href(), query, this.#picture);
    const state = { query: JSON.stringify(query), isAfterResults: this.#isAfterResults };
    this.#access.history[method](state, '', url);
  }
}

/** Return a history entry: with the images of its query if this page wrote the state, otherwise from the URL. */
export function entryFromHistory(state: unknown, url: string): PageEntry {
  const saved = (state ?? {}) as Partial<Record<string, unknown>>;
  const id = new URL(url).searchParams.get('picture') ?? '';
  return {
    query:
      typeof saved['query'] === 'string' ? (JSON.parse(saved['query']) as SearchQuery) : queryFromUrl(url),
    picture: /^\d{1,16}$/.test(id) ? Number(id) : null,
    isAfterResults: saved['isAfterResults'] === true,
  };
}
