import type { AppState } from './app.svelte';

/** Open the next result, and load more results if it is not there yet. Return false if there is none. */
export async function showNext(app: Pick<AppState, 'view' | 'results' | 'stepPicture'>): Promise<boolean> {
  const { lightbox } = app.view;
  const from = lightbox.picture;
  if (!lightbox.neighbour(1)) await app.results.loadMore();
  if (lightbox.picture !== from || !lightbox.neighbour(1)) return false;
  app.stepPicture(1);
  return true;
}

/** How long each picture is shown. */
export const SLIDE_MS = 4000;

/** Shows the results one after the other, until the user does anything else or the results end. */
export class SlideshowState {
  isRunning = $state(false);

  readonly #next: () => Promise<boolean>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isHidden = false;

  /** `next` shows the next picture; it returns false if there is none. */
  constructor(next: () => Promise<boolean>) {
    this.#next = next;
  }

  toggle(): void {
    if (this.isRunning) return this.stop();
    this.isRunning = true;
    this.#wait();
  }

  stop(): void {
    this.isRunning = false;
    clearTimeout(this.#timer);
  }

  /** Nothing moves while nobody sees the page. The picture then has its full time again. */
  setHidden(isHidden: boolean): void {
    this.#isHidden = isHidden;
    if (this.isRunning) this.#wait();
  }

  #wait(): void {
    clearTimeout(this.#timer);
    if (!this.#isHidden) this.#timer = setTimeout(() => void this.#step(), SLIDE_MS);
  }

  async #step(): Promise<void> {
    const hasNext = await this.#next();
    if (!this.isRunning) return;
    if (hasNext) this.#wait();
    else this.stop();
  }
}
