import type { RequestState } from './request.svelte';
import type { ResultsState } from './results.svelte';
import type { ViewState } from './view.svelte';

/** Further down than this the results are not replaced while the user looks at them, px. */
const SCROLLED_PX = 200;

export interface RefresherParts {
  readonly results: Pick<
    ResultsState,
    'index' | 'isIdle' | 'isLoading' | 'start' | 'showWeak' | 'expandedGroups'
  >;
  readonly view: {
    readonly lightbox: Pick<ViewState['lightbox'], 'picture'>;
    readonly selection: Pick<ViewState['selection'], 'ids'>;
  };
  readonly request: Pick<RequestState, 'refresh'>;
}

/** Replaces the results when the library has another version than they have. */
export class Refresher {
  readonly #parts: RefresherParts;
  readonly #scrollY: () => number;
  /** The version for which the results were replaced last: an answer may be of an even newer one. */
  #version: string | null = null;

  constructor(parts: RefresherParts, scrollY: () => number = () => globalThis.scrollY) {
    this.#parts = parts;
    this.#scrollY = scrollY;
  }

  /** Show what this version of the library has, unless the user is busy with the present results: then later. */
  async show(version: string): Promise<void> {
    const { results, request } = this.#parts;
    if (version === this.#version || version === results.index?.version) return;
    if (this.#isBusy || !results.isIdle || results.isLoading || results.start > 0) return;
    this.#version = version;
    await request.refresh();
  }

  /** The user looks at a picture, selects some, or has opened or scrolled to what would be closed. */
  get #isBusy(): boolean {
    const { results, view } = this.#parts;
    const isOpen = view.lightbox.picture !== null || results.showWeak || results.expandedGroups.size > 0;
    return isOpen || view.selection.ids.size > 0 || this.#scrollY() >= SCROLLED_PX;
  }
}
