import { createContext } from 'svelte';
import type { Api, Picture } from '../lib/api';
import { fileTerm } from '../lib/imageInput';
import type { SearchQuery } from '../lib/query';
import type { HistorySync } from '../lib/urlState';
import { JobsState } from './jobs.svelte';
import { LibraryState } from './library.svelte';
import { RequestState } from './request.svelte';
import { ResultsState } from './results.svelte';
import { ViewState } from './view.svelte';

/** Further down than this the results are not replaced while the user looks at them, px. */
const SCROLLED_PX = 200;

export interface Environment {
  readonly api: Api;
  /** A clock in milliseconds. */
  readonly now: () => number;
  readonly history: Pick<HistorySync, 'replace' | 'push'>;
}

/**
 * The state of the page, in five parts that components get from the context:
 * `request` (what is searched), `results` (what came back), `view` (how it is shown), `library` (its facts) and `jobs` (what is indexed).
 */
export class AppState {
  readonly library: LibraryState;
  readonly jobs: JobsState;
  readonly results: ResultsState;
  readonly view: ViewState;
  readonly request: RequestState;

  constructor({ api, now, history }: Environment) {
    this.library = new LibraryState(api);
    this.jobs = new JobsState(api, now, () => void this.#refresh());
    this.results = new ResultsState(api, now, {
      onresponse: (query, isShown) => {
        if (isShown) this.view.handleNewResults();
        this.request.handleResponse(query, isShown);
      },
      onidle: (query) => this.request.handleIdle(query),
    });
    this.view = new ViewState(api, this.results);
    this.request = new RequestState({
      library: this.library,
      results: this.results,
      view: this.view,
      history,
    });
  }

  /** Load the facts of the library and the first results, in parallel. */
  async start(query: SearchQuery): Promise<void> {
    await Promise.all([this.request.start(query), this.library.load()]);
  }

  /** Show new pictures of the library, unless the user is busy with the present ones. */
  async #refresh(): Promise<void> {
    const isBusy = this.view.lightbox.picture !== null || this.view.selection.ids.size > 0;
    if (!isBusy && this.results.isIdle && globalThis.scrollY < SCROLLED_PX) await this.request.refresh();
  }

  /** Search for pictures similar to this one, and show them instead of an opened picture. */
  async findSimilar(picture: Picture): Promise<void> {
    this.view.lightbox.close();
    await this.request.findSimilar(picture);
  }

  /** Search with an image file; report one that the browser cannot decode. */
  async addImageFile(file: Blob): Promise<void> {
    const term = await fileTerm(file).catch((cause: unknown) => {
      this.results.reportError(cause instanceof Error ? cause.message : String(cause));
    });
    if (term) await this.request.addTerm(term);
  }
}

export const [getAppState, setAppState] = createContext<AppState>();
