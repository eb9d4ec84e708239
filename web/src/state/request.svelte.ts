import type { Picture, TextModel } from '../lib/api';
import { debounce } from '../lib/debounce';
import {
  EMPTY_QUERY,
  isSearch,
  MAX_TERMS,
  queryKey,
  similarTerm,
  trimmed,
  withTerm,
  withToggledFilter,
  wordsWithout,
  type SearchQuery,
  type Term,
} from '../lib/query';
import type { HistorySync } from '../lib/urlState';
import type { LibraryState } from './library.svelte';
import type { ResultsState } from './results.svelte';
import type { ViewState } from './view.svelte';

/** Pause in typing after which a search is sent; preview-only mode sends at once. */
export const TYPING_PAUSE_MS = 100;
/** Pause in typing after which a query counts as complete: what is wrong with it is said. */
export const REST_MS = 1000;
/** Pause in typing after which the full model is used, if a faster one answered first. */
export const FULL_MODEL_PAUSE_MS = 350;

export interface RequestParts {
  readonly library: Pick<LibraryState, 'hasFast'>;
  readonly results: ResultsState;
  readonly view: Pick<ViewState, 'isPreviewOnly'>;
  readonly history: Pick<HistorySync, 'replace' | 'push'>;
}

/** The query that the user edits, and when it is sent: after a typing pause, or at once on submit. */
export class RequestState {
  query = $state.raw<SearchQuery>(EMPTY_QUERY);
  /** The words may not be complete yet. */
  isTyping = $state(false);

  readonly #parts: RequestParts;
  readonly #typingPause = debounce(() => void this.#sendTyped(), TYPING_PAUSE_MS);
  readonly #rest = debounce(() => (this.isTyping = false), REST_MS);
  readonly #fullModelPause = debounce(() => void this.#send('full'), FULL_MODEL_PAUSE_MS);
  /** Key of the last submitted query: it needs no second history entry. */
  #submittedKey = queryKey(EMPTY_QUERY);

  constructor(parts: RequestParts) {
    this.#parts = parts;
  }

  /** The text of the search box. */
  get words(): string {
    return this.query.words;
  }

  /** Send the first query of the page. */
  async start(query: SearchQuery): Promise<void> {
    this.query = query;
    this.#submittedKey = queryKey(query);
    this.#parts.history.replace(trimmed(query));
    await this.#send('full');
  }

  /** Set the text of the search box and send it after a pause. */
  type(words: string): void {
    this.query = { ...this.query, words };
    this.isTyping = true;
    this.#rest.call();
    this.#fullModelPause.cancel();
    if (this.#isRequested('full') || this.#isRequested('fast')) return this.#typingPause.cancel();
    if (!this.#parts.view.isPreviewOnly) return this.#typingPause.call();
    if (!this.#parts.results.isLoading) void this.#sendTyped();
  }

  /** Send the query at once, with an entry in the history. */
  async submit(): Promise<void> {
    const key = queryKey(this.query);
    if (key !== this.#submittedKey) this.#parts.history.push(trimmed(this.query));
    await this.#sendNow(key);
  }

  /** Send the displayed query again, because the library has changed. */
  async refresh(): Promise<void> {
    if (this.#isRequested('full')) await this.#send('full');
  }

  /** Replace the query and submit it; the safe mode stays. */
  async submitQuery(query: SearchQuery): Promise<void> {
    this.query = { ...query, safe: this.query.safe };
    await this.submit();
  }

  /** Hide the pictures that this filter excludes from all queries; '' shows them again. */
  async setSafe(safe: string): Promise<void> {
    this.query = { ...this.query, safe };
    await this.submit();
  }

  /** Send a query that the history brings back. */
  async restore(query: SearchQuery): Promise<void> {
    this.query = query;
    await this.#sendNow(queryKey(query));
  }

  /** Search for pictures similar to all of these; the filters stay. */
  async findSimilar(pictures: readonly Picture[]): Promise<void> {
    const terms = pictures.slice(0, MAX_TERMS).map(similarTerm);
    await this.submitQuery({ ...EMPTY_QUERY, filters: this.query.filters, terms });
  }

  async addTerm(term: Term): Promise<void> {
    await this.submitQuery(withTerm(this.query, term));
  }

  /** Turn the words of the search box into a chip, so that they can be weighted. */
  async addChip(): Promise<void> {
    const { words } = trimmed(this.query);
    if (!words) return;
    const term: Term = { kind: 'words', value: words, label: words, thumbnail: '', weight: 1 };
    await this.submitQuery({ ...withTerm(this.query, term), words: '' });
  }

  async toggleFilter(filter: string): Promise<void> {
    await this.submitQuery(withToggledFilter(this.query, filter));
  }

  /** Remove all filters, those between the typed words, too. */
  async clearFilters(): Promise<void> {
    const words = this.#parts.results.parsedFilters.reduce(wordsWithout, this.words);
    await this.submitQuery({ ...this.query, words, filters: [] });
  }

  /** Remove a parsed filter from the words. */
  async removeParsedFilter(filter: string): Promise<void> {
    await this.submitQuery({ ...this.query, words: wordsWithout(this.words, filter) });
  }

  /** React to the response of a query: in preview-only mode, send what was typed in the meantime. */
  handleResponse(query: SearchQuery, isShown: boolean): void {
    if (!isShown) this.#handleFailure(query);
    if (this.#parts.view.isPreviewOnly && queryKey(query) !== queryKey(this.query)) void this.#sendTyped();
  }

  /** Write an idle query to the URL. Not earlier: the browser is busy with it, and the pictures come first. */
  handleIdle(query: SearchQuery): void {
    if (queryKey(query) === queryKey(this.query)) this.#parts.history.replace(query);
  }

  /** Drop pictures that the server cannot fetch: the query without them still works. */
  #handleFailure(query: SearchQuery): void {
    const isCurrent = queryKey(query) === queryKey(this.query);
    const terms = query.terms.filter(({ kind }) => kind !== 'image_url');
    if (isCurrent && this.#parts.results.error?.isRetryable === false && terms.length < query.terms.length)
      this.query = { ...query, terms };
    this.#parts.history.replace(trimmed(this.query));
  }

  #isRequested(model: TextModel): boolean {
    return this.#parts.results.isRequested(this.query, model);
  }

  async #sendNow(key: string): Promise<void> {
    this.isTyping = false;
    this.#typingPause.cancel();
    this.#fullModelPause.cancel();
    this.#submittedKey = key;
    if (!this.#isRequested('full')) await this.#send('full');
  }

  async #sendTyped(): Promise<void> {
    const isFast = this.#parts.library.hasFast && isSearch(this.query);
    if (isFast) this.#fullModelPause.call();
    await this.#send(isFast ? 'fast' : 'full');
  }

  async #send(model: TextModel): Promise<void> {
    await this.#parts.results.load(trimmed(this.query), model);
  }
}
