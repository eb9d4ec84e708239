import { expect, it } from 'vitest';
import { questionIn, questionOf, Trail, withQuestion } from './address';
import { NOTHING, type Question } from './question';

const words = (typed: string): Question => ({ ...NOTHING, words: typed });

it('reads the query of an address', () => {
  expect(questionIn('http://here/?q=two%20dogs+%26%20a%20cat')).toEqual(words('two dogs & a cat'));
  expect(questionIn('http://here/')).toEqual(NOTHING);
});

it('writes the question into an address and out of it again', () => {
  const term = { kind: 'id', value: '17', label: 'like picture 17', weight: -0.5 } as const;
  const asked = {
    words: 'two dogs & ü',
    terms: [{ ...term, thumbnail: '/api/preview/17' }],
    filters: ['in:a'],
  };
  const address = withQuestion('http://here/?x=1', asked);
  expect(questionIn(address)).toEqual(asked);
  expect(withQuestion(address, NOTHING)).toBe('http://here/?x=1');
});

it('leaves out terms that make no sense', () => {
  expect(questionIn('http://here/?term=x&term=1:image:AAAA&term=..:id:1').terms).toEqual([]);
});

it('replaces the entry while typing, and leaves the chosen one behind on a choice', () => {
  const entries = ['http://here/'];
  const history = {
    replaceState: (_: unknown, __: string, address?: string | URL | null) => {
      entries[entries.length - 1] = String(address);
    },
    pushState: (_: unknown, __: string, address?: string | URL | null) => void entries.push(String(address)),
  };
  const trail = new Trail({ href: () => entries.at(-1)!, history }, NOTHING);
  trail.typed(words('do'));
  trail.typed(words('dog'));
  expect(entries).toEqual(['http://here/?q=dog']);
  trail.chosen(words('dog'));
  trail.typed(words('cat'));
  trail.chosen(words('cats'));
  expect(entries).toEqual(['http://here/', 'http://here/?q=dog', 'http://here/?q=cats']);
});

it('brings pictures back from the state, and words from the address where there is none', () => {
  const asked: Question = {
    ...NOTHING,
    terms: [{ kind: 'image', value: 'AAAA', label: 'x', thumbnail: '', weight: 1 }],
  };
  expect(questionOf({ question: JSON.stringify(asked) }, 'http://here/')).toEqual(asked);
  expect(questionOf(null, 'http://here/?q=dog')).toEqual(words('dog'));
});
