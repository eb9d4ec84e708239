import { ProblemError, AnswerError, type Answer, type Api, type Index, type Info, type Picture } from './api';
import { debounce } from './debounce';
import type { Timing } from './timing';

/** Pictures asked for at once. */
export const PAGE_SIZE = 60;
/** Pictures that can be paged to: the server's own bound. */
export const REACH = 1000;
/** How long the keys must rest before a question is sent. */
export const PAUSE_MS = 100;
/** Opened pictures this near to the last loaded one call for more. */
const AHEAD = 6;

/** What went wrong. */
export interface Trouble {
  /** One sentence for the reader. */
  readonly says: string;
  /** Whether the same question may well be answered later; false where the question itself is refused. */
  readonly isPassing: boolean;
}

export interface Surroundings {
  readonly api: Api;
  /** A clock in milliseconds. */
  readonly now: () => number;
  /** Keeps the asked query for the next visit (the address bar). */
  readonly remember: (query: string) => void;
}

/**
 * Everything the page knows. Components read its fields and call its methods; nothing else changes it.
 *
 * Each question has a sequence number. An answer is shown only while its number is the newest, so an older
 * answer never replaces a newer one, even if aborting its request came too late. Old pictures stay until
 * the new ones are there.
 */
export class Search {
  /** What stands in the box. */
  query = $state('');
  /** The query whose pictures are shown; '' for the library's own order, null before the first answer. */
  answered = $state<string | null>(null);
  pictures = $state.raw<readonly Picture[]>([]);
  /** How many pictures could be paged to. */
  total = $state(0);
  index = $state.raw<Index | null>(null);
  info = $state.raw<Info | null>(null);
  timing = $state.raw<Timing | null>(null);
  /** Counts the first pages shown: changes when the pictures are replaced, not when more are added. */
  edition = $state(0);
  /** A question is on its way. */
  asking = $state(false);
  /** A further page is on its way. */
  extending = $state(false);
  /** What went wrong, until something goes right. */
  trouble = $state.raw<Trouble | null>(null);
  viewedId = $state<number | null>(null);

  /** The picture opened large, if it is (still) among those shown. */
  viewed = $derived(this.pictures.find((picture) => picture.id === this.viewedId) ?? null);

  readonly #api: Api;
  readonly #now: () => number;
  readonly #remember: (query: string) => void;
  readonly #pause = debounce((query: string) => void this.#ask(query), PAUSE_MS);
  #received = $state(0);
  #exhausted = $state(true);
  #sequence = 0;
  #request = new AbortController();
  /** The query last sent, until it fails: it need not be sent twice. */
  #asked: string | null = null;
  #shownAt = 0;
  #again: () => Promise<void> = async () => {};

  constructor({ api, now, remember }: Surroundings) {
    this.#api = api;
    this.#now = now;
    this.#remember = remember;
  }

  /** Whether scrolling on can bring further pictures. */
  get hasMore(): boolean {
    return !this.#exhausted && this.#received < Math.min(this.total, REACH);
  }

