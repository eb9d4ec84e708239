import type { Api, LibraryIndex, Picture, ResultPage, TextModel } from '../lib/api';
import { debounce } from '../lib/debounce';
import { withDuplicates, withGroup, type ExpandedGroups } from '../lib/duplicates';
import { errorNotice, type ErrorNotice } from '../lib/errors';
import type { Latency } from '../lib/latency';
import { EMPTY_QUERY, isSearch, queryKey, type SearchQuery } from '../lib/query';
import { responsesPerSecond, withTimestamp } from '../lib/rateMeter';

/** Number of pictures per page. */
export const PAGE_SIZE = 60;
/** Maximum number of results that can be paged to: the server's limit. */
export const MAX_RESULTS = 1000;
/** Time that painted results stay on the screen before they count as idle and originals load. */
export const IDLE_MS = 80;
/** Time after which a pending request counts as slow. */
export const SLOW_MS = 200;

export interface ResultsEvents {
  /** The first page of a query was shown, or its request failed. */
  onresponse(query: SearchQuery, isShown: boolean): void;
  /** The results have been on the screen for a moment. */
  onidle(query: SearchQuery): void;
  /** Whether the words may not be complete yet: weak matches are better than none. */
  isTyping(): boolean;
}

/** A search without its paging. */
interface Search {
  readonly query: SearchQuery;
  readonly model: TextModel;
}

/**
 * The results of the newest request: paging, near-duplicate groups, errors and latency.
 *
 * Each first page has a sequence number. A response is shown only if its number is the newest, so an older
 * response never replaces a newer one, even if aborting its request came too late. Old pictures stay until
 * the new ones arrive.
 */
export class ResultsState {
  /** The query whose pictures are displayed; null before the first response. */
  displayedQuery = $state.raw<SearchQuery | null>(null);
  /** The ranked pictures, best first, without expanded near-duplicates. */
  ranking = $state.raw<readonly Picture[]>([]);
  /** Near-duplicates that are shown after the picture they are grouped under. */
  expandedGroups = $state.raw<ExpandedGroups>(new Map());
  /** Number of results over all pages. */
  total = $state(0);
  index = $state.raw<LibraryIndex | null>(null);
  /** Filters that the server parsed from the typed words. */
  parsedFilters = $state.raw<readonly string[]>([]);
  /** What the user should know about the answer, or the query. */
  notes = $state.raw<readonly string[]>([]);
  /** Weak matches are shown, too. */
  showWeak = $state(false);
  latency = $state.raw<Latency | null>(null);
  /** Counts the first pages: it changes when pictures are replaced, not when a page is appended. */
  version = $state(0);
  /** A first page is loading. */
  isLoading = $state(false);
  /** It takes long. Nothing is redrawn before that, so that the response gets all processor time. */
  isSlow = $state(false);
  /** A further page is loading. */
  isLoadingMore = $state(false);
  /** The last error, until a request succeeds. */
  error = $state.raw<ErrorNotice | null>(null);

