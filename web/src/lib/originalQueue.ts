import type { Api } from './api';

/** The load of one original. */
export interface OriginalLoad {
  start(): void;
  /** Stop a running load. It is started again later. */
  stop(): void;
}

/**
 * Number of originals that load at the same time. A browser opens six connections to a server by HTTP/1.1:
 * two are left for answers and for an opened picture.
 */
export const MAX_PARALLEL = 4;

/** Loads originals a few at a time, and none while an answer is pending: on a slow line answers come first. */
export class OriginalQueue {
  readonly #waiting = new Set<OriginalLoad>();
  readonly #running = new Set<OriginalLoad>();
  #holds = 0;

  /** Start the load when it is its turn. */
  add(load: OriginalLoad): void {
    this.#waiting.add(load);
    this.#startNext();
  }

  /** Forget a load that has ended or is no longer needed. */
  remove(load: OriginalLoad): void {
    this.#waiting.delete(load);
    this.#running.delete(load);
    this.#startNext();
  }

  /** Start no further load until the returned function is called. `stopRunning` stops the present ones, too. */
  hold(stopRunning: boolean): () => void {
    this.#holds += 1;
    if (stopRunning) this.#stopRunning();
    let isHeld = true;
    return () => {
      if (isHeld) this.#holds -= 1;
      isHeld = false;
      this.#startNext();
    };
  }

  #stopRunning(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const load of [...this.#running, ...waiting]) this.#waiting.add(load);
    for (const load of this.#running) load.stop();
    this.#running.clear();
  }

  #startNext(): void {
    for (const load of this.#waiting) {
      if (this.#holds > 0 || this.#running.size >= MAX_PARALLEL) return;
      this.#waiting.delete(load);
      this.#running.add(load);
      load.start();
    }
  }
}

/** Wrap an API so that originals wait for its answers. A new search also stops those that are loading. */
export function answersFirst(api: Api, originals: OriginalQueue): Api {
  const first = <T>(answer: Promise<T>, stopRunning = false): Promise<T> => {
    return answer.finally(originals.hold(stopRunning));
  };
  return {
    ...api,
    search: (request, signal) => first(api.search(request, signal), request.offset === 0),
    similar: (...request) => first(api.similar(...request)),
    byIds: (ids, signal) => first(api.byIds(ids, signal)),
  };
}
