/** A part of a question beside the typed words. */
export interface Term {
  readonly kind: 'words' | 'id' | 'image' | 'image_url';
  /** The words, the id, the picture's file as base64, or its address. */
  readonly value: string;
  /** What the chip says. */
  readonly label: string;
  /** Address of a small picture for the chip; empty where there is none. */
  readonly thumbnail: string;
  /** How much of it is wanted; below 0, how much of it is not. */
  readonly weight: number;
}

/** All that is asked: what stands in the box, the chips beside it, and the filters as one types them. */
export interface Question {
  readonly words: string;
  readonly terms: readonly Term[];
  /** `year:2023`, `-tag:draft`; those of one name are alternatives. */
  readonly filters: readonly string[];
}

export const NOTHING: Question = { words: '', terms: [], filters: [] };

/** The weights that a click on a chip goes through. */
const WEIGHTS = [1, 2, 3, 0.5];

/** The question as it counts: without blanks around the words. */
export function trimmed(question: Question): Question {
  return { ...question, words: question.words.trim() };
}

/** Equal for questions that mean the same. */
export function keyOf({ words, terms, filters }: Question): string {
  return JSON.stringify([
    words.trim(),
    terms.map(({ kind, value, weight }) => [kind, value, weight]),
    filters,
  ]);
}

/** Whether something is looked for; filters alone only narrow the library down. */
export function isSearch({ words, terms }: Question): boolean {
  return words.trim() !== '' || terms.length > 0;
}

/** With a further term; one that is there already is replaced. */
export function withTerm(question: Question, term: Term): Question {
  const others = question.terms.filter(({ kind, value }) => kind !== term.kind || value !== term.value);
  return { ...question, terms: [...others, term] };
}

export function withoutTerm(question: Question, place: number): Question {
  return { ...question, terms: question.terms.filter((_, i) => i !== place) };
}

/** The term at `place` with the next weight: 1, 2, 3, ½, 1; its sign stays. */
export function weighed(question: Question, place: number): Question {
  return changed(question, place, ({ weight }) => {
    const next = WEIGHTS[(WEIGHTS.indexOf(Math.abs(weight)) + 1) % WEIGHTS.length]!;
    return weight < 0 ? -next : next;
  });
}

/** The term at `place` with the other sign. */
export function negated(question: Question, place: number): Question {
  return changed(question, place, ({ weight }) => -weight);
}

function changed(question: Question, place: number, weight: (term: Term) => number): Question {
  const terms = question.terms.map((term, i) => (i === place ? { ...term, weight: weight(term) } : term));
  return { ...question, terms };
}

/** With the filter if it was not there, without it if it was. */
export function withFilter(question: Question, filter: string): Question {
  const { filters } = question;
  const kept = filters.filter((other) => other !== filter);
  return { ...question, filters: kept.length < filters.length ? kept : [...filters, filter] };
}

/** A filter as one types it: `in:"my holiday"`. */
export function filterText(operator: string, value: string | number | boolean): string {
  const text = String(value);
  return `${operator}:${/^[\p{L}\p{N}_./-]+$/u.test(text) && !text.includes('..') ? text : quoted(text)}`;
}

/** All filters in one text; values of one operator are alternatives, as in `year:2022,2023`. */
export function whereOf({ filters }: Question): string {
  const values = new Map<string, string[]>();
  for (const filter of filters) {
    const colon = filter.indexOf(':');
    const name = filter.slice(0, colon);
    values.set(name, [...(values.get(name) ?? []), filter.slice(colon + 1)]);
  }
  return [...values].map(([name, alternatives]) => `${name}:${alternatives.join(',')}`).join(' ');
}

/** The typed words without a filter that was read out of them. */
export function wordsWithout(words: string, filter: string): string {
  return words.replace(filter, ' ').replace(/\s+/g, ' ').trim();
}

/** Words and terms as one typed query; null where a term is a picture, which nobody can type. */
export function typedQuery({ words, terms }: Question): string | null {
  if (terms.some(({ kind }) => kind === 'image' || kind === 'image_url')) return null;
  const typed = terms.map(({ kind, value, weight }) => {
    const subject = kind === 'id' ? `id:${value}` : quoted(value);
    const amount = Math.abs(weight);
    return `${weight < 0 ? '-' : '+'} ${amount === 1 ? '' : `${amount}:`}${subject}`;
  });
  return [words.trim(), ...typed].join(' ').trim().replace(/^\+ /, '');
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}
