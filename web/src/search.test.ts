import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProblemError, type Answer, type Api, type Info, type Page, type Picture } from './api';
import { NOTHING, type Question as Asked } from './question';
import { PAGE_SIZE, PAUSE_MS, REACH, Search, SETTLE_MS, SLOW_MS } from './search.svelte';

const INFO: Info = {
  name: 'demo',
  count: 302,
  model: 'starter',
  kernel: 'avx2',
  snapseek: '0',
  examples: ['a dog'],
  hasFast: false,
  acceptsLinks: false,
};

function picture(id: number): Picture {
  const url = `/api/image/${id}`;
  const bare = { url, width: 4, height: 3, color: '#000000', preview: '', caption: null, meta: {} };
  return { id, score: 0.3, ...bare, similar: [] };
}

function pictures(from: number, count: number): Picture[] {
  return Array.from({ length: count }, (_, i) => picture(from + i));
}

function answerOf(shown: readonly Picture[], total = shown.length): Answer {
  return {
    took: { embed: 1, search: 0.5, fetch: 0.5, total: 2 },
    index: { name: 'demo', count: 302, model: 'starter', version: 'v1' },
    total,
    pictures: shown,
    weakFrom: null,
    filters: [],
  };
}

interface Question extends Page {
  readonly signal: AbortSignal;
  answer(answer: Answer): Promise<void>;
  fail(cause: unknown): Promise<void>;
}

/** A server that answers when the test says so, in any order, and does not care about aborted requests. */
function deafServer() {
  const questions: Question[] = [];
  const api: Api = {
    pictures: (page, signal) =>
      new Promise((resolve, reject) => {
        const settled = () => vi.advanceTimersByTimeAsync(0).then(() => undefined);
        const answer = (given: Answer) => (resolve(given), settled());
        const fail = (cause: unknown) => (reject(cause), settled());
        questions.push({ ...page, signal, answer, fail });
      }),
    info: async () => INFO,
    suggestions: async () => ({ examples: ['a cat'], columns: [] }),
    similar: async () => answerOf([]),
    named: async (ids) => answerOf(ids.map(picture)),
  };
  return { api, questions };
}

function begin() {
  const { api, questions } = deafServer();
  const remembered: string[] = [];
  const clock = { ms: 0 };
  const search = new Search({ api, now: () => clock.ms, remember: ({ words }) => remembered.push(words) });
  return { search, questions, remembered, clock };
}

/** A page that already shows `count` of `total` pictures of the library. */
async function shown(count: number, total = count) {
  const page = begin();
  void page.search.start(NOTHING);
  await page.questions[0]!.answer(answerOf(pictures(0, count), total));
  return page;
}

const idsOf = (search: Search) => search.pictures.map(({ id }) => id);
const asked = (questions: Question[]) =>
  questions.map(({ question, offset, limit }) => [question.words, offset, limit]);

const words = (typed: string): Asked => ({ ...NOTHING, words: typed });

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('beginning', () => {
  it('shows the library in its own order and learns its facts', async () => {
    const { search, questions, remembered } = await shown(3);
    expect(asked(questions)).toEqual([['', 0, PAGE_SIZE]]);
    expect(search).toMatchObject({ answered: '', total: 3, asking: false, info: INFO, edition: 1 });
    expect(idsOf(search)).toEqual([0, 1, 2]);
    expect(remembered).toEqual(['']);
  });

  it('asks the query of the address at once', async () => {
    const { search, questions } = begin();
    void search.start(words(' two dogs '));
    expect(search.query).toBe(' two dogs ');
    expect(asked(questions)).toEqual([['two dogs', 0, PAGE_SIZE]]);
  });

  it('searches on without the facts', async () => {
    const { api, questions } = deafServer();
    const broken: Api = { ...api, info: () => Promise.reject(new TypeError('down')) };
    const search = new Search({ api: broken, now: () => 0, remember: () => {} });
    void search.start(NOTHING);
    await questions[0]!.answer(answerOf(pictures(0, 2)));
    expect(search).toMatchObject({ info: null, total: 2, trouble: null });
  });
});

