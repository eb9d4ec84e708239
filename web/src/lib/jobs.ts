import { ResponseError } from './errors';

/** What writes to the library meanwhile. */
export interface Job {
  readonly id: number;
  /** `waiting`, `running`, `done`, `failed`, `stopped` or `busy`. */
  readonly state: string;
  readonly done: number;
  /** 0 until it is known. */
  readonly total: number;
  readonly failed: number;
  /** One line for the user. */
  readonly summary: string;
}

/** The jobs of the server, and the state of its library, from `/api/jobs`. */
export interface JobStatus {
  readonly jobs: readonly Job[];
  readonly version: string;
  readonly count: number;
}

/** Files that could not be read, from `/api/failures`. */
export interface Failures {
  readonly total: number;
  readonly failures: readonly { readonly path: string; readonly reason: string }[];
}

export interface JobsApi {
  jobs(): Promise<JobStatus>;
  failures(): Promise<Failures>;
}

/** Implement `JobsApi` over HTTP; both methods reject with ResponseError or TypeError (no server). */
export function jobsApi(fetch: (url: string) => Promise<Response>): JobsApi {
  const read = async (url: string): Promise<Record<string, unknown>> => {
    const response = await fetch(url);
    const found: unknown = response.ok ? await response.json() : null;
    if (typeof found !== 'object' || found === null) throw new ResponseError(`${url}: ${response.status}`);
    return found as Record<string, unknown>;
  };
  return {
    jobs: async () => {
      const { jobs, version, count } = await read('api/jobs');
      return {
        jobs: Array.isArray(jobs) ? (jobs as Job[]) : [],
        version: `${version}`,
        count: Number(count),
      };
    },
    failures: async () => {
      const { total, failures } = await read('api/failures');
      return { total: Number(total), failures: Array.isArray(failures) ? failures : [] };
    },
  };
}
