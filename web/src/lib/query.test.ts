import { describe, expect, it } from 'vitest';
import {
  filterText,
  isSearch,
  queryKey,
  negated,
  EMPTY_QUERY,
  queryText,
  withWeightStep,
  whereText,
  withToggledFilter,
  withoutTerm,
  withTerm,
  wordsWithout,
  type Term,
} from './query';

const similar: Term = { kind: 'id', value: '17', label: 'like this', thumbnail: '', weight: 1 };
const image: Term = { ...similar, kind: 'image', value: 'AAAA' };

describe('terms', () => {
  it('are added once and removed', () => {
    const query = withTerm(withTerm(withTerm(EMPTY_QUERY, similar), image), { ...similar, weight: 2 });
    expect(query.terms).toEqual([image, { ...similar, weight: 2 }]);
    expect(withoutTerm(query, 0).terms).toEqual([{ ...similar, weight: 2 }]);
  });

  it('cycle through the weights and keep their sign', () => {
    let query = negated(withTerm(EMPTY_QUERY, similar), 0);
    const weights = [query.terms[0]!.weight];
    for (const step of [1, 1, 1, -1, -1, -1] as const)
      weights.push((query = withWeightStep(query, 0, step)).terms[0]!.weight);
    expect(weights).toEqual([-1, -2, -3, -3, -2, -1, -0.5]);
    expect(withWeightStep(query, 0, -1).terms[0]!.weight).toBe(-0.5);
    expect(negated(query, 0).terms[0]!.weight).toBe(0.5);
  });

  it('follow the words in query syntax, which cannot express images', () => {
    const query = withTerm({ ...EMPTY_QUERY, words: ' at night ' }, { ...similar, weight: -0.5 });
    expect(queryText(query)).toBe('at night - 0.5:id:17');
    expect(queryText(withTerm(EMPTY_QUERY, similar))).toBe('id:17');
    expect(queryText(withTerm(query, image))).toBeNull();
  });
});

describe('filters', () => {
  it('are toggled', () => {
    const once = withToggledFilter(EMPTY_QUERY, 'year:2023');
    expect(once.filters).toEqual(['year:2023']);
    expect(withToggledFilter(once, 'year:2023').filters).toEqual([]);
  });

  it('of one name become alternatives', () => {
    expect(whereText({ ...EMPTY_QUERY, filters: ['year:2022', 'type:png', 'year:2023'] })).toBe(
      'year:2022,2023 type:png',
    );
  });

  it.each([
    ['in', 'holiday', 'in:holiday'],
    ['in', 'my "best", all', 'in:"my ""best"", all"'],
    ['in', '../a', 'in:"../a"'],
    ['tag', 'Überall', 'tag:Überall'],
    ['year', 2023, 'year:2023'],
    ['name', '>3', 'name:">3"'],
  ])('of %s and %s are written %s', (operator, value, text) => {
    expect(filterText(operator, value)).toBe(text);
  });

  it('can be removed from the words', () => {
    expect(wordsWithout('a dog after:2023 at night', 'after:2023')).toBe('a dog at night');
  });
});

it('compares queries by meaning, and tells searches from listings', () => {
  expect(queryKey({ ...EMPTY_QUERY, words: ' dog ' })).toBe(queryKey({ ...EMPTY_QUERY, words: 'dog' }));
  expect(queryKey(withTerm(EMPTY_QUERY, similar))).not.toBe(queryKey(EMPTY_QUERY));
  expect(
    [EMPTY_QUERY, withToggledFilter(EMPTY_QUERY, 'year:1'), withTerm(EMPTY_QUERY, similar)].map(isSearch),
  ).toEqual([false, false, true]);
});
