export interface Debounced<T> {
  /** Runs with `value` once the wait is over, unless called again or cancelled before. */
  call(value: T, waitMs?: number): void;
  cancel(): void;
}

/** Lets a burst of calls through as one: the last, `waitMs` after it was made. */
export function debounce<T>(run: (value: T) => void, waitMs: number): Debounced<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const cancel = () => clearTimeout(timer);
  const call = (value: T, ownWaitMs = waitMs) => {
    cancel();
    timer = setTimeout(run, ownWaitMs, value);
  };
  return { call, cancel };
}