describe('typing', () => {
  it('asks once the keys rest, and only for the last text', async () => {
    const { search, questions } = await shown(1);
    search.type('d');
    vi.advanceTimersByTime(PAUSE_MS - 1);
    search.type('do');
    vi.advanceTimersByTime(PAUSE_MS - 1);
    search.type('dog');
    expect(questions).toHaveLength(1);
    vi.advanceTimersByTime(PAUSE_MS);
    expect(asked(questions.slice(1))).toEqual([['dog', 0, PAGE_SIZE]]);
  });

  it('asks at once on Enter, and then not again', async () => {
    const { search, questions, remembered } = await shown(1);
    search.type('dog');
    void search.submit();
    expect(asked(questions.slice(1))).toEqual([['dog', 0, PAGE_SIZE]]);
    vi.advanceTimersByTime(10 * PAUSE_MS);
    void search.submit();
    expect(questions).toHaveLength(2);
    expect(remembered).toEqual(['', 'dog']);
  });

  it('does not ask again for blanks around the same words, nor for words typed back', async () => {
    const { search, questions } = await shown(1);
    await search.type('  ');
    search.type('x');
    search.type('');
    vi.advanceTimersByTime(10 * PAUSE_MS);
    expect(questions).toHaveLength(1);
  });

  it('keeps the old pictures until the new ones are there', async () => {
    const { search, questions } = await shown(2);
    void search.choose(words('dog'));
    expect(search).toMatchObject({ query: 'dog', answered: '', asking: true });
    expect(idsOf(search)).toEqual([0, 1]);
    await questions[1]!.answer(answerOf(pictures(50, 1)));
    expect(search).toMatchObject({ answered: 'dog', asking: false, edition: 2 });
    expect(idsOf(search)).toEqual([50]);
  });
});

describe('speed mode', () => {
  it('asks at the first key, then one question at a time, the newest next', async () => {
    const { search, questions } = await shown(1);
    search.isSpeedy = true;
    search.type('d');
    search.type('do');
    search.type('dog');
    expect(asked(questions.slice(1))).toEqual([['d', 0, PAGE_SIZE]]);
    expect(questions[1]!.signal.aborted).toBe(false);
    await questions[1]!.answer(answerOf(pictures(10, 1)));
    expect(search.answered).toBe('d');
    expect(asked(questions.slice(2))).toEqual([['dog', 0, PAGE_SIZE]]);
    await questions[2]!.answer(answerOf(pictures(20, 1)));
    expect(search).toMatchObject({ answered: 'dog', asking: false });
    expect(questions).toHaveLength(3);
  });

  it('goes on after a question that is refused, and does not ask that one again', async () => {
    const { search, questions } = await shown(1);
    search.isSpeedy = true;
    search.type('d +');
    search.type('d + c');
    await questions[1]!.fail(new ProblemError(400, 'Nothing follows the plus.'));
    await questions[2]!.fail(new ProblemError(400, 'No word of it is known.'));
    expect(asked(questions.slice(1)).map(([text]) => text)).toEqual(['d +', 'd + c']);
  });

  it('lets Enter overtake the question that is on its way', async () => {
    const { search, questions } = await shown(1);
    search.isSpeedy = true;
    search.type('d');
    void search.choose(words('cat'));
    expect(questions[1]!.signal.aborted).toBe(true);
    await questions[2]!.answer(answerOf(pictures(20, 1)));
    await questions[1]!.answer(answerOf(pictures(10, 1)));
    expect(search.answered).toBe('cat');
    expect(questions).toHaveLength(3);
  });
});