  #relevantCount = $state<number | null>(null);
  readonly #expanded = $derived(withDuplicates(this.ranking, this.#relevantCount, this.expandedGroups));
  /** Number of displayed pictures if weak matches are hidden; null if they are shown or there are none. */
  readonly #goodCount = $derived.by(() => {
    const { pictures, relevantCount } = this.#expanded;
    if (this.showWeak || relevantCount === null || relevantCount >= pictures.length) return null;
    return relevantCount === 0 && this.#events.isTyping() ? null : relevantCount;
  });
  readonly #pictures = $derived(
    this.#goodCount === null ? this.#expanded.pictures : this.#expanded.pictures.slice(0, this.#goodCount),
  );
  /** The last displayed query that became idle. */
  #idleQuery = $state.raw<SearchQuery | null>(null);
  /** The displayed pictures have been on the screen for a moment: expensive work may begin. */
  isIdle = $derived(this.#idleQuery === this.displayedQuery);

  readonly #api: Api;
  readonly #now: () => number;
  readonly #events: ResultsEvents;
  readonly #slowTimer = debounce(() => (this.isSlow = true), SLOW_MS);
  readonly #idleTimer = debounce(() => this.#becomeIdle(), IDLE_MS);
  #timestamps = $state.raw<readonly number[]>([]);
  #receivedCount = $state(0);
  #isExhausted = $state(true);
  #sequence = 0;
  #abort = new AbortController();
  /** Key of the newest request, unless it failed: it need not be sent twice. */
  #requestedKey: string | null = null;
  /** The search of the displayed pictures, for further pages of the same. */
  #displayed: Search = { query: EMPTY_QUERY, model: 'full' };
  #displayedAt = 0;
  #retry: () => Promise<void> = async () => {};

  constructor(api: Api, now: () => number, events: ResultsEvents) {
    this.#api = api;
    this.#now = now;
    this.#events = events;
  }

  /** All displayed pictures, in order. */
  get pictures(): readonly Picture[] {
    return this.#pictures;
  }

  /** Whether weak matches exist that are not displayed. */
  get hidesWeak(): boolean {
    return this.#goodCount !== null;
  }

  /** Number of leading results over all pages that are relevant; null if all so far are. */
  get goodMatches(): number | null {
    return this.#relevantCount;
  }

  /** Number of leading displayed pictures that are relevant; null if all are. */
  get relevantCount(): number | null {
    return this.#expanded.relevantCount;
  }

  /** Id of the group's picture for each expanded near-duplicate. */
  get groupOf(): ReadonlyMap<number, number> {
    return this.#expanded.groupOf;
  }

  /** The words of the displayed query: '' for the whole library, null before the first response. */
  get answeredQuery(): string | null {
    return this.displayedQuery?.words ?? null;
  }

  /** Responses per second. */
  get rate(): number {
    return responsesPerSecond(this.#timestamps);
  }

  /** Whether further pages exist. */
  get hasMore(): boolean {
    return !this.hidesWeak && !this.#isExhausted && this.#receivedCount < Math.min(this.total, MAX_RESULTS);
  }

  /** Whether the newest request is this search and did not fail. */
  isRequested(query: SearchQuery, model: TextModel): boolean {
    return this.#requestedKey === searchKey({ query, model });
  }

  /** Load the first page of a query; an older request is aborted. */
  async load(query: SearchQuery, model: TextModel): Promise<void> {
    const search = { query, model };
    this.#abort.abort();
    this.#abort = new AbortController();
    const sequence = ++this.#sequence;
    this.#requestedKey = searchKey(search);
    this.isLoading = true;
    this.#slowTimer.call();
    this.isLoadingMore = false;
    const startedAt = this.#now();
    let isShown = false;
    try {
      const page = await this.#loadPage(search, 0);
      if (sequence !== this.#sequence) return;
      this.#show(search, page, this.#now() - startedAt);
      isShown = true;
    } catch (cause) {
      if (sequence !== this.#sequence) return;
      this.#requestedKey = null;
      this.#fail(cause, () => this.load(query, model));
    }
    this.#slowTimer.cancel();
    this.isLoading = this.isSlow = false;
    this.#events.onresponse(query, isShown);
  }

  /** Append the next page, unless another request is pending or the last one failed. */
  async loadMore(): Promise<void> {
    if (this.hasMore && !this.isLoading && !this.isLoadingMore && this.error === null)
      await this.#loadNextPage();
  }

  /** Show the near-duplicates that are grouped under this picture, or hide them. */
  async toggleDuplicates(id: number): Promise<void> {
    const picture = this.ranking.find((candidate) => candidate.id === id);
    if (!picture?.similar.length) return;
    if (this.expandedGroups.has(id)) this.expandedGroups = withGroup(this.expandedGroups, id, null);
    else await this.#expandGroup(picture);
  }

  /** Repeat the request that failed. */
  async retry(): Promise<void> {
    await this.#retry();
  }

  /** Show an error that happened before a request was sent, such as a file that is not a picture. */
  reportError(message: string): void {
    this.error = { message, isRetryable: false };
  }

  /** Note that the results of this version have reached the screen. */
  markPainted(version: number): void {
    if (version !== this.version || this.latency === null || this.latency.paintMs !== null) return;
    this.#idleTimer.call();
    this.latency = { ...this.latency, paintMs: this.#now() - this.#displayedAt };
  }

  async #expandGroup(picture: Picture): Promise<void> {
    const { signal } = this.#abort;
    this.error = null;
    try {
      const { pictures } = await this.#api.byIds(picture.similar, signal);
      if (!signal.aborted) this.expandedGroups = withGroup(this.expandedGroups, picture.id, pictures);
    } catch (cause) {
      if (!signal.aborted) this.#fail(cause, () => this.#expandGroup(picture));
    }
  }

  async #loadNextPage(): Promise<void> {
    const sequence = this.#sequence;
    this.error = null;
    this.isLoadingMore = true;
    try {
      const page = await this.#loadPage(this.#displayed, this.#receivedCount);
      if (sequence !== this.#sequence) return;
      const { query, model } = this.#displayed;
      // Scores of two models cannot be compared: the ranking starts over.
      if (isSearch(query) && page.index.model !== this.index?.model) await this.load(query, model);
      else this.#append(page);
    } catch (cause) {
      if (sequence === this.#sequence) this.#fail(cause, () => this.#loadNextPage());
    } finally {
      if (sequence === this.#sequence) this.isLoadingMore = false;
    }
  }

  #loadPage(search: Search, offset: number): Promise<ResultPage> {
    const limit = Math.min(PAGE_SIZE, MAX_RESULTS - offset);
    return this.#api.search({ ...search, dedup: true, limit, offset }, this.#abort.signal);
  }

  #show(search: Search, page: ResultPage, roundTripMs: number): void {
    this.displayedQuery = search.query;
    this.#displayed = search;
    this.expandedGroups = new Map();
    this.ranking = withoutRepeats(page.pictures);
    this.#countPage(page, 0);
    this.parsedFilters = page.filters;
    this.notes = [page.unfinished?.hint, ...page.notices.map(({ text }) => text)].filter(
      (note) => note !== undefined,
    );
    this.showWeak = false;
    this.latency = { server: page.timings, roundTripMs, paintMs: null };
    this.#displayedAt = this.#now();
    this.#timestamps = withTimestamp(this.#timestamps, this.#displayedAt);
    this.error = null;
    this.version += 1;
    this.#idleTimer.cancel();
  }

  #append(page: ResultPage): void {
    this.ranking = withoutRepeats([...this.ranking, ...page.pictures]);
    this.#countPage(page, this.#receivedCount);
  }

  #countPage(page: ResultPage, offset: number): void {
    this.index = page.index;
    this.total = page.total;
    this.#relevantCount = page.relevantCount;
    this.#receivedCount = offset + page.pictures.length;
    this.#isExhausted = page.pictures.length === 0;
  }

  #becomeIdle(): void {
    this.#idleQuery = this.displayedQuery;
    if (this.displayedQuery) this.#events.onidle(this.displayedQuery);
  }

  #fail(cause: unknown, retry: () => Promise<void>): void {
    this.error = errorNotice(cause);
    this.#retry = retry;
  }
}

function searchKey({ query, model }: Search): string {
  return model + queryKey(query);
}

/** Drop repeated pictures: a library that changes between two pages can return one twice. */
function withoutRepeats(pictures: readonly Picture[]): readonly Picture[] {
  return [...new Map(pictures.map((picture) => [picture.id, picture])).values()];
}
