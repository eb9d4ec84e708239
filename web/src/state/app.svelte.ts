import { createContext } from 'svelte';
import type { Api, Picture } from '../lib/api';
import { errorNotice } from '../lib/errors';
import { answersFirst, OriginalQueue } from '../lib/originalQueue';
import type { OverviewApi } from '../lib/overviewApi';
import { trimmed } from '../lib/query';
import type { HistorySync, PageEntry } from '../lib/urlState';
import type { JobsState } from './jobs.svelte';
import { LibraryState } from './library.svelte';
import { RequestState } from './request.svelte';
import { ResultsState } from './results.svelte';
import { ViewState } from './view.svelte';

type TileActions = (typeof import('../components/results/TileActions.svelte'))['default'];

export interface Environment {
  readonly api: Api;
  /** A clock in milliseconds. */
  readonly now: () => number;
  readonly history: Pick<HistorySync, 'replace' | 'push' | 'openPicture' | 'closePicture'>;
}

/**
 * The state of the page, in five parts that components get from the context:
 * `request` (what is searched), `results` (what came back), `view` (how it is shown), `library` (its facts) and `jobs` (what is indexed).
 */
export class AppState {
  readonly originals = new OriginalQueue();
  readonly library: LibraryState;
  /** The buttons of tiles, which most tiles never need; null until they are loaded. */
  TileActions = $state.raw<TileActions | null>(null);
  /** Null until `followJobs`. */
  jobs = $state.raw<JobsState | null>(null);
  /** The library has another model than the results. */
  isStale = $state(false);
  readonly results: ResultsState;
  readonly view: ViewState;
  readonly request: RequestState;
  readonly #history: Environment['history'];
  readonly #api: Api;
  readonly #now: () => number;

  constructor({ api: server, now, history }: Environment) {
    this.#history = history;
    const api = (this.#api = answersFirst(server, this.originals));
    this.library = new LibraryState(api);
    this.#now = now;
    this.results = new ResultsState(api, now, {
      onresponse: (query, isShown) => this.request.handleResponse(query, isShown),
      onidle: (query) => this.request.handleIdle(query),
      isTyping: () => this.request.isTyping,
    });
    this.view = new ViewState(api, this.results);
    this.request = new RequestState({
      library: this.library,
      results: this.results,
      view: this.view,
      history,
    });
  }

  /** Request something that only lazily loaded parts of the page need. */
  readonly overview = async <T>(request: (api: OverviewApi) => Promise<T>): Promise<T> => {
    const { overviewApi } = await import('../lib/overviewApi');
    return await request(overviewApi());
  };

  /** Load the facts of the library, the first results and the opened picture in parallel; then the examples. */
  async start({ query, picture }: PageEntry): Promise<void> {
    const searching = this.request.start(query);
    const loading = [searching, this.library.load()];
    if (picture !== null) loading.push(this.#showPicture(picture, searching));
    await Promise.all(loading);
    await this.library.loadExamples();
  }

  /** Poll what the server indexes, from now on. */
  async followJobs(): Promise<void> {
    const { JobsState, Refresher } = await import('./jobs.svelte');
    const refresher = new Refresher(this);
    this.jobs = new JobsState(this.#now, {
      onversion: (version) => void refresher.show(version),
      onmodelchange: () => (this.isStale = true),
    });
    await this.jobs.follow(this.results.index?.name ?? '');
  }

  /** Load the results and the facts of the library again, because it has another model. */
  async reload(): Promise<void> {
    this.isStale = false;
    await this.library.load();
    await this.request.refresh();
    await this.library.loadExamples();
  }

  /** Show what an entry of the browser history shows. */
  async restore({ query, picture }: PageEntry): Promise<void> {
    const searching = this.request.restore(query);
    if (picture === null) this.view.lightbox.close();
    else await this.#showPicture(picture, searching);
    await searching;
  }

  /** Open a result, or a picture similar to the opened one. */
  openPicture(id: number): void {
    this.view.open(id);
    if (this.view.lightbox.picture) this.#history.openPicture(trimmed(this.request.query), id);
  }

  /** Open the next (1) or previous (-1) result; do nothing at the ends. */
  stepPicture(by: 1 | -1): void {
    const neighbour = this.view.lightbox.neighbour(by);
    if (neighbour) this.openPicture(neighbour.id);
  }

  closePicture(): void {
    this.view.lightbox.close();
    this.#history.closePicture(trimmed(this.request.query));
  }

  /** Search for pictures similar to all of these, and show them instead of an opened picture. */
  async findSimilar(...pictures: readonly Picture[]): Promise<void> {
    this.view.lightbox.close();
    const searching = this.request.findSimilar(pictures);
    // A new search has left the opened picture; the same search again has not.
    this.#history.closePicture(trimmed(this.request.query));
    await searching;
  }

  /** Return whether the server would answer this path; otherwise show why not. */
  async check(path: string): Promise<boolean> {
    try {
      await this.#api.check(path);
      return true;
    } catch (cause) {
      this.results.reportError(errorNotice(cause).message);
      return false;
    }
  }

  /** Search with an image file; report one that the browser cannot decode. */
  async addImageFile(file: Blob): Promise<void> {
    const { fileTerm } = await import('../lib/imageInput');
    const term = await fileTerm(file).catch((cause: unknown) => {
      this.results.reportError(cause instanceof Error ? cause.message : String(cause));
    });
    if (term) await this.request.addTerm(term);
  }

  /** Open a picture; report one that is gone after the search, whose answer clears older errors. */
  async #showPicture(id: number, searching: Promise<void>): Promise<void> {
    if (await this.view.lightbox.openById(id)) return;
    this.#history.closePicture(trimmed(this.request.query));
    await searching;
    if (this.results.error !== null) return;
    this.results.reportError('This picture is not in the library any more.');
  }
}

export const [getAppState, setAppState] = createContext<AppState>();