describe('settling', () => {
  it('settles once the pictures have stood on the screen, and only then changes the address', async () => {
    const { search, questions, remembered } = await shown(1);
    search.type('dog');
    vi.advanceTimersByTime(PAUSE_MS);
    await questions[1]!.answer(answerOf(pictures(10, 1)));
    vi.advanceTimersByTime(10 * SETTLE_MS);
    expect(search.isSettled).toBe(false);
    search.painted(search.edition);
    vi.advanceTimersByTime(SETTLE_MS - 1);
    expect(remembered).toEqual(['']);
    vi.advanceTimersByTime(1);
    expect(search.isSettled).toBe(true);
    expect(remembered).toEqual(['', 'dog']);
  });

  it('begins anew with the next answer', async () => {
    const { search, questions } = await shown(1);
    search.painted(search.edition);
    vi.advanceTimersByTime(SETTLE_MS);
    expect(search.isSettled).toBe(true);
    void search.choose(words('dog'));
    expect(search.isSettled).toBe(true);
    await questions[1]!.answer(answerOf(pictures(10, 1)));
    expect(search.isSettled).toBe(false);
  });

  it('does not write words into the address that are typed past already', async () => {
    const { search, questions, remembered } = await shown(1);
    search.type('dog');
    vi.advanceTimersByTime(PAUSE_MS);
    await questions[1]!.answer(answerOf(pictures(10, 1)));
    search.painted(search.edition);
    search.type('dogs');
    vi.advanceTimersByTime(SETTLE_MS);
    expect(remembered).toEqual(['']);
  });
});

describe('waiting', () => {
  it('is told only after a while', async () => {
    const { search, questions } = await shown(1);
    void search.choose(words('dog'));
    vi.advanceTimersByTime(SLOW_MS - 1);
    expect(search).toMatchObject({ asking: true, isSlow: false });
    vi.advanceTimersByTime(1);
    expect(search.isSlow).toBe(true);
    await questions[1]!.answer(answerOf(pictures(10, 1)));
    expect(search).toMatchObject({ asking: false, isSlow: false });
  });
});

describe('stale answers', () => {
  it('aborts the older request', async () => {
    const { search, questions } = await shown(1);
    void search.choose(words('cat'));
    expect(questions[1]!.signal.aborted).toBe(false);
    void search.choose(words('dog'));
    expect(questions[1]!.signal.aborted).toBe(true);
    expect(questions[2]!.signal.aborted).toBe(false);
  });

  it('never shows an older answer after a newer one', async () => {
    const { search, questions } = await shown(1);
    void search.choose(words('cat'));
    void search.choose(words('dog'));
    await questions[2]!.answer(answerOf(pictures(200, 1)));
    await questions[1]!.answer(answerOf(pictures(100, 1)));
    expect(search.answered).toBe('dog');
    expect(idsOf(search)).toEqual([200]);
  });

  it('never shows an older answer while a newer question is open', async () => {
    const { search, questions } = await shown(1);
    void search.choose(words('cat'));
    void search.choose(words('dog'));
    await questions[1]!.answer(answerOf(pictures(100, 1)));
    expect(search).toMatchObject({ answered: '', asking: true });
    expect(idsOf(search)).toEqual([0]);
  });

  it('never reports the failure of an older question', async () => {
    const { search, questions } = await shown(1);
    void search.choose(words('cat'));
    void search.choose(words('dog'));
    await questions[1]!.fail(new DOMException('aborted', 'AbortError'));
    expect(search).toMatchObject({ trouble: null, asking: true });
  });

  it('never adds a page to the pictures of another query', async () => {
    const { search, questions } = await shown(60, 300);
    void search.loadMore();
    void search.choose(words('dog'));
    expect(questions[1]!.signal.aborted).toBe(true);
    await questions[2]!.answer(answerOf(pictures(500, 2)));
    await questions[1]!.answer(answerOf(pictures(60, 60), 300));
    expect(idsOf(search)).toEqual([500, 501]);
    expect(search.extending).toBe(false);
  });
});

