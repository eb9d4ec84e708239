export interface Debounced {
  /** Run once the wait is over, unless called again or cancelled before. */
  call(): void;
  cancel(): void;
}

/** Merge a burst of calls into one, `waitMs` after the last of them. */
export function debounce(run: () => void, waitMs: number): Debounced {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const cancel = () => clearTimeout(timer);
  const call = () => {
    cancel();
    timer = setTimeout(run, waitMs);
  };
  return { call, cancel };
}
