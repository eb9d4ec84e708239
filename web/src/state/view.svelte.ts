import type { Api } from '../lib/api';
import { LightboxState } from './lightbox.svelte';
import type { ResultsState } from './results.svelte';
import { SelectionState } from './selection.svelte';

/** An opened picture this near to the last loaded one loads the next page. */
const PREFETCH_COUNT = 6;

/** How the results are viewed: modes, the opened picture and the selection. */
export class ViewState {
  /** Speed mode: no originals are loaded, and a search is sent on every key press. */
  isPreviewOnly = $state(false);
  showCaptions = $state(false);
  isHelpOpen = $state(false);
  /** Device pixels per CSS pixel. */
  pixelRatio = $state(globalThis.devicePixelRatio ?? 1);
  readonly lightbox: LightboxState;
  readonly selection: SelectionState;

  readonly #results: ResultsState;

  constructor(api: Pick<Api, 'similar'>, results: ResultsState) {
    this.#results = results;
    this.lightbox = new LightboxState(api, () => results.pictures);
    this.selection = new SelectionState(() => [...results.pictures, ...this.lightbox.similar]);
  }

  togglePreviewOnly(): void {
    this.isPreviewOnly = !this.isPreviewOnly;
  }

  toggleCaptions(): void {
    this.showCaptions = !this.showCaptions;
  }

  /** Open a result in the lightbox, or a picture similar to the opened one. */
  open(id: number): void {
    this.lightbox.open(id);
    if (this.lightbox.index + PREFETCH_COUNT >= this.#results.pictures.length) void this.#results.loadMore();
  }

  /** Open the next (1) or previous (-1) result; do nothing at the ends. */
  step(by: 1 | -1): void {
    const neighbour = this.lightbox.neighbour(by);
    if (neighbour) this.open(neighbour.id);
  }

  /** Close the lightbox if new results do not contain its picture. */
  handleNewResults(): void {
    if (this.lightbox.picture && this.lightbox.index < 0) this.lightbox.close();
  }
}
