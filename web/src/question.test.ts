import { describe, expect, it } from 'vitest';
import {
  filterText,
  isSearch,
  keyOf,
  negated,
  NOTHING,
  typedQuery,
  weighed,
  whereOf,
  withFilter,
  withoutTerm,
  withTerm,
  wordsWithout,
  type Term,
} from './question';

const like: Term = { kind: 'id', value: '17', label: 'like this', thumbnail: '', weight: 1 };
const image: Term = { ...like, kind: 'image', value: 'AAAA' };

describe('terms', () => {
  it('are added once, and removed', () => {
    const asked = withTerm(withTerm(withTerm(NOTHING, like), image), { ...like, weight: 2 });
    expect(asked.terms).toEqual([image, { ...like, weight: 2 }]);
    expect(withoutTerm(asked, 0).terms).toEqual([{ ...like, weight: 2 }]);
  });

  it('go through the weights and keep their sign', () => {
    let asked = negated(withTerm(NOTHING, like), 0);
    const weights = [asked.terms[0]!.weight];
    for (let i = 0; i < 4; i++) weights.push((asked = weighed(asked, 0)).terms[0]!.weight);
    expect(weights).toEqual([-1, -2, -3, -0.5, -1]);
    expect(negated(asked, 0).terms[0]!.weight).toBe(1);
  });

  it('are typed after the words, but for pictures from elsewhere', () => {
    const asked = withTerm({ ...NOTHING, words: ' at night ' }, { ...like, weight: -0.5 });
    expect(typedQuery(asked)).toBe('at night - 0.5:id:17');
    expect(typedQuery(withTerm(NOTHING, like))).toBe('id:17');
    expect(typedQuery(withTerm(asked, image))).toBeNull();
  });
});

describe('filters', () => {
  it('come and go', () => {
    const once = withFilter(NOTHING, 'year:2023');
    expect(once.filters).toEqual(['year:2023']);
    expect(withFilter(once, 'year:2023').filters).toEqual([]);
  });

  it('of one name are alternatives', () => {
    expect(whereOf({ ...NOTHING, filters: ['year:2022', 'type:png', 'year:2023'] })).toBe(
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
  ])('of %s and %s are typed %s', (operator, value, says) => {
    expect(filterText(operator, value)).toBe(says);
  });

  it('can be taken out of the words', () => {
    expect(wordsWithout('a dog after:2023 at night', 'after:2023')).toBe('a dog at night');
  });
});

it('knows questions that mean the same, and those that look for something', () => {
  expect(keyOf({ ...NOTHING, words: ' dog ' })).toBe(keyOf({ ...NOTHING, words: 'dog' }));
  expect(keyOf(withTerm(NOTHING, like))).not.toBe(keyOf(NOTHING));
  expect([NOTHING, withFilter(NOTHING, 'year:1'), withTerm(NOTHING, like)].map(isSearch)).toEqual([
    false,
    false,
    true,
  ]);
});
