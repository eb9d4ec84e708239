import type { AppState } from './app.svelte';

/**
 * Open the next result, and load more results if it is not there yet, if it is still wanted then. Return false if
 * there is none.
 */
export async function showNext(
  app: Pick<AppState, 'view' | 'results' | 'stepPicture'>,
  isWanted = () => true,
): Promise<boolean> {
  const { lightbox } = app.view;
  const from = lightbox.picture;
  if (!lightbox.neighbour(1)) await app.results.loadMore();
  if (!isWanted() || lightbox.picture !== from || !lightbox.neighbour(1)) return false;
  app.stepPicture(1);
  return true;
}

/** How long each picture is shown. */
export const SLIDE_MS = 4000;

/** Shows the results one after the other, until the user does anything else or the results end. */
export class SlideshowState {
  isRunning = $state(false);

  readonly #next: (isWanted: () => boolean) => Promise<boolean>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isHidden = false;
  /** Changes when what loads the next picture is not to show it any more. */
  #turn = 0;

  /** `next` shows the next picture, if it is still wanted once it is there; it returns false if there is none. */
  constructor(next: (isWanted: () => boolean) => Promise<boolean>) {
    this.#next = next;
  }

  toggle(): void {
    if (this.isRunning) return this.stop();
    this.isRunning = true;
    this.#wait();
  }

  stop(): void {
    this.isRunning = false;
    this.#turn += 1;
    clearTimeout(this.#timer);
  }

  /** Nothing moves while nobody sees the page. The picture then has its full time again. */
  setHidden(isHidden: boolean): void {
    this.#isHidden = isHidden;
    if (this.isRunning) this.#wait();
  }

  #wait(): void {
    this.#turn += 1;
    clearTimeout(this.#timer);
    if (!this.#isHidden) this.#timer = setTimeout(() => void this.#step(), SLIDE_MS);
  }

  async #step(): Promise<void> {
    const turn = this.#turn;
    const isWanted = () => this.#turn === turn;
    const hasNext = await this.#next(isWanted);
    if (!isWanted()) return;
    if (hasNext) this.#wait();
    else this.stop();
  }
}
