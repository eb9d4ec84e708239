import { errorNotice } from '../lib/errors';
import type { JobRequest, LibraryDetails, OtherLibrary } from '../lib/jobs';
import type { JobsState } from './jobs.svelte';

/** The folders of the library and the other libraries, as the panel shows and changes them. */
export class LibraryPanelState {
  details = $state.raw<LibraryDetails | null>(null);
  libraries = $state.raw<readonly OtherLibrary[]>([]);
  error = $state<string | null>(null);
  /** Id of the library whose server is being started. */
  opening = $state<string | null>(null);
  /** What waits for a second click: removing pictures is confirmed. */
  confirming = $state<string | null>(null);

  readonly #jobs: Pick<JobsState, 'api' | 'run' | 'error'>;
  readonly #visit: (url: string) => void;

  /** `visit` opens the page of another library. */
  constructor(jobs: Pick<JobsState, 'api' | 'run' | 'error'>, visit: (url: string) => void) {
    this.#jobs = jobs;
    this.#visit = visit;
  }

  /** Load everything again; what could not be loaded stays as it was. */
  async load(): Promise<void> {
    const { api } = this.#jobs;
    const libraries = api.libraries().catch(() => this.libraries);
    try {
      this.details = await api.library();
    } catch (cause) {
      this.error = errorNotice(cause).message;
    }
    this.libraries = await libraries;
  }

  /** Start a job. Return whether the server has accepted it. */
  async run(request: JobRequest): Promise<boolean> {
    this.confirming = this.error = null;
    const isStarted = await this.#jobs.run(request);
    this.error = this.#jobs.error;
    return isStarted;
  }

  /** Serve another library and go to its page. */
  async open(id: string): Promise<void> {
    this.error = null;
    this.opening = id;
    try {
      this.#visit(await this.#jobs.api.openLibrary(id));
    } catch (cause) {
      this.error = errorNotice(cause).message;
    }
    this.opening = null;
  }
}
