import { NOTHING, type Question, type Term } from './question';

/** What the page's address can hold of a term; pictures from elsewhere are kept by the history alone. */
const KINDS: readonly string[] = ['words', 'id', 'image_url'];

/** The question in the page's address: `?q=two+dogs&term=1:id:17&where=year:2023`. */
export function questionIn(address: string): Question {
  const given = new URL(address).searchParams;
  const terms = given.getAll('term').flatMap((text) => termOf(text) ?? []);
  return { ...NOTHING, words: given.get('q') ?? '', terms, filters: given.getAll('where') };
}

/** The page's address with another question; nothing is in it where nothing is asked. */
export function withQuestion(address: string, { words, terms, filters }: Question): string {
  const url = new URL(address);
  for (const name of ['q', 'term', 'where']) url.searchParams.delete(name);
  if (words) url.searchParams.set('q', words);
  for (const { kind, value, weight } of terms)
    if (KINDS.includes(kind)) url.searchParams.append('term', `${weight}:${kind}:${value}`);
  for (const filter of filters) url.searchParams.append('where', filter);
  return url.href;
}

function termOf(text: string): Term | null {
  const [, weight, kind, value] = /^(-?[\d.]+):(\w+):(.+)$/s.exec(text) ?? [];
  if (!value || !kind || !KINDS.includes(kind) || !Number.isFinite(Number(weight))) return null;
  const label = kind === 'id' ? `like picture ${value}` : value;
  const thumbnail = kind === 'id' ? `/api/preview/${encodeURIComponent(value)}` : '';
  return { kind: kind as Term['kind'], value, label, thumbnail, weight: Number(weight) };
}

/** What of the browser's history is needed. */
export interface Places {
  readonly href: () => string;
  readonly history: Pick<History, 'replaceState' | 'pushState'>;
}

/**
 * The way back. Typing only changes the newest entry; a chosen question gets an entry of its own, and the one
 * before it says again what was chosen there, not what was typed last.
 */
export class Trail {
  #chosen: Question;

  constructor(
    private readonly places: Places,
    start: Question,
  ) {
    this.#chosen = start;
  }

  typed(question: Question): void {
    this.#write('replaceState', question);
  }

  chosen(question: Question): void {
    this.#write('replaceState', this.#chosen);
    this.#write('pushState', question);
    this.#chosen = question;
  }

  /** The reader went back or forward to an entry. */
  came(question: Question): void {
    this.#chosen = question;
  }

  #write(how: 'replaceState' | 'pushState', question: Question): void {
    const address = withQuestion(this.places.href(), question);
    this.places.history[how]({ question: JSON.stringify(question) }, '', address);
  }
}

/** The question of an entry of the history: with its pictures, if it was written by this page. */
export function questionOf(state: unknown, address: string): Question {
  const kept = (state as { question?: unknown } | null)?.question;
  return typeof kept === 'string' ? (JSON.parse(kept) as Question) : questionIn(address);
}
