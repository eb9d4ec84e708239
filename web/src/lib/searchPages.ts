import type { Picture, ResultPage, TextModel } from './api';
import { queryKey, type SearchQuery } from './query';

/** Number of pictures per page. */
export const PAGE_SIZE = 60;
/** Maximum number of results that can be paged to: the server's limit. */
export const MAX_RESULTS = 1000;

/** A search without its paging. */
export interface Search {
  readonly query: SearchQuery;
  readonly model: TextModel;
}

/** Return a text that is equal for equal searches. */
export function searchKey({ query, model }: Search): string {
  return model + queryKey(query);
}

/** Join pages; a library that changes between two of them can return a picture twice. */
export function joinedPages(first: readonly Picture[], second: readonly Picture[]): readonly Picture[] {
  const distinct = new Map([...first, ...second].map((picture) => [picture.id, picture]));
  return [...distinct.values()].slice(0, MAX_RESULTS);
}

/** Return what the user should know about an answer. */
export function pageNotes({ unfinished, notices }: ResultPage): readonly string[] {
  return [...(unfinished ? [unfinished.hint] : []), ...notices.map(({ text }) => text)];
}
