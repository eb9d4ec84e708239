import { describe, expect, it } from 'vitest';
import {
  AnswerError,
  httpApi,
  parseAnswer,
  parseInfo,
  parseSuggestions,
  ProblemError,
  requestFor,
} from './api';
import { NOTHING, type Term } from './question';

const item = {
  id: 17,
  score: 0.312,
  url: '/api/image/17',
  width: 512,
  height: 341,
  color: '#7a6a55',
  preview: 'UklGRg==',
  caption: null,
  meta: { name: 'tabby.jpg', folder: 'animals', size_bytes: 51_234 },
};
const answer = {
  query: 'two dogs',
  took_ms: { embed: 1.21, search: 0.3, fetch: 0.2, total: 1.9 },
  index: { name: 'demo', count: 302, model: 'starter', dim: 396, version: '3f9a0c12' },
  total: 302,
  results: [item],
};
const info = {
  name: 'demo',
  count: 302,
  failed: 0,
  model: 'starter',
  kernel: 'avx2',
  snapseek: '0.1.0',
  examples: ['a dog'],
};

const asking = (words: string) => ({ ...NOTHING, words });
const page = { question: asking('two dogs'), limit: 60, offset: 0 };

function reply(body: string, status = 200) {
  const asked: string[] = [];
  const api = httpApi(async (address) => {
    asked.push(address);
    return new Response(body, { status });
  });
  return { api, asked };
}

const term = (kind: Term['kind'], value: string, weight: number): Term => ({
  kind,
  value,
  weight,
  label: '',
  thumbnail: '',
});

describe('requestFor', () => {
  it('asks for a search, with every character escaped', () => {
    expect(requestFor({ question: asking('a&b=c d?'), limit: 60, offset: 120 })).toEqual({
      address: '/api/search?q=a%26b%3Dc%20d%3F&limit=60&offset=120',
      body: null,
    });
  });

  it('asks for the stored order where there is no query', () => {
    const { address } = requestFor({ question: NOTHING, limit: 40, offset: 960, fold: true, tower: 'fast' });
    expect(address).toBe('/api/items?limit=40&offset=960');
  });

  it('asks for filters, the fast tower and folding in the address', () => {
    const question = { ...asking('dog'), filters: ['year:2022', 'year:2023'] };
    expect(requestFor({ question, limit: 60, offset: 0, tower: 'fast', fold: true }).address).toBe(
      '/api/search?q=dog&limit=60&offset=0&where=year%3A2022%2C2023&tower=fast&dedup=1',
    );
  });

  it('writes pictures of the library as typed terms', () => {
    const question = { ...asking('at night'), terms: [term('id', '17', 1), term('words', 'a "b" c', -2)] };
    const { address } = requestFor({ question, limit: 60, offset: 0 });
    expect(new URL(address, 'http://here').searchParams.get('q')).toBe('at night + id:17 - 2:"a ""b"" c"');
  });

  it('posts pictures from elsewhere', () => {
    const terms = [term('image', 'AAAA', 2), term('id', '17', -1), term('words', 'snow', 1)];
    const question = { words: ' at night ', terms, filters: ['type:png'] };
    const { address, body } = requestFor({ question, limit: 60, offset: 60, fold: true });
    expect(address).toBe('/api/search');
    expect(JSON.parse(body!)).toEqual({
      q: 'at night',
      terms: [
        { image: 'AAAA', weight: 2 },
        { id: 17, weight: -1 },
        { text: 'snow', weight: 1 },
      ],
      where: 'type:png',
      dedup: true,
      limit: 60,
      offset: 60,
    });
  });
});

describe('parseSuggestions', () => {
  it('reads examples and columns, and refuses values that are not plain', () => {
    const column = { name: 'year', operator: 'year', values: [{ value: 2023, count: 7 }] };
    const given = { examples: ['a dog'], columns: [column] };
    expect(parseSuggestions(given)).toEqual(given);
    const bad = { ...given, columns: [{ ...column, values: [{ value: {}, count: 7 }] }] };
    expect(() => parseSuggestions(bad)).toThrow('expected a plain value');
  });
});

