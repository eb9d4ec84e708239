import type { Picture } from '../lib/api';

/** The selected pictures. They stay selected when other results are shown. */
export class SelectionState {
  ids = $state.raw<ReadonlySet<number>>(new Set());
  /** The user began to select, so that a click selects. */
  #isStarted = $state(false);
  /** In the order of selection. */
  pictures = $derived.by(() => this.#collect(this.ids));

  readonly #available: () => readonly Picture[];
  /** Every selected picture that was ever available, by id. */
  readonly #seen = new Map<number, Picture>();

  /** `available`: the pictures that can be selected now. */
  constructor(available: () => readonly Picture[]) {
    this.#available = available;
  }

  /** A click on a picture selects it instead of opening it. */
  get isActive(): boolean {
    return this.#isStarted || this.ids.size > 0;
  }

  /** Select by clicks from now on, before the first picture is selected. */
  start(): void {
    this.#isStarted = true;
  }

  toggle(id: number): void {
    const next = new Set(this.ids);
    if (!next.delete(id)) next.add(id);
    this.ids = next;
  }

  /** Select pictures, be they results or not. */
  add(pictures: readonly Picture[]): void {
    for (const picture of pictures) this.#seen.set(picture.id, picture);
    this.ids = new Set([...this.ids, ...pictures.map(({ id }) => id)]);
  }

  /** Clear the selection and end it. */
  clear(): void {
    this.#isStarted = false;
    this.ids = new Set();
  }

  #collect(ids: ReadonlySet<number>): Picture[] {
    for (const picture of this.#available()) {
      if (ids.has(picture.id)) this.#seen.set(picture.id, picture);
    }
    return [...ids].flatMap((id) => this.#seen.get(id) ?? []);
  }
}
