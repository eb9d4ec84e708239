import { jobsApi, type Failures, type Job, type JobsApi, type JobStatus } from '../lib/jobs';

/** How often the server is polled while a job runs, and while none does. */
export const ACTIVE_POLL_MS = 1000;
export const IDLE_POLL_MS = 10_000;
/** How long the line about a job stays after it has ended. */
export const ENDED_SHOWN_MS = 8000;

const ACTIVE = ['waiting', 'running'];

/** What the server indexes meanwhile. */
export class JobsState {
  /** The job that runs, or the one that has just ended; null if there is nothing to show. */
  current = $state.raw<Job | null>(null);
  /** The files that could not be read; null until they are requested. */
  failures = $state.raw<Failures | null>(null);

  readonly #api: JobsApi;
  readonly #onchange: () => void;
  #count: number | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #endedAt: number | null = null;
  readonly #now: () => number;

  /** `onchange` is called when the library has other pictures than before. */
  constructor(now: () => number, onchange: () => void, api: JobsApi = jobsApi((url) => fetch(url))) {
    this.#api = api;
    this.#now = now;
    this.#onchange = onchange;
  }

  get isActive(): boolean {
    return this.current !== null && ACTIVE.includes(this.current.state);
  }

  /** Poll the server now and from then on, until `stop`. */
  async start(): Promise<void> {
    this.stop();
    const status = await this.#api.jobs().catch(() => null);
    if (status) this.#show(status);
    this.#timer = setTimeout(() => void this.start(), this.isActive ? ACTIVE_POLL_MS : IDLE_POLL_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Load the files that could not be read. */
  async loadFailures(): Promise<void> {
    this.failures = await this.#api.failures().catch(() => null);
  }

  #show({ jobs, count }: JobStatus): void {
    const wasActive = this.isActive;
    const active = jobs.find((job) => job.state === 'running') ?? jobs.find((job) => job.state === 'waiting');
    const last = jobs.at(-1) ?? null;
    if (active) this.#endedAt = null;
    else if (wasActive) this.#endedAt = this.#now();
    const isRecent = this.#endedAt !== null && this.#now() - this.#endedAt < ENDED_SHOWN_MS;
    this.current = active ?? (isRecent ? last : null);
    const hasChanged = this.#count !== null && this.#count !== count;
    this.#count = count;
    if (hasChanged) this.#onchange();
  }
}
