import type { Answer, Api, Index, Info, Picture, Suggestions } from './api';
import { debounce } from './debounce';
import { Opened } from './opened.svelte';
import {
  isSearch,
  keyOf,
  NOTHING,
  trimmed,
  withFilter,
  wordsWithout,
  withTerm,
  type Question,
  type Term,
} from './question';
import { Selection } from './selection.svelte';
import { rateOf, withMoment } from './speed';
import type { Timing } from './timing';
import { troubleBy, type Trouble } from './trouble';
import { spread, withGroup, type Unfolded } from './unfold';

/** Pictures asked for at once. */
export const PAGE_SIZE = 60;
/** Pictures that can be paged to: the server's own bound. */
export const REACH = 1000;
/** How long the keys must rest before a question is sent; in speed mode they need not. */
export const PAUSE_MS = 100;
/** How long the keys must rest before the full model is asked, where a quicker one answered first. */
export const REST_MS = 350;
/** How long an answer has to stand on the screen before originals are asked for. */
export const SETTLE_MS = 80;
/** How long an answer may take before the page says that it is on its way. */
export const SLOW_MS = 200;
/** Opened pictures this near to the last loaded one call for more. */
const AHEAD = 6;

export interface Surroundings {
  readonly api: Api;
  /** A clock in milliseconds. */
  readonly now: () => number;
  /** Keeps the asked question for the next visit (the address bar): typed on the way, or chosen. */
  readonly remember: (question: Question, how: 'typed' | 'chosen') => void;
}

interface Asking {
  readonly question: Question;
  readonly tower: 'full' | 'fast';
  readonly fold: boolean;
}

/**
 * Everything the page knows. Components read its fields and call its methods; nothing else changes it.
 *
 * Each question has a sequence number. An answer is shown only while its number is the newest, so an older
 * answer never replaces a newer one, even if aborting its request came too late. Old pictures stay until
 * the new ones are there.
 */
export class Search {
  /** What is being asked: the words in the box, the terms and filters beside it. */
  question = $state.raw<Question>(NOTHING);
  /** The question whose pictures are shown; null before the first answer. */
  shown = $state.raw<Question | null>(null);
  /** The answer's own pictures, best first. */
  ranked = $state.raw<readonly Picture[]>([]);
  /** Near-duplicates that were folded under one of them, and are shown behind it. */
  unfolded = $state.raw<Unfolded>(new Map());
  /** How many pictures could be paged to. */
  total = $state(0);
  index = $state.raw<Index | null>(null);
  info = $state.raw<Info | null>(null);
  /** What the library suggests; null until it is known. */
  suggestions = $state.raw<Suggestions | null>(null);
  /** Filters that were read out of the typed words. */
  understood = $state.raw<readonly string[]>([]);
  /** No originals and no pause: one question after another, and they are counted. */
  isSpeedy = $state(false);
  /** Captions and scores stand under the pictures. */
  isTelling = $state(false);
  timing = $state.raw<Timing | null>(null);
  /** Counts the first pages shown: changes when the pictures are replaced, not when more are added. */
  edition = $state(0);
  /** The question whose pictures have stood on the screen for a moment. */
  settled = $state.raw<Question | null>(null);
  /** A question is on its way. */
  asking = $state(false);
  /** It has been for long. Until then nothing is drawn anew: the answer gets all there is to compute with. */
  isSlow = $state(false);
  /** A further page is on its way. */
  extending = $state(false);
  /** What went wrong, until something goes right. */
  trouble = $state.raw<Trouble | null>(null);

