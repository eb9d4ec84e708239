import { createContext } from 'svelte';
import type { Api, Picture } from '../lib/api';
import { fileTerm } from '../lib/imageInput';
import type { SearchQuery } from '../lib/query';
import type { HistorySync } from '../lib/urlState';
import { LibraryState } from './library.svelte';
import { RequestState } from './request.svelte';
import { ResultsState } from './results.svelte';
import { ViewState } from './view.svelte';

export interface Environment {
  readonly api: Api;
  /** A clock in milliseconds. */
  readonly now: () => number;
  readonly history: Pick<HistorySync, 'replace' | 'push'>;
}

/**
 * The state of the page, in four parts that components get from the context:
 * `request` (what is searched), `results` (what came back), `view` (how it is shown), `library` (its facts).
 */
export class AppState {
  readonly library: LibraryState;
  readonly results: ResultsState;
  readonly view: ViewState;
  readonly request: RequestState;

  constructor({ api, now, history }: Environment) {
    this.library = new LibraryState(api);
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
