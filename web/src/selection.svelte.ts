import type { Picture } from './api';
import { toggled } from './chosen';

/** The pictures that the reader has chosen: they stay so, also after others are shown. */
export class Selection {
  ids = $state.raw<ReadonlySet<number>>(new Set());
  /** In the order in which they were chosen. */
  pictures = $derived(this.#known(this.ids));

  /** Every chosen picture that was ever within reach. */
  readonly #seen = new Map<number, Picture>();

  /** `reach`: the pictures that can be chosen now. */
  constructor(private readonly reach: () => readonly Picture[]) {}

  /** Chooses a picture, or lets it go. */
  toggle(id: number): void {
    this.ids = toggled(this.ids, id);
  }

  clear(): void {
    this.ids = new Set();
  }

  #known(ids: ReadonlySet<number>): Picture[] {
    for (const picture of this.reach()) {
      if (ids.has(picture.id)) this.#seen.set(picture.id, picture);
    }
    return [...ids].flatMap((id) => this.#seen.get(id) ?? []);
  }
}
