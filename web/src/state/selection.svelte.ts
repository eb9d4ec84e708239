import type { Picture } from '../lib/api';

/** The selected pictures. They stay selected when other results are shown. */
export class SelectionState {
  ids = $state.raw<ReadonlySet<number>>(new Set());
  /** In the order of selection. */
  pictures = $derived.by(() => this.#collect(this.ids));

  readonly #available: () => readonly Picture[];
  /** Every selected picture that was ever available, by id. */
  readonly #seen = new Map<number, Picture>();

  /** `available`: the pictures that can be selected now. */
  constructor(available: () => readonly Picture[]) {
    this.#available = available;
  }

  toggle(id: number): void {
    const next = new Set(this.ids);
    if (!next.delete(id)) next.add(id);
    this.ids = next;
  }

  clear(): void {
    this.ids = new Set();
  }

  #collect(ids: ReadonlySet<number>): Picture[] {
    for (const picture of this.#available()) {
      if (ids.has(picture.id)) this.#seen.set(picture.id, picture);
    }
    return [...ids].flatMap((id) => this.#seen.get(id) ?? []);
  }
}
