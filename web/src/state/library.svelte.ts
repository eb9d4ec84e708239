import type { Api, Info, Suggestions } from '../lib/api';

/** What the server says about the library. The page searches without it, too. */
export class LibraryState {
  info = $state.raw<Info | null>(null);
  /** Example queries and filters; null until loaded. */
  suggestions = $state.raw<Suggestions | null>(null);

  readonly #api: Pick<Api, 'info' | 'suggestions'>;

  constructor(api: Pick<Api, 'info' | 'suggestions'>) {
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

  /** Load both; a failure is not reported, because the first search reports a dead server. */
  async load(): Promise<void> {
    const loading = this.#api.suggestions().catch(() => null);
    this.info = await this.#api.info().catch(() => null);
    void loading.then((loaded) => {
      const examples = loaded?.examples.length ? loaded.examples : (this.info?.examples ?? []);
      this.suggestions = { examples, columns: loaded?.columns ?? [] };
    });
  }
}
