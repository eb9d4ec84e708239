import { trimmed, type SearchQuery } from './query';

type SessionStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

const KEY = 'query';

/**
 * Save the query when the page is left. The URL alone is not enough: it is written only after the results
 * have been idle for a moment, and a reload ignores what is written to it while the page unloads.
 */
export function saveQuery(storage: () => SessionStorage, query: SearchQuery): void {
  try {
    storage().setItem(KEY, JSON.stringify(trimmed(query)));
  } catch {
    // Storage is full or forbidden: the URL has to do.
  }
}

/** Return the saved query once, and only for a reload: other visits get their query from the URL. */
export function restoreQuery(storage: () => SessionStorage, isReload: boolean): SearchQuery | null {
  try {
    const text = storage().getItem(KEY);
    storage().removeItem(KEY);
    return isReload && text !== null ? (JSON.parse(text) as SearchQuery) : null;
  } catch {
    return null;
  }
}