describe('parseAnswer', () => {
  it('reads an answer of the agreed form', () => {
    expect(parseAnswer(answer)).toEqual({
      took: { embed: 1.21, search: 0.3, fetch: 0.2, total: 1.9 },
      index: { name: 'demo', count: 302, model: 'starter', version: '3f9a0c12' },
      total: 302,
      pictures: [{ ...item, similar: [] }],
      weakFrom: null,
      filters: [],
    });
  });

  it('reads a picture without score, with caption and without metadata', () => {
    const { pictures } = parseAnswer({
      ...answer,
      results: [{ ...item, score: null, caption: 'a cat', meta: undefined }],
    });
    expect(pictures[0]).toMatchObject({ score: null, caption: 'a cat', meta: {} });
  });

  it.each([
    [null, 'expected an object at the answer, found null'],
    [[], 'expected an object at the answer, found []'],
    [{ ...answer, took_ms: undefined }, 'expected an object at took_ms, found nothing'],
    [{ ...answer, total: '302' }, 'expected a number at total, found "302"'],
    [{ ...answer, results: {} }, 'expected a list at results, found {}'],
    [
      { ...answer, results: [item, { ...item, width: null }] },
      'expected a number at results[1].width, found null',
    ],
  ])('refuses %# and says where', (json, says) => {
    expect(() => parseAnswer(json)).toThrow(AnswerError);
    expect(() => parseAnswer(json)).toThrow(says);
  });

  it.each(['javascript:alert(1)', '//elsewhere/x', '/\\elsewhere', 'ftp://elsewhere/x', ''])(
    'lets no address but a path on this server or one of the web become a link: %s',
    (url) => {
      expect(() => parseAnswer({ ...answer, results: [{ ...item, url }] })).toThrow('a path on this server');
    },
  );

  it('makes a senseless colour grey', () => {
    const { pictures } = parseAnswer({ ...answer, results: [{ ...item, color: 'red; top: 0' }] });
    expect(pictures[0]!.color).toBe('#808080');
  });
});

describe('parseInfo', () => {
  it('reads what the page shows', () => {
    expect(parseInfo(info)).toEqual({
      name: 'demo',
      count: 302,
      model: 'starter',
      kernel: 'avx2',
      snapseek: '0.1.0',
      examples: ['a dog'],
      hasFast: false,
      acceptsLinks: false,
    });
  });

  it('refuses examples that are not text', () => {
    expect(() => parseInfo({ ...info, examples: ['a dog', 7] })).toThrow(
      'expected text at examples[1], found 7',
    );
  });
});

describe('httpApi', () => {
  it('asks the addresses of the agreement', async () => {
    const { api, asked } = reply(JSON.stringify(answer));
    expect((await api.pictures(page, new AbortController().signal)).total).toBe(302);
    const facts = reply(JSON.stringify(info));
    expect((await facts.api.info()).examples).toEqual(['a dog']);
    expect([...asked, ...facts.asked]).toEqual(['/api/search?q=two%20dogs&limit=60&offset=0', '/api/info']);
  });

  it('names no more pictures than the server takes at once', async () => {
    const { api, asked } = reply(JSON.stringify(answer));
    const ids = Array.from({ length: 300 }, (_, i) => i);
    await api.named(ids, new AbortController().signal);
    expect(asked).toEqual([`/api/items?ids=${ids.slice(0, 256).join(',')}`]);
  });

  it('passes the signal on', async () => {
    const controller = new AbortController();
    let given: AbortSignal | null | undefined;
    const api = httpApi(async (_, init) => {
      given = init.signal;
      return new Response(JSON.stringify(answer));
    });
    await api.pictures(page, controller.signal);
    expect(given).toBe(controller.signal);
  });

  it.each([
    ['{"title":"Bad Request","status":400,"detail":"No word known."}', 'No word known.'],
    ['{"title":"Bad Request"}', 'Bad Request'],
    ['<html>oh</html>', 'The server answered with status 400.'],
  ])('turns a refusal into its sentence: %s', async (body, says) => {
    const failure = await reply(body, 400)
      .api.pictures(page, new AbortController().signal)
      .catch((cause: unknown) => cause);
    expect(failure).toBeInstanceOf(ProblemError);
    expect(failure).toMatchObject({ message: says, status: 400 });
  });

  it('says so when the answer is not JSON', async () => {
    const failure = reply('<html>').api.pictures(page, new AbortController().signal);
    await expect(failure).rejects.toThrow(AnswerError);
  });
});