describe('trouble', () => {
  it('tells a refusal in the words of the server and keeps the pictures', async () => {
    const { search, questions } = await shown(2);
    void search.choose(words('zzz'));
    await questions[1]!.fail(new ProblemError(400, 'No word of it is known.'));
    expect(search.trouble).toEqual({ says: 'No word of it is known.', isPassing: false });
    expect(search).toMatchObject({ asking: false, answered: '' });
    expect(idsOf(search)).toEqual([0, 1]);
  });

  it('offers another try when the server is away, and forgets the trouble when it is back', async () => {
    const { search, questions } = await shown(1);
    void search.choose(words('dog'));
    await questions[1]!.fail(new TypeError('Failed to fetch'));
    expect(search.trouble).toMatchObject({ isPassing: true });
    expect(search.trouble!.says).toContain('does not answer');
    void search.retry();
    await questions[2]!.answer(answerOf(pictures(9, 1)));
    expect(search).toMatchObject({ trouble: null, answered: 'dog' });
  });

  it('asks a failed question again on Enter', async () => {
    const { search, questions } = await shown(1);
    void search.choose(words('dog'));
    await questions[1]!.fail(new ProblemError(503, 'Busy.'));
    void search.submit();
    expect(asked(questions.slice(1))).toEqual([
      ['dog', 0, PAGE_SIZE],
      ['dog', 0, PAGE_SIZE],
    ]);
  });

  it('stops paging after a failed page until it is tried again', async () => {
    const { search, questions } = await shown(60, 300);
    void search.loadMore();
    await questions[1]!.fail(new ProblemError(500, 'Oh.'));
    void search.loadMore();
    expect(questions).toHaveLength(2);
    void search.retry();
    expect(search.trouble).toBeNull();
    await questions[2]!.answer(answerOf(pictures(60, 60), 300));
    expect(search.pictures).toHaveLength(120);
  });
});

describe('paging', () => {
  it('adds pages one at a time, in order, without a new edition', async () => {
    const { search, questions } = await shown(60, 130);
    void search.loadMore();
    void search.loadMore();
    expect(asked(questions.slice(1))).toEqual([['', 60, PAGE_SIZE]]);
    expect(search.extending).toBe(true);
    await questions[1]!.answer(answerOf(pictures(60, 60), 130));
    void search.loadMore();
    await questions[2]!.answer(answerOf(pictures(120, 10), 130));
    expect(idsOf(search)).toEqual(Array.from({ length: 130 }, (_, i) => i));
    expect(search).toMatchObject({ hasMore: false, extending: false, edition: 1 });
    void search.loadMore();
    expect(questions).toHaveLength(3);
  });

  it('stays within reach of the server', async () => {
    const { search, questions } = await shown(60, 5000);
    while (search.hasMore) {
      void search.loadMore();
      const { offset, limit, answer } = questions.at(-1)!;
      expect(offset + limit).toBeLessThanOrEqual(REACH);
      await answer(answerOf(pictures(offset, limit), 5000));
    }
    expect(search.pictures).toHaveLength(REACH);
  });

  it('shows a picture once, though a changing library answers it twice', async () => {
    const { search, questions } = await shown(60, 120);
    void search.loadMore();
    await questions[1]!.answer(answerOf(pictures(50, 60), 120));
    expect(new Set(idsOf(search)).size).toBe(search.pictures.length);
    expect(search.pictures).toHaveLength(110);
    expect(search.hasMore).toBe(false);
  });

  it('ends at an empty page, whatever total was told', async () => {
    const { search, questions } = await shown(60, 300);
    void search.loadMore();
    await questions[1]!.answer(answerOf([], 300));
    expect(search.hasMore).toBe(false);
  });

  it('waits while a question is open', async () => {
    const { search, questions } = await shown(60, 300);
    void search.choose(words('dog'));
    void search.loadMore();
    expect(questions).toHaveLength(2);
  });
});

describe('timing', () => {
  it('measures the round trip, then the paint, once', async () => {
    const { search, questions, clock } = await shown(1);
    clock.ms = 100;
    void search.choose(words('dog'));
    clock.ms = 107;
    await questions[1]!.answer(answerOf(pictures(0, 1)));
    expect(search.timing).toMatchObject({ roundTripMs: 7, paintMs: null });
    clock.ms = 120;
    search.painted(search.edition);
    clock.ms = 500;
    search.painted(search.edition);
    expect(search.timing).toMatchObject({ roundTripMs: 7, paintMs: 13 });
  });

  it('ignores the paint of an older edition', async () => {
    const { search } = await shown(1);
    search.painted(search.edition - 1);
    expect(search.timing!.paintMs).toBeNull();
  });
});

