import { type Job, type UpgradeCost } from '../lib/jobs';
import type { JobsState } from './jobs.svelte';

/** The model of a library that was indexed without any choice. */
export const STARTER = 'starter';
const DISMISSED = 'snapseek.upgrade.dismissed';

/** `offer`: it can be started; the others say what the last upgrade does. */
export type UpgradePhase = 'none' | 'offer' | 'running' | 'failed' | 'done';

/** The upgrade of the library to a better model: what it costs, and how far it is. Nothing starts by itself. */
export class UpgradeState {
  /** Null until it is loaded, and if the server does not say. */
  cost = $state.raw<UpgradeCost | null>(null);
  /** A request to start is on its way. */
  isStarting = $state(false);
  /** Why the server has refused to start it. */
  error = $state<string | null>(null);

  /** The phase in which the user has closed the card. The next phase is news again. */
  #dismissed = $state<UpgradePhase | null>(null);
  readonly #jobs: Pick<JobsState, 'api' | 'error' | 'isUpgrading' | 'lastUpgrade' | 'run'>;
  readonly #storage: () => Pick<Storage, 'getItem' | 'setItem'>;
  /** The last upgrade when the page was opened: how that one ended is no news. */
  #known = $state<number | null>(null);
  /** The library that it belongs to. */
  #library = '';

  constructor(
    jobs: Pick<JobsState, 'api' | 'error' | 'isUpgrading' | 'lastUpgrade' | 'run'>,
    storage: () => Pick<Storage, 'getItem' | 'setItem'>,
  ) {
    this.#jobs = jobs;
    this.#storage = storage;
  }

  /** The upgrade that this page has seen running. */
  get job(): Job | null {
    const job = this.#jobs.lastUpgrade;
    return job && job.id !== this.#known ? job : null;
  }

  get phase(): UpgradePhase {
    const state = this.job?.state;
    if (this.#jobs.isUpgrading) return 'running';
    if (state === 'failed') return 'failed';
    if (state === 'done') return 'done';
    return this.isOffered ? 'offer' : 'none';
  }

  /** Whether the card is shown above the page: not again after *Not now*. */
  get isShown(): boolean {
    return this.phase !== 'none' && this.phase !== this.#dismissed;
  }

  /** The library has the built-in model or an unfinished upgrade, and this client may start one. */
  get isOffered(): boolean {
    const { cost } = this;
    if (!cost || cost.is_current || !cost.may_start || cost.pictures === 0) return false;
    return cost.current === STARTER || cost.embedded > 0;
  }

  /** Note the upgrades that ended before the page was opened. */
  begin(library: string): void {
    this.#library = library;
    this.#known = this.#jobs.isUpgrading ? null : (this.#jobs.lastUpgrade?.id ?? null);
  }

  /** Load what an upgrade costs, and whether the user has declined it. */
  async load(): Promise<void> {
    this.cost = await this.#jobs.api.upgradeCost().catch(() => null);
    try {
      if (this.#storage().getItem(DISMISSED) === this.#key) this.#dismissed = 'offer';
    } catch {
      // The browser forbids storage: the offer is made with each visit.
    }
  }

  /** Download the model and embed all pictures: the user has said yes. */
  async start(): Promise<void> {
    if (!this.cost || this.isStarting) return;
    this.isStarting = true;
    this.#dismissed = null;
    this.#known = null;
    const isAccepted = await this.#jobs.run({ kind: 'upgrade', model: this.cost.model });
    this.error = isAccepted ? null : this.#jobs.error;
    this.isStarting = false;
  }

  /** Hide the card. *Not now* is remembered for this library and this model. */
  dismiss(): void {
    this.#dismissed = this.phase;
    if (this.phase !== 'offer') return;
    try {
      this.#storage().setItem(DISMISSED, this.#key);
    } catch {
      // As above.
    }
  }

  get #key(): string {
    return `${this.#library} ${this.cost?.model}`;
  }
}
