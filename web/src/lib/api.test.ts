import { describe, expect, it } from 'vitest';
import { INFO_JSON, RESULTS_JSON } from '../testing/samples';
import { httpApi, searchRequest } from './api';
import { ProblemError, ResponseError } from './errors';
import { EMPTY_QUERY, type Sort, type Term } from './query';

const wordsQuery = (words: string) => ({ ...EMPTY_QUERY, words });
const page = { query: wordsQuery('two dogs'), limit: 60, offset: 0 };

function reply(body: string, status = 200) {
  const urls: string[] = [];
  const api = httpApi(async (url) => {
    urls.push(url);
    return new Response(body, { status });
  });
  return { api, urls };
}

const term = (kind: Term['kind'], value: string, weight: number): Term => ({
  kind,
  value,
  weight,
  label: '',
  thumbnail: '',
});

describe('searchRequest', () => {
  it('requests a search with every character escaped', () => {
    expect(searchRequest({ query: wordsQuery('a&b=c d?'), limit: 60, offset: 120 })).toEqual({
      url: 'api/search?q=a%26b%3Dc%20d%3F&limit=60&offset=120&mode=auto',
      body: null,
    });
  });

  it('lists the library without a query', () => {
    const { url } = searchRequest({ query: EMPTY_QUERY, limit: 40, offset: 960, dedup: true, model: 'fast' });
    expect(url).toBe('api/items?limit=40&offset=960&sort=newest');
  });

  it('puts filters, the fast model and dedup into the URL', () => {
    const query = { ...wordsQuery('dog'), filters: ['year:2022', 'year:2023'] };
    expect(searchRequest({ query, limit: 60, offset: 0, model: 'fast', dedup: true }).url).toBe(
      'api/search?q=dog&limit=60&offset=0&where=year%3A2022%2C2023&model=fast&dedup=1&mode=auto',
    );
  });

  it.each<[Sort, string, string | null, string | null]>([
    ['', 'dog', 'auto', null],
    ['clip', 'dog', null, null],
    ['words', 'dog', 'words', null],
    ['newest', 'dog', 'auto', 'newest'],
    ['', '', null, null],
    ['words', '', null, null],
  ])('ranks %s for %s by the mode %s', (sort, words, mode, order) => {
    const query = { ...wordsQuery(words), terms: [term('id', '17', 1)], sort };
    const params = new URL(searchRequest({ query, limit: 60, offset: 0 }).url, 'http://here').searchParams;
    expect([params.get('mode'), params.get('sort')]).toEqual([mode, order]);
    const image = { ...query, terms: [term('image', 'AAAA', 1)] };
    const body = JSON.parse(searchRequest({ query: image, limit: 60, offset: 0 }).body!);
    expect([body.mode ?? null, body.sort ?? null]).toEqual([mode, order]);
  });

  it('writes pictures of the library in query syntax', () => {
    const query = { ...wordsQuery('at night'), terms: [term('id', '17', 1), term('words', 'a "b" c', -2)] };
    const { url } = searchRequest({ query, limit: 60, offset: 0 });
    expect(new URL(url, 'http://here').searchParams.get('q')).toBe('at night + id:17 - 2:"a ""b"" c"');
  });

  it('posts images', () => {
    const terms = [term('image', 'AAAA', 2), term('id', '17', -1), term('words', 'snow', 1)];
    const query = { words: ' at night ', terms, filters: ['type:png'], sort: '', safe: '' } as const;
    const { url, body } = searchRequest({ query, limit: 60, offset: 60, dedup: true });
    expect(url).toBe('api/search');
    expect(JSON.parse(body!)).toEqual({
      q: 'at night',
      terms: [
        { image: 'AAAA', weight: 2 },
        { id: 17, weight: -1 },
        { text: 'snow', weight: 1 },
      ],
      where: 'type:png',
      mode: 'auto',
      dedup: true,
      limit: 60,
      offset: 60,
    });
  });
});

describe('httpApi', () => {
  it('requests the documented URLs', async () => {
    const { api, urls } = reply(JSON.stringify(RESULTS_JSON));
    expect((await api.search(page, new AbortController().signal)).total).toBe(302);
    const facts = reply(JSON.stringify(INFO_JSON));
    expect((await facts.api.info()).examples).toEqual(['a dog']);
    expect([...urls, ...facts.urls]).toEqual([
      'api/search?q=two%20dogs&limit=60&offset=0&mode=auto',
      'api/info',
    ]);
  });

  it('requests at most as many ids as the server accepts', async () => {
    const { api, urls } = reply(JSON.stringify(RESULTS_JSON));
    const ids = Array.from({ length: 300 }, (_, i) => i);
    await api.byIds(ids, new AbortController().signal);
    expect(urls).toEqual([`api/items?ids=${ids.slice(0, 256).join(',')}`]);
  });

  it('passes the signal to fetch', async () => {
    const controller = new AbortController();
    let sentSignal: AbortSignal | null | undefined;
    const api = httpApi(async (_, init) => {
      sentSignal = init.signal;
      return new Response(JSON.stringify(RESULTS_JSON));
    });
    await api.search(page, controller.signal);
    expect(sentSignal).toBe(controller.signal);
  });

  it.each([
    ['{"title":"Bad Request","status":400,"detail":"No word known."}', 'No word known.'],
    ['{"title":"Bad Request"}', 'Bad Request'],
    ['<html>oh</html>', 'The server responded with status 400.'],
  ])('turns a problem into its message: %s', async (body, message) => {
    const failure = await reply(body, 400)
      .api.search(page, new AbortController().signal)
      .catch((cause: unknown) => cause);
    expect(failure).toBeInstanceOf(ProblemError);
    expect(failure).toMatchObject({ message, status: 400 });
  });

  it('rejects a response that is not JSON', async () => {
    const failure = reply('<html>').api.search(page, new AbortController().signal);
    await expect(failure).rejects.toThrow(ResponseError);
  });
});