describe('looking at one picture', () => {
  it('steps to and fro between the ends', async () => {
    const { search } = await shown(3);
    search.view(1);
    expect(search.opened.picture?.id).toBe(1);
    search.step(1);
    search.step(1);
    expect(search.opened.picture?.id).toBe(2);
    search.step(-1);
    search.step(-1);
    search.step(-1);
    expect(search.opened.picture?.id).toBe(0);
    search.opened.close();
    search.step(1);
    expect(search.opened.picture).toBeNull();
  });

  it('calls for the next page before the last picture is reached', async () => {
    const { search, questions } = await shown(60, 120);
    search.view(10);
    expect(questions).toHaveLength(1);
    search.view(57);
    expect(asked(questions.slice(1))).toEqual([['', 60, PAGE_SIZE]]);
  });

  it('closes when the picture is no longer among those shown', async () => {
    const { search, questions } = await shown(3);
    void search.choose(words('dog'));
    search.view(2);
    await questions[1]!.answer(answerOf(pictures(70, 2)));
    expect(search.opened.picture).toBeNull();
  });
});

describe('near-duplicates', () => {
  async function folded() {
    const page = begin();
    void page.search.start(words('dog'));
    const [first, ...rest] = pictures(0, 3);
    await page.questions[0]!.answer(answerOf([{ ...first!, similar: [10, 11] }, ...rest], 3));
    return page;
  }

  it('are shown behind the picture they were folded under, and folded again', async () => {
    const { search } = await folded();
    await search.unfold(0);
    expect(idsOf(search)).toEqual([0, 10, 11, 1, 2]);
    expect(search.heads.get(11)).toBe(0);
    search.view(0);
    search.step(1);
    expect(search.opened.picture?.id).toBe(10);
    await search.unfold(0);
    expect(idsOf(search)).toEqual([0, 1, 2]);
  });

  it('do not count as received: the next page is the next one of the ranking', async () => {
    const { search, questions } = begin();
    void search.start(words('dog'));
    const first = pictures(0, PAGE_SIZE).map((one) => ({ ...one, similar: one.id === 5 ? [500] : [] }));
    await questions[0]!.answer(answerOf(first, 200));
    await search.unfold(5);
    void search.loadMore();
    expect(asked(questions).at(-1)).toEqual(['dog', PAGE_SIZE, PAGE_SIZE]);
    await questions[1]!.answer(answerOf(pictures(PAGE_SIZE, PAGE_SIZE), 200));
    expect(idsOf(search).slice(5, 8)).toEqual([5, 500, 6]);
    expect(search.pictures).toHaveLength(2 * PAGE_SIZE + 1);
  });

  it('are folded in the next answer, also where they come after it', async () => {
    const { search, questions } = await folded();
    const late = search.unfold(0);
    void search.choose(words('cat'));
    await late;
    await questions[1]!.answer(answerOf(pictures(0, 2)));
    expect(idsOf(search)).toEqual([0, 1]);
    expect(search.unfolded.size).toBe(0);
  });

  it('that cannot be had are told of, and can be tried again', async () => {
    const { api, questions } = deafServer();
    let isDown = true;
    const named: Api['named'] = (ids, signal) =>
      isDown ? Promise.reject(new TypeError('down')) : api.named(ids, signal);
    const search = new Search({ api: { ...api, named }, now: () => 0, remember: () => {} });
    void search.start(words('dog'));
    await questions[0]!.answer(answerOf([{ ...picture(0), similar: [10] }]));
    await search.unfold(0);
    expect(search.trouble?.isPassing).toBe(true);
    isDown = false;
    await search.retry();
    expect(idsOf(search)).toEqual([0, 10]);
    expect(search.trouble).toBeNull();
  });
});
