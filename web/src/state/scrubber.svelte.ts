import { debounce } from '../lib/debounce';
import type { Timeline } from '../lib/overviewApi';
import { offsetAt, stopAt, timelineStops, yearStep } from '../lib/timeline';
import type { ResultsState } from './results.svelte';

/** Pause in moving after which the pictures of a month are loaded. */
export const JUMP_PAUSE_MS = 150;

/** Where the strip of months stands, and what it loads. */
export class ScrubberState {
  timeline = $state.raw<Timeline | null>(null);
  readonly stops = $derived(this.timeline ? timelineStops(this.timeline) : []);
  /** Where the pointer or the keys are before the pictures follow, from 0 to 1; null while they rest. */
  wanted = $state<number | null>(null);
  isDragged = $state(false);
  #scrolledIndex = $state(0);
  /** The stop that is shown. */
  readonly index = $derived(
    this.wanted === null
      ? Math.min(this.#scrolledIndex, this.stops.length - 1)
      : stopAt(this.stops, this.wanted),
  );
  readonly position = $derived(this.wanted ?? this.stops[this.index]?.start ?? 0);

  #jumps = 0;
  readonly #results: Pick<ResultsState, 'jump'>;
  readonly #pause = debounce(() => void this.jump(), JUMP_PAUSE_MS);

  constructor(results: Pick<ResultsState, 'jump'>) {
    this.#results = results;
  }

  /** Note the month that the window shows. */
  track(label: string | undefined): void {
    if (this.wanted !== null) return;
    const found = this.stops.findIndex((stop) => stop.label === label);
    if (found >= 0) this.#scrolledIndex = found;
  }

  /** Move to a position, whose pictures are loaded after a pause. */
  moveTo(position: number): void {
    this.wanted = position;
    this.#pause.call();
  }

  /** Move to a stop; beyond the ends, to the first or last one. */
  goTo(index: number): void {
    this.moveTo(this.stops[Math.min(this.stops.length - 1, Math.max(0, index))]!.start);
  }

  /** Move to the next (1) or previous (-1) year. */
  stepYear(step: 1 | -1): void {
    this.goTo(yearStep(this.stops, this.index, step));
  }

  /** Load the pictures at the position now. */
  async jump(): Promise<void> {
    this.cancel();
    const { wanted } = this;
    if (wanted === null) return;
    const jump = ++this.#jumps;
    await this.#results.jump(offsetAt(this.stops, wanted));
    // A newer jump has aborted this one: the window still shows the old pictures, and the strip waits for the new.
    if (jump !== this.#jumps) return;
    this.#scrolledIndex = stopAt(this.stops, wanted);
    if (!this.isDragged && this.wanted === wanted) this.wanted = null;
  }

  cancel(): void {
    this.#pause.cancel();
  }
}
