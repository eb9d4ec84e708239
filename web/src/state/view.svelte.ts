import type { Api, Picture } from '../lib/api';
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
  isFilterOpen = $state(false);
  isLibraryOpen = $state(false);
  /** What of the library is open: its taught words, a picture that is to teach one, or its duplicates. */
  panel = $state.raw<'words' | Picture | 'duplicates' | null>(null);
  /** The technical details of an opened picture are shown. */
  showDetails = $state(false);
  /** The pointer can hover, so that buttons may wait for it. False for a finger. */
  canHover = $state(globalThis.matchMedia?.('(hover: hover)').matches ?? true);
  /** Device pixels per CSS pixel. */
  pixelRatio = $state(globalThis.devicePixelRatio ?? 1);
  readonly lightbox: LightboxState;
  readonly selection: SelectionState;

  readonly #results: ResultsState;

  constructor(api: Pick<Api, 'similar' | 'byIds'>, results: ResultsState) {
    this.#results = results;
    this.lightbox = new LightboxState(
      api,
      () => results.pictures,
      () => results.displayedQuery?.safe ?? '',
    );
    this.selection = new SelectionState(() => [...results.pictures, ...this.lightbox.similar]);
  }

  /** Note the kind of pointer that was used last. */
  handlePointer(pointerType: string): void {
    this.canHover = pointerType !== 'touch';
  }

  togglePreviewOnly(): void {
    this.isPreviewOnly = !this.isPreviewOnly;
  }

  toggleCaptions(): void {
    this.showCaptions = !this.showCaptions;
  }

  toggleDetails(): void {
    this.showDetails = !this.showDetails;
  }

  /** Begin a selection, or end it. */
  toggleSelecting(): void {
    if (this.selection.isActive) this.selection.clear();
    else this.selection.start();
  }

  /** Open a result in the lightbox, or a picture similar to the opened one. */
  open(id: number): void {
    this.lightbox.open(id);
    if (this.lightbox.index + PREFETCH_COUNT >= this.#results.pictures.length) void this.#results.loadMore();
  }
}
