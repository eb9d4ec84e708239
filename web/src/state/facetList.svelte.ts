import { debounce } from '../lib/debounce';
import type { Facet, FacetRequest, FacetValue } from '../lib/overviewApi';

/** Values that are loaded at a time. */
export const FACET_PAGE = 100;
/** Pause in typing after which the server is searched. */
export const SEARCH_PAUSE_MS = 200;

type Load = (request: FacetRequest) => Promise<Facet>;

/**
 * The values of a column: the first ones, or those that contain a text, page by page from the server.
 *
 * A late answer to an older search is dropped.
 */
export class FacetList {
  values: readonly FacetValue[];
  /** Number of values over all pages. */
  total: number;
  isLoading = $state(false);
  hasFailed = $state(false);

  readonly #request: FacetRequest;
  readonly #load: Load;
  readonly #first: Facet;
  readonly #pause = debounce(() => void this.#send(), SEARCH_PAUSE_MS);
  #contains = '';
  #sequence = 0;

  /** `first` are the values that are known already, so that nothing is loaded for them. */
  constructor(request: FacetRequest, load: Load, first: Facet = { values: [], total: 0 }) {
    this.#request = request;
    this.#load = load;
    this.#first = first;
    this.values = $state.raw(first.values);
    this.total = $state(first.total);
  }

  get hasMore(): boolean {
    return this.values.length < this.total;
  }

  /** Show the values that contain a text, after a pause; '' shows the first ones again. */
  search(contains: string): void {
    if (contains === this.#contains) return;
    this.#contains = contains;
    this.#sequence += 1;
    const isWhole = this.#first.values.length === this.#first.total;
    if (contains && !isWhole) return this.#pause.call();
    this.#pause.cancel();
    const wanted = contains.toLowerCase();
    const values = this.#first.values.filter(({ value }) => value.toLowerCase().includes(wanted));
    this.#show(contains ? { values, total: values.length } : this.#first);
  }

  /** Load the next values. */
  async more(): Promise<void> {
    if (!this.isLoading) await this.#send(this.values);
  }

  async #send(before: readonly FacetValue[] = []): Promise<void> {
    const sequence = ++this.#sequence;
    this.isLoading = true;
    try {
      const page = await this.#load({
        ...this.#request,
        ...(this.#contains && { contains: this.#contains }),
        limit: FACET_PAGE,
        offset: before.length,
      });
      if (sequence !== this.#sequence) return;
      this.#show({ values: [...before, ...page.values], total: page.total });
    } catch {
      if (sequence === this.#sequence) this.hasFailed = true;
    } finally {
      if (sequence === this.#sequence) this.isLoading = false;
    }
  }

  #show({ values, total }: Facet): void {
    this.values = values;
    this.total = total;
    this.isLoading = this.hasFailed = false;
  }
}
