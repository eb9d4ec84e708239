import type { Api, LibraryIndex, Partitions, Picture, ResultPage, TextModel } from '../lib/api';
import { debounce } from '../lib/debounce';
import { goodCount, withDuplicates, withGroup, withScores, type ExpandedGroups } from '../lib/duplicates';
import { errorNotice, type ErrorNotice } from '../lib/errors';
import type { Latency } from '../lib/latency';
import { EMPTY_QUERY, isSearch, type SearchQuery } from '../lib/query';
import { responsesPerSecond, withTimestamp } from '../lib/rateMeter';
import { joinedPages, MAX_RESULTS, PAGE_SIZE, pageNotes, searchKey, type Search } from '../lib/searchPages';

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

/**
 * The results of the newest request: paging, near-duplicate groups, errors and latency. Each first page has a
 * sequence number; a response is shown only if its number is the newest, so an older response never replaces a
 * newer one. Old pictures stay until the new ones arrive.
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
  /** Number of results before the first displayed one: not 0 after a jump. */
  start = $state(0);
  index = $state.raw<LibraryIndex | null>(null);
  /** Filters that the server parsed from the typed words. */
  parsedFilters = $state.raw<readonly string[]>([]);
  /** What the user should know about the answer. */
  notes = $state.raw<readonly string[]>([]);
  showWeak = $state(false);
  latency = $state.raw<Latency | null>(null);
  /** How many partitions have answered; null for a single library. */
  partitions = $state.raw<Partitions | null>(null);
  /** Counts the first pages; appended ones do not count. */
  version = $state(0);
  /** A first page is loading. */
  isLoading = $state(false);
  /** It takes long. Nothing is redrawn before that, so that the response gets all processor time. */
  isSlow = $state(false);
  isLoadingMore = $state(false);
  /** The last error, until a request succeeds. */
  error = $state.raw<ErrorNotice | null>(null);

  #relevantCount = $state<number | null>(null);
  readonly #expanded = $derived(withDuplicates(this.ranking, this.#relevantCount, this.expandedGroups));
  /** Number of displayed pictures if weak matches are hidden; null if they are shown or there are none. */
  readonly #goodCount = $derived(
    this.showWeak ? null : goodCount(this.#expanded, () => this.#events.isTyping()),
  );
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
  #pageLoad = Promise.resolve();
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

  get rate(): number {
    return responsesPerSecond(this.#timestamps);
  }

  /** Whether further pages exist. */
  get hasMore(): boolean {
    if (this.hidesWeak) return false;
    return !this.#isExhausted && this.#receivedCount < Math.min(this.total - this.start, MAX_RESULTS);
  }

  get end(): number {
    return this.start + this.#receivedCount;
  }

  /** Whether a list goes on after the pictures that can be displayed at a time. */
  get isCut(): boolean {
    return !this.hasMore && this.end < this.total && !isSearch(this.#displayed.query);
  }

  /** Whether the newest request is this search and did not fail. */
  isRequested(query: SearchQuery, model: TextModel): boolean {
    return this.#requestedKey === searchKey({ query, model });
  }

  /** Load the first page of a query, or the page at `start`; an older request is aborted. */
  async load(query: SearchQuery, model: TextModel, start = 0): Promise<void> {
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
      const page = await this.#loadPage(search, start, PAGE_SIZE);
      if (sequence !== this.#sequence) return;
      this.start = start;
      this.#show(search, page, this.#now() - startedAt);
      isShown = true;
    } catch (cause) {
      if (sequence !== this.#sequence) return;
      this.#requestedKey = null;
      this.#fail(cause, () => this.load(query, model, start));
    }
    this.#slowTimer.cancel();
    this.isLoading = this.isSlow = false;
    this.#events.onresponse(query, isShown);
  }

  /** Append the next page, or wait for one that is on its way, unless there is none or the last one failed. */
  async loadMore(): Promise<void> {
    if (!this.hasMore || this.isLoading || this.error !== null) return;
    await (this.#pageLoad = this.isLoadingMore ? this.#pageLoad : this.#loadNextPage());
  }

  /** Show the displayed query from another result on, without those before it. */
  async jump(start: number): Promise<void> {
    await this.load(this.#displayed.query, this.#displayed.model, start);
  }

  /** Put the page before the first displayed result in front of it. */
  async loadBefore(): Promise<void> {
    const count = Math.min(this.start, PAGE_SIZE);
    if (count === 0 || this.isLoading || this.isLoadingMore) return;
    await (this.#pageLoad = this.#loadNextPage(this.start - count, count));
  }

  /** Show the near-duplicates that are grouped under this picture, or hide them. */
  async toggleDuplicates(id: number): Promise<void> {
    const picture = this.ranking.find((candidate) => candidate.id === id);
    if (!picture?.similar.length) return;
    if (this.expandedGroups.has(id)) this.expandedGroups = withGroup(this.expandedGroups, id, null);
    else await this.#expandGroup(picture);
  }

  /** Repeat the request that failed. */
  readonly retry = (): Promise<void> => this.#retry();

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
      if (!signal.aborted)
        this.expandedGroups = withGroup(this.expandedGroups, picture.id, withScores(pictures, picture));
    } catch (cause) {
      if (!signal.aborted) this.#fail(cause, () => this.#expandGroup(picture));
    }
  }

  async #loadNextPage(offset = this.end, limit = MAX_RESULTS - this.#receivedCount): Promise<void> {
    const sequence = this.#sequence;
    this.error = null;
    this.isLoadingMore = true;
    try {
      const page = await this.#loadPage(this.#displayed, offset, limit);
      if (sequence !== this.#sequence) return;
      const { query, model } = this.#displayed;
      // Scores of two models cannot be compared: the ranking starts over.
      if (isSearch(query) && page.index.model !== this.index?.model) await this.load(query, model);
      else this.#add(page, offset);
    } catch (cause) {
      if (sequence === this.#sequence) this.#fail(cause, () => this.#loadNextPage(offset, limit));
    } finally {
      if (sequence === this.#sequence) this.isLoadingMore = false;
    }
  }

  #loadPage(search: Search, offset: number, maxCount: number): Promise<ResultPage> {
    const limit = Math.min(PAGE_SIZE, maxCount);
    return this.#api.search({ ...search, dedup: true, limit, offset }, this.#abort.signal);
  }

  #show(search: Search, page: ResultPage, roundTripMs: number): void {
    this.displayedQuery = search.query;
    this.#displayed = search;
    this.expandedGroups = new Map();
    this.ranking = joinedPages([], page.pictures);
    this.#countPage(page, 0);
    this.parsedFilters = page.filters;
    this.notes = pageNotes(page);
    this.showWeak = false;
    this.latency = { server: page.timings, roundTripMs, paintMs: null };
    this.#displayedAt = this.#now();
    this.#timestamps = withTimestamp(this.#timestamps, this.#displayedAt);
    this.error = null;
    this.version += 1;
    this.#idleTimer.cancel();
  }

  #add(page: ResultPage, offset: number): void {
    const isBefore = offset < this.start;
    const [first, last] = isBefore ? [page.pictures, this.ranking] : [this.ranking, page.pictures];
    this.ranking = joinedPages(first, last);
    if (isBefore) this.start = offset;
    this.#countPage(page, this.#receivedCount);
    this.#receivedCount = Math.min(this.#receivedCount, MAX_RESULTS);
  }

  #countPage(page: ResultPage, offset: number): void {
    this.index = page.index;
    this.total = page.total;
    this.partitions = page.partitions;
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
