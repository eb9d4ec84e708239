import type { Api, Picture } from './api';

/** Pictures that look like the opened one. */
const NEIGHBOURS = 13;

/** The picture that is opened large: one of those shown, or a neighbour of one. */
export class Opened {
  /** Null while none is. */
  picture = $state.raw<Picture | null>(null);
  /** What looks like it. */
  neighbours = $state.raw<readonly Picture[]>([]);
  /** Which of the shown pictures is opened, or was before its neighbour; -1 for none. */
  place = $derived.by(() => this.shown().findIndex(({ id }) => id === this.#anchorId));

  #anchorId = $state<number | null>(null);
  #looking = new AbortController();

  constructor(
    private readonly api: Pick<Api, 'similar'>,
    private readonly shown: () => readonly Picture[],
  ) {}

  /** Opens one of the shown pictures, or a neighbour of the opened one. */
  open(id: number): void {
    const picture = [...this.shown(), ...this.neighbours].find((other) => other.id === id) ?? null;
    if (this.shown().some((other) => other.id === id)) this.#anchorId = id;
    this.picture = picture;
    void this.#look(id);
  }

  /** The shown picture after (1) or before (-1) the opened one; null where there is none. */
  beside(by: 1 | -1): Picture | null {
    if (this.picture === null || this.place < 0) return null;
    return this.shown()[this.place + by] ?? null;
  }

  close(): void {
    this.#looking.abort();
    this.picture = this.#anchorId = null;
    this.neighbours = [];
  }

  async #look(id: number): Promise<void> {
    this.#looking.abort();
    const { signal } = (this.#looking = new AbortController());
    // Without neighbours the picture itself is still there to be looked at.
    const answer = await this.api.similar(id, NEIGHBOURS, signal).catch(() => null);
    if (!signal.aborted) this.neighbours = answer?.pictures.filter((other) => other.id !== id) ?? [];
  }
}
