import type { Picture } from './api';
import { isOnServer } from './serverUrl';

/** Columns with the page that a picture comes from, the best first. */
const SOURCES = ['page_url', 'source_url', 'source', 'webpage', 'link', 'url'];

/** Whether a value is a web address that may become a link. */
export function isWebUrl(value: unknown): value is string {
  return typeof value === 'string' && /^https?:\/\/[^\s"<>]+$/i.test(value);
}

/** Return the web address that a picture comes from; null if none is known. */
export function sourceUrl({ meta, url }: Picture): string | null {
  return SOURCES.map((name) => meta[name]).find(isWebUrl) ?? (isOnServer(url) ? null : url);
}
