import type { Picture } from './api';

/** A part of a query next to the typed words: a chip. */
export interface Term {
  readonly kind: 'words' | 'id' | 'image' | 'image_url';
  /** The words, the id, the image file as base64, or its URL. */
  readonly value: string;
  /** Text of the chip. */
  readonly label: string;
  /** URL of a small image for the chip; empty if there is none. */
  readonly thumbnail: string;
  /** Weight in the query vector; negative weights subtract. */
  readonly weight: number;
}

/** Everything that defines a search: the text of the search box, the chips, and the filters. */
export interface SearchQuery {
  readonly words: string;
  readonly terms: readonly Term[];
  /** In filter syntax: `year:2023`, `-tag:draft`. Filters of one name are alternatives. */
  readonly filters: readonly string[];
  readonly sort: Sort;
  /** A filter that stays for all queries, such as `punsafe:<0.5`; '' for none. */
  readonly safe: string;
}

/**
 * Order of the results; '' is best match for a search, and newest first otherwise. `clip` ranks by the model
 * alone, `words` by the words in names, captions and tags alone.
 */
export type Sort = '' | 'clip' | 'words' | 'newest' | 'oldest' | 'size';

export const SORTS: readonly (readonly [sort: Sort, label: string])[] = [
  ['', 'Newest'],
  ['clip', 'Best by sight'],
  ['words', 'Best by words'],
  ['newest', 'Newest'],
  ['oldest', 'Oldest'],
  ['size', 'Largest'],
];

export const EMPTY_QUERY: SearchQuery = { words: '', terms: [], filters: [], sort: '', safe: '' };

/** Maximum number of terms in a query: the server's limit. */
export const MAX_TERMS = 16;

/** The weights of a chip, from less to more. */
const WEIGHTS = [0.5, 1, 2, 3];

/** Return the query without blanks around the words. */
export function trimmed(query: SearchQuery): SearchQuery {
  return { ...query, words: query.words.trim() };
}

/** Return a key that is equal for queries with equal results. */
export function queryKey({ words, terms, filters, sort, safe }: SearchQuery): string {
  return JSON.stringify([
    words.trim(),
    terms.map(({ kind, value, weight }) => [kind, value, weight]),
    filters,
    sort,
    safe,
  ]);
}

/** Whether the query ranks pictures; filters alone keep the library's own order. */
export function isSearch({ words, terms }: SearchQuery): boolean {
  return words.trim() !== '' || terms.length > 0;
}

/** Return the term that searches for pictures similar to this one. */
export function similarTerm({ id, preview }: Picture): Term {
  const thumbnail = preview && `data:image/webp;base64,${preview}`;
  return { kind: 'id', value: `${id}`, label: 'like this', thumbnail, weight: 1 };
}

export function withSort(query: SearchQuery, sort: Sort): SearchQuery {
  return { ...query, sort };
}

/** Whether the query has words that names, captions and tags may have, too. */
export function hasWords({ words }: SearchQuery): boolean {
  return words.trim() !== '';
}

/** Whether an order is offered for a query. */
export function isSortOffered(sort: Sort, query: SearchQuery): boolean {
  if (sort === 'clip' || sort === 'words') return hasWords(query);
  return sort !== 'newest' || isSearch(query);
}

/** Whether the results are in the order of their dates. */
export function isByDate(query: SearchQuery): boolean {
  return query.sort === 'newest' || query.sort === 'oldest' || (query.sort === '' && !isSearch(query));
}

/** Add a term; it replaces an equal one. */
export function withTerm(query: SearchQuery, term: Term): SearchQuery {
  const others = query.terms.filter(({ kind, value }) => kind !== term.kind || value !== term.value);
  return { ...query, terms: [...others, term] };
}

export function withoutTerm(query: SearchQuery, index: number): SearchQuery {
  return { ...query, terms: query.terms.filter((_, i) => i !== index) };
}

/** Return the next larger (1) or smaller (-1) weight with the same sign; null at the ends. */
export function nextWeight(weight: number, step: 1 | -1): number | null {
  const size = Math.abs(weight);
  const larger = WEIGHTS.filter((other) => other > size);
  const smaller = WEIGHTS.filter((other) => other < size);
  const next = step > 0 ? larger[0] : smaller.at(-1);
  return next === undefined ? null : Math.sign(weight) * next;
}

/** Give the term at `index` the next larger (1) or smaller (-1) weight. */
export function withWeightStep(query: SearchQuery, index: number, step: 1 | -1): SearchQuery {
  return withWeight(query, index, ({ weight }) => nextWeight(weight, step) ?? weight);
}

/** Flip the sign of the term at `index`. */
export function negated(query: SearchQuery, index: number): SearchQuery {
  return withWeight(query, index, ({ weight }) => -weight);
}

function withWeight(query: SearchQuery, index: number, weight: (term: Term) => number): SearchQuery {
  const terms = query.terms.map((term, i) => (i === index ? { ...term, weight: weight(term) } : term));
  return { ...query, terms };
}

/** Add the filter, or remove it if the query has it. */
export function withToggledFilter(query: SearchQuery, filter: string): SearchQuery {
  const { filters } = query;
  const others = filters.filter((other) => other !== filter);
  return { ...query, filters: others.length < filters.length ? others : [...filters, filter] };
}

/** Return a filter in filter syntax: `in:"my holiday"`. */
export function filterText(operator: string, value: string | number | boolean): string {
  const text = String(value);
  return `${operator}:${/^[\p{L}\p{N}_./-]+$/u.test(text) && !text.includes('..') ? text : quoted(text)}`;
}

/** Join all filters into one `where` text; values of one operator become alternatives: `year:2022,2023`. */
export function whereText({ filters, safe }: SearchQuery): string {
  const values = new Map<string, string[]>();
  for (const filter of filters) {
    const colon = filter.indexOf(':');
    const name = filter.slice(0, colon);
    values.set(name, [...(values.get(name) ?? []), filter.slice(colon + 1)]);
  }
  const joined = [...values].map(([name, alternatives]) => `${name}:${alternatives.join(',')}`);
  return (safe ? [...joined, safe] : joined).join(' ');
}

/** Remove a parsed filter from the typed words. */
export function wordsWithout(words: string, filter: string): string {
  return words.replace(filter, ' ').replace(/\s+/g, ' ').trim();
}

/** Return words and terms in query syntax; null if a term is an image, which the syntax cannot express. */
export function queryText({ words, terms }: SearchQuery): string | null {
  if (terms.some(({ kind }) => kind === 'image' || kind === 'image_url')) return null;
  const parts = terms.map(({ kind, value, weight }) => {
    const subject = kind === 'id' ? `id:${value}` : quoted(value);
    const amount = Math.abs(weight);
    return `${weight < 0 ? '-' : '+'} ${amount === 1 ? '' : `${amount}:`}${subject}`;
  });
  return [words.trim(), ...parts].join(' ').trim().replace(/^\+ /, '');
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}
