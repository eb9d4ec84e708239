import { problemOf, ResponseError } from './errors';

/** What writes to the library meanwhile. */
export interface Job {
  readonly id: number;
  /** `index`, `sync`, `upgrade`, `add` or `remove`. */
  readonly kind: string;
  /** `waiting`, `running`, `done`, `failed`, `stopped` or `busy`. */
  readonly state: string;
  readonly done: number;
  /** 0 until it is known. */
  readonly total: number;
  readonly failed: number;
  /** Why it failed. */
  readonly message: string;
  /** One line for the user. */
  readonly summary: string;
}

/** The jobs of the server, and the state of its library, from `/api/jobs`. */
export interface JobStatus {
  readonly jobs: readonly Job[];
  readonly version: string;
  /** The model of the library. */
  readonly model: string;
}

/** What is started: the body of a POST to `/api/jobs`. */
export type JobRequest =
  | { readonly kind: 'sync'; readonly accept_missing?: string }
  | { readonly kind: 'upgrade'; readonly model: string }
  | { readonly kind: 'add'; readonly path: string }
  | { readonly kind: 'remove'; readonly source: string };

/** Files that could not be read, from `/api/failures`. */
export interface Failures {
  readonly total: number;
  readonly failures: readonly { readonly path: string; readonly reason: string }[];
}

/** What an upgrade to the recommended model costs, from `/api/upgrade`. */
export interface UpgradeCost {
  readonly model: string;
  readonly current: string;
  readonly is_current: boolean;
  readonly pictures: number;
  /** Embedded by an upgrade that was interrupted. */
  readonly embedded: number;
  /** Imported vectors, which prevent an upgrade. */
  readonly imported: number;
  /** Null if it is not known. */
  readonly download_bytes: number | null;
  readonly seconds: number;
  readonly disk_bytes: number;
  readonly free_bytes: number | null;
  /** Pictures without a file now; null if they are not counted. */
  readonly missing: number | null;
  readonly has_space: boolean;
  readonly may_start: boolean;
}

/** A source of the library: a folder, a list or imported vectors. */
export interface Source {
  readonly id: string;
  readonly path: string;
  readonly kind: string;
  /** `ready`, `missing`, `unconfirmed` or `imported`. */
  readonly state: string;
  readonly pictures: number;
}

/** The folders of the library, from `/api/library`. */
export interface LibraryDetails {
  /** Null for other machines. */
  readonly path: string | null;
  readonly size_bytes: number;
  readonly last_sync: string | null;
  readonly sources: readonly Source[];
  /** Folders whose files are gone. */
  readonly missing: readonly Pick<Source, 'id' | 'path' | 'pictures'>[];
  readonly skipped: readonly { readonly path: string; readonly kind: string }[];
  readonly may_sync: boolean;
  readonly may_edit: boolean;
}

/** Another library of this user, from `/api/libraries`. */
export interface OtherLibrary {
  readonly id: string;
  readonly path: string;
  readonly pictures: number | null;
  readonly model: string | null;
  readonly is_current: boolean;
}

/** All methods reject with ProblemError, ResponseError or TypeError (no server). */
export interface JobsApi {
  jobs(): Promise<JobStatus>;
  failures(): Promise<Failures>;
  upgradeCost(): Promise<UpgradeCost>;
  library(): Promise<LibraryDetails>;
  libraries(): Promise<readonly OtherLibrary[]>;
  start(request: JobRequest): Promise<Job>;
  /** Serve another library, and return the address of its page. */
  openLibrary(id: string): Promise<string>;
}

/** Implement `JobsApi` over HTTP. */
export function jobsApi(fetch: (url: string, init?: RequestInit) => Promise<Response>): JobsApi {
  async function read<T extends object>(url: string, body?: object): Promise<T> {
    const init = body && {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    };
    const response = await fetch(url, init);
    if (!response.ok) throw await problemOf(response);
    const found: unknown = await response.json().catch(() => null);
    if (typeof found !== 'object' || found === null)
      throw new ResponseError(`The response of the server to ${url} is not valid. Reload the page.`);
    return found as T;
  }
  return {
    jobs: async () => {
      const { jobs, version, model } = await read<Record<keyof JobStatus, unknown>>('api/jobs');
      return {
        jobs: Array.isArray(jobs) ? (jobs as Job[]) : [],
        version: `${version}`,
        model: `${model}`,
      };
    },
    failures: async () => {
      const { total, failures } = await read<Record<keyof Failures, unknown>>('api/failures');
      return { total: Number(total), failures: Array.isArray(failures) ? failures : [] };
    },
    upgradeCost: () => read('api/upgrade'),
    library: () => read('api/library'),
    libraries: async () => (await read<{ libraries?: OtherLibrary[] }>('api/libraries')).libraries ?? [],
    start: (request) => read('api/jobs', request),
    openLibrary: async (id) => {
      const { url } = await read<{ url?: unknown }>('api/libraries', { id });
      if (typeof url !== 'string' || !/^https?:\/\//.test(url))
        throw new ResponseError('The response of the server has no address. Reload the page.');
      return url;
    },
  };
}
