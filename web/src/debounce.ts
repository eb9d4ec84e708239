export interface Debounced<T> {
  /** Runs with `value` once the wait is over, unless called again or cancelled before. */
  call(value: T): void;
  cancel(): void;
}

/** Lets a burst of calls through as one: the last, `waitMs` after it was made. */
export function debounce<T>(run: (value: T) => void, waitMs: number): Debounced<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const cancel = () => clearTimeout(timer);
  const call = (value: T) => {
    cancel();
    timer = setTimeout(run, waitMs, value);
  };
  return { call, cancel };
}