  /** Begins: the library's facts and the first pictures, side by side. */
  async start(query: string): Promise<void> {
    this.query = query;
    await Promise.all([this.#ask(query.trim()), this.#learn()]);
  }

  /** The text in the box changed. */
  type(text: string): void {
    this.query = text;
    const wanted = text.trim();
    if (wanted === this.#asked) this.#pause.cancel();
    else this.#pause.call(wanted);
  }

  /** Asks at once, if the text in the box was not asked already. */
  async submit(): Promise<void> {
    this.#pause.cancel();
    const wanted = this.query.trim();
    if (wanted !== this.#asked) await this.#ask(wanted);
  }

  /** Puts a query into the box and asks it at once. */
  async choose(query: string): Promise<void> {
    this.query = query;
    await this.submit();
  }

  /** Tries again what went wrong. */
  async retry(): Promise<void> {
    await this.#again();
  }

  /** Adds the next page, unless a question or another page is on its way or something went wrong. */
  async loadMore(): Promise<void> {
    if (this.hasMore && !this.asking && !this.extending && this.trouble === null) await this.#extend();
  }

  /** The newest first page is on the screen. */
  painted(edition: number): void {
    if (edition !== this.edition || this.timing === null || this.timing.paintMs !== null) return;
    this.timing = { ...this.timing, paintMs: this.#now() - this.#shownAt };
  }

  /** Opens one of the shown pictures large. */
  view(id: number): void {
    this.viewedId = id;
    this.#loadAhead();
  }

  /** Goes to the next (1) or the previous (-1) picture; stays where there is none. */
  step(by: 1 | -1): void {
    const next = this.pictures[this.pictures.findIndex(({ id }) => id === this.viewedId) + by];
    if (this.viewed && next) this.view(next.id);
  }

  /** Closes the opened picture. */
  leave(): void {
    this.viewedId = null;
  }

  async #ask(query: string): Promise<void> {
    this.#request.abort();
    this.#request = new AbortController();
    const sequence = ++this.#sequence;
    this.#asked = query;
    this.#remember(query);
    this.asking = true;
    this.extending = false;
    const startedAt = this.#now();
    try {
      const answer = await this.#page(query, 0);
      if (sequence === this.#sequence) this.#show(query, answer, this.#now() - startedAt);
    } catch (cause) {
      if (sequence !== this.#sequence) return;
      this.#asked = null;
      this.#fail(cause, () => this.#ask(query));
    } finally {
      if (sequence === this.#sequence) this.asking = false;
    }
  }

  async #extend(): Promise<void> {
    const sequence = this.#sequence;
    this.trouble = null;
    this.extending = true;
    try {
      const answer = await this.#page(this.answered ?? '', this.#received);
      if (sequence === this.#sequence) this.#append(answer);
    } catch (cause) {
      if (sequence === this.#sequence) this.#fail(cause, () => this.#extend());
    } finally {
      if (sequence === this.#sequence) this.extending = false;
    }
  }

  #page(query: string, offset: number): Promise<Answer> {
    const limit = Math.min(PAGE_SIZE, REACH - offset);
    return this.#api.pictures({ query, limit, offset }, this.#request.signal);
  }

  #show(query: string, answer: Answer, roundTripMs: number): void {
    this.answered = query;
    this.pictures = distinct(answer.pictures);
    this.#count(answer, 0);
    this.timing = { took: answer.took, roundTripMs, paintMs: null };
    this.#shownAt = this.#now();
    this.trouble = null;
    this.edition += 1;
  }

  #append(answer: Answer): void {
    this.pictures = distinct([...this.pictures, ...answer.pictures]);
    this.#count(answer, this.#received);
  }

  #count(answer: Answer, before: number): void {
    this.index = answer.index;
    this.total = answer.total;
    this.#received = before + answer.pictures.length;
    this.#exhausted = answer.pictures.length === 0;
  }

  #fail(cause: unknown, again: () => Promise<void>): void {
    this.trouble = troubleBy(cause);
    this.#again = again;
  }

  #loadAhead(): void {
    const place = this.pictures.findIndex(({ id }) => id === this.viewedId);
    if (place + AHEAD >= this.pictures.length) void this.loadMore();
  }

  /** The facts are an ornament: without them the page still searches, and a dead server shows by the question. */
  async #learn(): Promise<void> {
    this.info = await this.#api.info().catch(() => null);
  }
}

/** A library that changes between two pages can answer a picture twice; the page shows it once. */
function distinct(pictures: readonly Picture[]): readonly Picture[] {
  return [...new Map(pictures.map((picture) => [picture.id, picture])).values()];
}

function troubleBy(cause: unknown): Trouble {
  if (cause instanceof ProblemError) return { says: cause.message, isPassing: cause.status >= 500 };
  if (cause instanceof AnswerError) return { says: cause.message, isPassing: true };
  return { says: 'The server does not answer. Is snapseek still running?', isPassing: true };
}
