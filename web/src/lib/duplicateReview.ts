import type { Picture } from './api';
import { ProblemError, ResponseError } from './errors';
import { serverUrl } from './serverUrl';

/** Pictures that are the same one, the best first. */
export interface DuplicateSet {
  readonly pictures: readonly Picture[];
  /** What the files of all but the best take. */
  readonly freeBytes: number;
}

/** A page of the library's near-duplicates. */
export interface DuplicatePage {
  /** Number of sets over all pages. */
  readonly total: number;
  /** Number of pictures that are not the best of a set, over all pages. */
  readonly others: number;
  readonly freeBytes: number;
  readonly sets: readonly DuplicateSet[];
}

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Return the sets from `offset` on. Rejects with ProblemError, ResponseError or TypeError (no server). */
export async function readDuplicates(
  fetch: Fetch,
  offset: number,
  signal: AbortSignal,
): Promise<DuplicatePage> {
  const response = await fetch(serverUrl(`/api/duplicates?offset=${offset}`), { signal });
  const found: unknown = await response.json().catch(() => null);
  if (typeof found !== 'object' || found === null) throw new ResponseError('The response is not JSON.');
  const fields = found as Record<string, unknown>;
  if (!response.ok) throw new ProblemError(response.status, `${fields['detail'] ?? fields['title']}`);
  const groups = Array.isArray(fields['groups']) ? (fields['groups'] as Record<string, unknown>[]) : [];
  return {
    total: Number(fields['total']),
    others: Number(fields['others']),
    freeBytes: Number(fields['free_bytes']),
    sets: groups.map((group) => ({
      pictures: parsePictures(group['results']),
      freeBytes: Number(group['free_bytes']),
    })),
  };
}

/** Return the pictures that are not the best of their set. */
export function othersOf(sets: readonly DuplicateSet[]): Picture[] {
  return sets.flatMap(({ pictures }) => pictures.slice(1));
}

/** A path of the API or a web address; anything else, such as `javascript:`, must not become a link. */
const SAFE_URL = /^(\/api\/|https?:\/\/)/i;

/**
 * Validate pictures; those without an id, a size or an address are left out. Not by `parseResponse`, which
 * belongs to the first load and would be split from it.
 */
function parsePictures(value: unknown): Picture[] {
  const listed = Array.isArray(value) ? (value as Record<string, unknown>[]) : [];
  return listed.flatMap(({ id, url, width, height, color, preview, caption, meta }) => {
    const isWhole = [id, width, height].every((number) => typeof number === 'number');
    if (!isWhole || typeof url !== 'string' || !SAFE_URL.test(url)) return [];
    return {
      id: id as number,
      score: null,
      url: serverUrl(url),
      width: width as number,
      height: height as number,
      color: typeof color === 'string' && /^#[0-9a-f]{6}$/i.test(color) ? color : '#808080',
      preview: typeof preview === 'string' ? preview : '',
      caption: typeof caption === 'string' ? caption : null,
      meta: typeof meta === 'object' && meta !== null ? (meta as Record<string, unknown>) : {},
      similar: [],
      similarScores: [],
      why: [],
    };
  });
}
