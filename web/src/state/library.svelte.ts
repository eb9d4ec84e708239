import type { Api, Info, Suggestions } from '../lib/api';

type LibraryApi = Pick<Api, 'info' | 'suggestions' | 'hasGoodMatch'>;

/** What the server says about the library. The page searches without it, too. */
export class LibraryState {
  info = $state.raw<Info | null>(null);
  /** Filters that the library offers; null until loaded. */
  columns = $state.raw<Suggestions['columns'] | null>(null);
  /** Columns of numbers and dates that can be filtered by their ends. */
  ranges = $state.raw<Suggestions['ranges']>([]);
  /** Queries that the library answers well. */
  examples = $state.raw<readonly string[]>([]);

  #candidates: readonly string[] = [];

  readonly #api: LibraryApi;

  constructor(api: LibraryApi) {
    this.#api = api;
  }

  /** A faster text encoder answers while the user types. */
  get hasFast(): boolean {
    return this.info?.hasFast === true;
  }

  /** The server fetches images by their URL. */
  get acceptsImageUrls(): boolean {
    return this.info?.acceptsImageUrls === true;
  }

  /** Load all but the examples; a failure is not reported, because the first search reports a dead server. */
  async load(): Promise<void> {
    const loading = this.#api.suggestions().catch(() => null);
    this.info = await this.#api.info().catch(() => null);
    const loaded = await loading;
    this.#candidates = loaded?.examples.length ? loaded.examples : (this.info?.examples ?? []);
    this.columns = loaded?.columns ?? [];
    this.ranges = loaded?.ranges ?? [];
  }

  /** Offer the examples that have a good match: one that finds nothing would only disappoint. */
  async loadExamples(): Promise<void> {
    const examples: string[] = [];
    for (const words of this.#candidates) {
      if (await this.#api.hasGoodMatch(words).catch(() => false)) examples.push(words);
    }
    this.examples = examples;
  }
}
