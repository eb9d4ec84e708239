import type { Point } from './navigation';

/** Duration of a long press. */
export const LONG_PRESS_MS = 500;
/** A finger that moves further scrolls. */
const MAX_MOVE_PX = 10;

/** Recognises a finger that stays on an item for a moment. */
export class LongPress<Item> {
  readonly #onlongpress: (item: Item) => void;
  #pressed: { readonly item: Item; readonly at: Point; readonly since: number } | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClickDue = false;

  constructor(onlongpress: (item: Item) => void) {
    this.#onlongpress = onlongpress;
  }

  /** `since` and `until` are the time stamps of the events, ms. */
  down(item: Item, at: Point, since: number): void {
    this.cancel();
    this.#isClickDue = false;
    this.#pressed = { item, at, since };
    this.#timer = setTimeout(() => this.fire(), LONG_PRESS_MS);
  }

  move(to: Point): void {
    const from = this.#pressed?.at;
    if (from && Math.hypot(to.x - from.x, to.y - from.y) > MAX_MOVE_PX) this.cancel();
  }

  /** On a busy machine the finger leaves before the timer fires: the press was long all the same. */
  up(until: number): void {
    if (this.#pressed && until - this.#pressed.since >= LONG_PRESS_MS) this.fire();
    else this.cancel();
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#pressed = null;
  }

  /** End the press now, as the browser does when it would open its own menu. */
  fire(): void {
    const pressed = this.#pressed;
    this.cancel();
    if (!pressed) return;
    this.#isClickDue = true;
    this.#onlongpress(pressed.item);
  }

  /** Whether a click is the end of a long press, and so no click of its own. Answers once. */
  takeClick(): boolean {
    const isDue = this.#isClickDue;
    this.#isClickDue = false;
    return isDue;
  }
}