  #weakFrom = $state<number | null>(null);
  readonly #spread = $derived(spread(this.ranked, this.#weakFrom, this.unfolded));
  /** All that are shown, in their order. */
  pictures = $derived(this.#spread.pictures);
  /** Place among the pictures where weak matches begin. */
  weakFrom = $derived(this.#spread.weakFrom);
  /** Under which picture each unfolded one stands. */
  heads = $derived(this.#spread.heads);
  /** The words in the box. */
  query = $derived(this.question.words);
  /** The words whose pictures are shown; '' for the library's own order, null before the first answer. */
  answered = $derived(this.shown?.words ?? null);
  /** The shown pictures have stood for a moment: what costs time may come now. */
  isSettled = $derived(this.settled === this.shown);
  /** Answers a second, as one types. */
  rate = $derived.by(() => rateOf(this.#moments));

  readonly opened: Opened;
  readonly selection: Selection;

  readonly #api: Api;
  readonly #now: () => number;
  readonly #remember: Surroundings['remember'];
  readonly #pause = debounce(() => void this.#askTyped(), PAUSE_MS);
  readonly #rest = debounce(() => void this.#ask('full'), REST_MS);
  readonly #slow = debounce(() => (this.isSlow = true), SLOW_MS);
  readonly #settle = debounce(() => this.#stand(), SETTLE_MS);
  #moments = $state.raw<readonly number[]>([]);
  #received = $state(0);
  #exhausted = $state(true);
  #sequence = 0;
  #request = new AbortController();
  /** What was last sent, until it fails: it need not be sent twice. */
  #asked: string | null = null;
  /** What was last chosen: it need not be remembered twice. */
  #chosenKey = keyOf(NOTHING);
  /** What the shown pictures were asked with, for further pages of the same. */
  #answeredBy: Asking = { question: NOTHING, tower: 'full', fold: false };
  #shownAt = 0;
  #again: () => Promise<void> = async () => {};

  constructor({ api, now, remember }: Surroundings) {
    this.#api = api;
    this.#now = now;
    this.#remember = remember;
    this.opened = new Opened(api, () => this.pictures);
    this.selection = new Selection(() => [...this.pictures, ...this.opened.neighbours]);
  }

  /** Whether scrolling on can bring further pictures. */
  get hasMore(): boolean {
    return !this.#exhausted && this.#received < Math.min(this.total, REACH);
  }

  /** Begins: the library's facts and the first pictures, side by side. */
  async start(question: Question): Promise<void> {
    this.question = question;
    this.#chosenKey = keyOf(question);
    this.#remember(trimmed(question), 'typed');
    await Promise.all([this.#ask('full'), this.#learn()]);
  }

  /** The text in the box changed. */
  type(words: string): void {
    this.question = { ...this.question, words };
    this.#rest.cancel();
    if (this.#isAsked('full') || this.#isAsked('fast')) return this.#pause.cancel();
    if (!this.isSpeedy) return this.#pause.call(undefined);
    if (!this.asking) void this.#askTyped();
  }

  /** Asks at once, if the question was not asked already. */
  async submit(): Promise<void> {
    this.#pause.cancel();
    this.#rest.cancel();
    const key = keyOf(this.question);
    if (key !== this.#chosenKey) this.#remember(trimmed(this.question), 'chosen');
    this.#chosenKey = key;
    if (!this.#isAsked('full')) await this.#ask('full');
  }

  /** Makes this the question and asks it at once. */
  async choose(question: Question): Promise<void> {
    this.question = question;
    await this.submit();
  }

  /** As `choose`, of a question that the history brings back. */
  async goTo(question: Question): Promise<void> {
    this.question = question;
    this.#pause.cancel();
    this.#rest.cancel();
    this.#chosenKey = keyOf(question);
    if (!this.#isAsked('full')) await this.#ask('full');
  }

  /** Asks for pictures like this one. */
  async like(picture: Picture): Promise<void> {
    this.opened.close();
    const thumbnail = picture.preview && `data:image/webp;base64,${picture.preview}`;
    const term = { kind: 'id', value: `${picture.id}`, label: 'like this', thumbnail, weight: 1 } as const;
    await this.choose({ ...NOTHING, filters: this.question.filters, terms: [term] });
  }

  /** Adds a picture or words to what is asked. */
  async add(term: Term): Promise<void> {
    await this.choose(withTerm(this.question, term));
  }

  /** Makes the words in the box a chip, to be weighted beside others. */
  async pin(): Promise<void> {
    const { words } = trimmed(this.question);
    if (!words) return;
    const term: Term = { kind: 'words', value: words, label: words, thumbnail: '', weight: 1 };
    await this.choose({ ...withTerm(this.question, term), words: '' });
  }

  async filter(filter: string): Promise<void> {
    await this.choose(withFilter(this.question, filter));
  }

  /** Takes a filter that was read out of the words out of them again. */
  async forget(filter: string): Promise<void> {
    await this.choose({ ...this.question, words: wordsWithout(this.query, filter) });
  }

  /** Something failed before it could be asked: a file that is no picture. */
  report(says: string): void {
    this.trouble = { says, isPassing: false };
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
    this.#settle.call(undefined);
    this.timing = { ...this.timing, paintMs: this.#now() - this.#shownAt };
  }

  /** Opens one of the shown pictures large, or a neighbour of the opened one. */
  view(id: number): void {
    this.opened.open(id);
    this.#loadAhead();
  }

  /** Goes to the next (1) or the previous (-1) of the shown pictures; stays where there is none. */
  step(by: 1 | -1): void {
    const next = this.opened.beside(by);
    if (next) this.view(next.id);
  }

  /** Shows the near-duplicates that are folded under this picture behind it, or folds them again. */
  async unfold(id: number): Promise<void> {
    const head = this.ranked.find((picture) => picture.id === id);
    if (!head) return;
    if (this.unfolded.has(id)) this.unfolded = withGroup(this.unfolded, id, null);
    else await this.#unfold(head);
  }

  async #unfold(head: Picture): Promise<void> {
    const { signal } = this.#request;
    this.trouble = null;
    try {
      const { pictures } = await this.#api.named(head.similar, signal);
      if (!signal.aborted) this.unfolded = withGroup(this.unfolded, head.id, pictures);
    } catch (cause) {
      if (!signal.aborted) this.#fail(cause, () => this.#unfold(head));
    }
  }

  #isAsked(tower: 'full' | 'fast'): boolean {
    return this.#asked === tower + keyOf(this.question);
  }

  async #askTyped(): Promise<void> {
    const isFast = this.info?.hasFast === true && isSearch(this.question);
    if (isFast) this.#rest.call(undefined);
    await this.#ask(isFast ? 'fast' : 'full');
  }

  async #ask(tower: 'full' | 'fast'): Promise<void> {
    await this.#send({ question: trimmed(this.question), tower, fold: true });
  }

  /** Only now is the address changed: the browser has work with it, and the answer comes first. */
  #stand(): void {
    this.settled = this.shown;
    if (this.shown && keyOf(this.shown) === keyOf(this.question)) this.#remember(this.shown, 'typed');
  }

  async #send(asking: Asking): Promise<void> {
    this.#request.abort();
    this.#request = new AbortController();
    const sequence = ++this.#sequence;
    this.#asked = asking.tower + keyOf(asking.question);
    this.asking = true;
    this.#slow.call(undefined);
    this.extending = false;
    const startedAt = this.#now();
    try {
      const answer = await this.#page(asking, 0);
      if (sequence === this.#sequence) this.#show(asking, answer, this.#now() - startedAt);
    } catch (cause) {
      if (sequence !== this.#sequence) return;
      this.#asked = null;
      this.#remember(asking.question, 'typed');
      this.#fail(cause, () => this.#send(asking));
    } finally {
      if (sequence === this.#sequence) this.#arrived(asking.question);
    }
  }

  /** In speed mode the newest words wait for the question that is on its way, so that each gets its answer. */
  #arrived(question: Question): void {
    this.#slow.cancel();
    this.asking = this.isSlow = false;
    if (this.isSpeedy && keyOf(question) !== keyOf(this.question)) void this.#askTyped();
  }

  async #extend(): Promise<void> {
    const sequence = this.#sequence;
    this.trouble = null;
    this.extending = true;
    try {
      const answer = await this.#page(this.#answeredBy, this.#received);
      if (sequence === this.#sequence) this.#append(answer);
    } catch (cause) {
      if (sequence === this.#sequence) this.#fail(cause, () => this.#extend());
    } finally {
      if (sequence === this.#sequence) this.extending = false;
    }
  }

  #page(asking: Asking, offset: number): Promise<Answer> {
    const limit = Math.min(PAGE_SIZE, REACH - offset);
    return this.#api.pictures({ ...asking, limit, offset }, this.#request.signal);
  }

  #show(asking: Asking, answer: Answer, roundTripMs: number): void {
    this.shown = asking.question;
    this.#answeredBy = asking;
    this.unfolded = new Map();
    this.ranked = distinct(answer.pictures);
    this.#count(answer, 0);
    this.understood = answer.filters;
    this.timing = { took: answer.took, roundTripMs, paintMs: null };
    this.#shownAt = this.#now();
    this.#moments = withMoment(this.#moments, this.#shownAt);
    this.trouble = null;
    this.edition += 1;
    this.#settle.cancel();
    if (this.opened.picture && this.opened.place < 0) this.opened.close();
  }

  #append(answer: Answer): void {
    this.ranked = distinct([...this.ranked, ...answer.pictures]);
    this.#count(answer, this.#received);
  }

  #count(answer: Answer, before: number): void {
    this.index = answer.index;
    this.total = answer.total;
    this.#weakFrom = answer.weakFrom;
    this.#received = before + answer.pictures.length;
    this.#exhausted = answer.pictures.length === 0;
  }

  #fail(cause: unknown, again: () => Promise<void>): void {
    this.trouble = troubleBy(cause);
    this.#again = again;
  }

  #loadAhead(): void {
    if (this.opened.place + AHEAD >= this.pictures.length) void this.loadMore();
  }

  /** The facts are an ornament: without them the page still searches, and a dead server shows by the question. */
  async #learn(): Promise<void> {
    const suggestions = this.#api.suggestions().catch(() => null);
    this.info = await this.#api.info().catch(() => null);
    const examples = this.info?.examples ?? [];
    void suggestions.then((given) => {
      const columns = given?.columns ?? [];
      this.suggestions = { examples: given?.examples.length ? given.examples : examples, columns };
    });
  }
}

/** A library that changes between two pages can answer a picture twice; the page shows it once. */
function distinct(pictures: readonly Picture[]): readonly Picture[] {
  return [...new Map(pictures.map((picture) => [picture.id, picture])).values()];
}
