import { errorNotice } from '../lib/errors';
import { jobsApi, type Failures, type Job, type JobRequest, type JobsApi, type JobStatus } from '../lib/jobs';
import { STARTER, UpgradeState } from './upgrade.svelte';

export { Refresher } from './refresher';

/** How often the server is polled while a job runs, and while none does. */
export const ACTIVE_POLL_MS = 1000;
export const IDLE_POLL_MS = 10_000;
/** How long the line about a job stays after it has ended. */
export const ENDED_SHOWN_MS = 8000;

const ACTIVE = ['waiting', 'running'];

export interface JobsEvents {
  /** What the library has now: another version has other pictures or previews. */
  onversion(version: string): void;
  /** The library has another model than before. */
  onmodelchange(): void;
}

/** What the server indexes meanwhile. */
export class JobsState {
  /** The job that runs, or the one that has just ended; null if there is nothing to show. */
  current = $state.raw<Job | null>(null);
  /** The last upgrade; null if the server has run none. */
  lastUpgrade = $state.raw<Job | null>(null);
  /** The files that could not be read; null until they are requested. */
  failures = $state.raw<Failures | null>(null);
  /** Counts the jobs that were seen to end. */
  endedCount = $state(0);
  /** Why the last job was not started. */
  error = $state<string | null>(null);

  readonly api: JobsApi;
  readonly upgrade: UpgradeState;
  readonly #events: JobsEvents;
  readonly #now: () => number;
  #model: string | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #endedAt: number | null = null;

  constructor(
    now: () => number,
    events: JobsEvents,
    api: JobsApi = jobsApi((url, init) => fetch(url, init)),
    storage: () => Pick<Storage, 'getItem' | 'setItem'> = () => localStorage,
  ) {
    this.api = api;
    this.upgrade = new UpgradeState(this, storage);
    this.#now = now;
    this.#events = events;
  }

  get isActive(): boolean {
    return this.current !== null && ACTIVE.includes(this.current.state);
  }

  /** An upgrade waits or runs. */
  get isUpgrading(): boolean {
    return this.lastUpgrade !== null && ACTIVE.includes(this.lastUpgrade.state);
  }

  /** Poll the server from now on, and offer an upgrade if the library `name` has the built-in model. */
  async follow(name: string): Promise<void> {
    await this.start();
    this.upgrade.begin(name);
    if (this.#model === STARTER || this.isUpgrading) await this.upgrade.load();
  }

  /** Poll the server now and from then on, until `stop`. */
  async start(): Promise<void> {
    this.stop();
    const status = await this.api.jobs().catch(() => null);
    if (status) this.#show(status);
    this.stop(); // another call may have started a timer meanwhile
    this.#timer = setTimeout(() => void this.start(), this.isActive ? ACTIVE_POLL_MS : IDLE_POLL_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Start a job. Return whether the server has accepted it; otherwise `error` says why not. */
  async run(request: JobRequest): Promise<boolean> {
    this.error = null;
    try {
      await this.api.start(request);
    } catch (cause) {
      this.error = errorNotice(cause).message;
      return false;
    }
    await this.start();
    return true;
  }

  /** Load the files that could not be read. */
  async loadFailures(): Promise<void> {
    this.failures = await this.api.failures().catch(() => null);
  }

  #show({ jobs, version, model }: JobStatus): void {
    this.#showJob(jobs);
    this.lastUpgrade = jobs.filter(({ kind }) => kind === 'upgrade').at(-1) ?? null;
    const modelBefore = this.#model;
    this.#model = model;
    if (modelBefore !== null && modelBefore !== model) this.#events.onmodelchange();
    else this.#events.onversion(version);
  }

  #showJob(jobs: readonly Job[]): void {
    const wasActive = this.isActive;
    const active = jobs.find((job) => job.state === 'running') ?? jobs.find((job) => job.state === 'waiting');
    if (active) this.#endedAt = null;
    else if (wasActive) this.#endedAt = this.#now();
    const isRecent = this.#endedAt !== null && this.#now() - this.#endedAt < ENDED_SHOWN_MS;
    if (wasActive && this.current?.id !== active?.id) this.endedCount += 1;
    this.current = active ?? (isRecent ? (jobs.at(-1) ?? null) : null);
  }
}
