import type { Api, Picture } from '../lib/api';

/** Number of similar pictures to load; the opened picture is usually one of them. */
const SIMILAR_COUNT = 13;

/** The opened picture: one of the results, or a picture similar to one. */
export class LightboxState {
  /** Null if the lightbox is closed. */
  picture = $state.raw<Picture | null>(null);
  similar = $state.raw<readonly Picture[]>([]);
  /** Index of the last opened result; -1 if there is none. */
  index = $derived.by(() => this.#results().findIndex(({ id }) => id === this.#resultId));

  readonly #api: Pick<Api, 'similar' | 'byIds'>;
  readonly #results: () => readonly Picture[];
  readonly #safe: () => string;
  #resultId = $state<number | null>(null);
  #abort = new AbortController();

  /** `safe` returns the filter that similar pictures must pass, too. */
  constructor(api: Pick<Api, 'similar' | 'byIds'>, results: () => readonly Picture[], safe = () => '') {
    this.#api = api;
    this.#results = results;
    this.#safe = safe;
  }

  /** Open a result, or a picture similar to the opened one. */
  open(id: number): void {
    const result = this.#results().find((picture) => picture.id === id);
    if (result) this.#resultId = id;
    this.picture = result ?? this.similar.find((picture) => picture.id === id) ?? null;
    void this.#loadSimilar(id);
  }

  /** Open any picture of the library. Return false if there is none with this id. */
  async openById(id: number): Promise<boolean> {
    this.open(id);
    if (this.picture) return true;
    const { signal } = this.#abort;
    const page = await this.#api.byIds([id], signal).catch(() => null);
    if (signal.aborted || page === null) return true; // the first search reports a dead server
    this.picture = page.pictures[0] ?? null;
    if (this.picture) this.#resultId = id;
    return this.picture !== null;
  }

  /** Return the result after (1) or before (-1) the opened one; null at the ends. */
  neighbour(step: 1 | -1): Picture | null {
    if (this.picture === null || this.index < 0) return null;
    return this.#results()[this.index + step] ?? null;
  }

  close(): void {
    this.#abort.abort();
    this.picture = this.#resultId = null;
    this.similar = [];
  }

  async #loadSimilar(id: number): Promise<void> {
    this.#abort.abort();
    const { signal } = (this.#abort = new AbortController());
    // A failure is not reported: the picture itself is shown without them.
    const page = await this.#api.similar(id, SIMILAR_COUNT, this.#safe(), signal).catch(() => null);
    if (!signal.aborted) this.similar = page?.pictures.filter((picture) => picture.id !== id) ?? [];
  }
}
