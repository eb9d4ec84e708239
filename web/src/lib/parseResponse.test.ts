import { describe, expect, it } from 'vitest';
import { INFO_JSON, PICTURE_JSON, RESULTS_JSON } from '../testing/samples';
import { ResponseError } from './errors';
import { parseInfo, parseResultPage, parseSuggestions } from './parseResponse';

describe('parseSuggestions', () => {
  it('parses examples and columns, and rejects values that are not plain', () => {
    const column = { name: 'year', operator: 'year', values: [{ value: '2023', count: 7 }], total: 30 };
    const range = { name: 'width', kind: 'number', minimum: 1, maximum: 9 };
    const json = { examples: ['a dog'], columns: [column], ranges: [range] };
    expect(parseSuggestions(json)).toEqual(json);
    const bad = { ...json, columns: [{ ...column, values: [{ value: {}, count: 7 }] }] };
    expect(() => parseSuggestions(bad)).toThrow('expected text');
    const badRange = { ...json, ranges: [{ ...range, minimum: [] }] };
    expect(() => parseSuggestions(badRange)).toThrow('expected text at ranges[0].minimum');
  });
});

describe('parseResultPage', () => {
  it('parses a valid response', () => {
    expect(parseResultPage(RESULTS_JSON)).toEqual({
      timings: { embed: 1.21, search: 0.3, fetch: 0.2, total: 1.9 },
      index: { name: 'demo', count: 302, model: 'starter', version: '3f9a0c12' },
      total: 302,
      pictures: [{ ...PICTURE_JSON, url: 'api/image/17', similar: [], similarScores: [], why: [] }],
      relevantCount: null,
      filters: [],
      partitions: null,
      unfinished: null,
      notices: [],
    });
  });

  it('parses how many partitions of a collection have answered', () => {
    const partitions = { ok: 7, total: 8, missing: ['photos: it did not answer'] };
    expect(parseResultPage({ ...RESULTS_JSON, partitions }).partitions).toEqual(partitions);
  });

  it.each([
    ['/api/image/17?v=3f', 'api/image/17?v=3f'],
    ['/pictures/api/image/17', '/pictures/api/image/17'],
    ['https://example.org/a.jpg', 'https://example.org/a.jpg'],
  ])('resolves %s below the path of the page', (url, expected) => {
    const { pictures } = parseResultPage({ ...RESULTS_JSON, results: [{ ...PICTURE_JSON, url }] });
    expect(pictures[0]?.url).toBe(expected);
  });

  it('parses a picture without score, with caption and without metadata', () => {
    const { pictures } = parseResultPage({
      ...RESULTS_JSON,
      results: [{ ...PICTURE_JSON, score: null, caption: 'a cat', meta: undefined }],
    });
    expect(pictures[0]).toMatchObject({ score: null, caption: 'a cat', meta: {} });
  });

  it.each([
    [null, 'expected an object at the response, found null'],
    [[], 'expected an object at the response, found []'],
    [{ ...RESULTS_JSON, took_ms: undefined }, 'expected an object at took_ms, found nothing'],
    [{ ...RESULTS_JSON, total: '302' }, 'expected a number at total, found "302"'],
    [{ ...RESULTS_JSON, results: {} }, 'expected a list at results, found {}'],
    [
      { ...RESULTS_JSON, results: [PICTURE_JSON, { ...PICTURE_JSON, width: null }] },
      'expected a number at results[1].width, found null',
    ],
  ])('rejects case %# and names the field', (json, message) => {
    expect(() => parseResultPage(json)).toThrow(ResponseError);
    expect(() => parseResultPage(json)).toThrow(message);
  });

  it.each(['javascript:alert(1)', '//elsewhere/x', '/\\elsewhere', 'ftp://elsewhere/x', ''])(
    'rejects a URL that is neither a path on this server nor a web URL: %s',
    (url) => {
      expect(() => parseResultPage({ ...RESULTS_JSON, results: [{ ...PICTURE_JSON, url }] })).toThrow(
        'a path on this server',
      );
    },
  );

  it('replaces an invalid colour by grey', () => {
    const { pictures } = parseResultPage({
      ...RESULTS_JSON,
      results: [{ ...PICTURE_JSON, color: 'red; top: 0' }],
    });
    expect(pictures[0]!.color).toBe('#808080');
  });
});

describe('parseInfo', () => {
  it('parses the facts', () => {
    expect(parseInfo(INFO_JSON)).toEqual({
      name: 'demo',
      count: 302,
      model: 'starter',
      kernel: 'avx2',
      snapseek: '0.1.0',
      examples: ['a dog'],
      skipped: {},
      hasFast: false,
      acceptsImageUrls: false,
      isLocal: false,
    });
  });

  it('keeps the counts of skipped files', () => {
    expect(parseInfo({ ...INFO_JSON, skipped: { raw: 3 } }).skipped).toEqual({ raw: 3 });
  });

  it('rejects examples that are not text', () => {
    expect(() => parseInfo({ ...INFO_JSON, examples: ['a dog', 7] })).toThrow(
      'expected text at examples[1], found 7',
    );
  });
});
