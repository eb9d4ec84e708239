import { expect, it } from 'vitest';
import { HistorySync, queryFromHistory, queryFromUrl, urlWithQuery } from './urlState';
import { EMPTY_QUERY, type SearchQuery } from './query';

const words = (text: string): SearchQuery => ({ ...EMPTY_QUERY, words: text });

it('parses the query of a URL', () => {
  expect(queryFromUrl('http://here/?q=two%20dogs+%26%20a%20cat')).toEqual(words('two dogs & a cat'));
  expect(queryFromUrl('http://here/')).toEqual(EMPTY_QUERY);
});

it('writes a query to a URL and parses it back', () => {
  const term = { kind: 'id', value: '17', label: 'like picture 17', weight: -0.5 } as const;
  const query = {
    words: 'two dogs & ü',
    terms: [{ ...term, thumbnail: 'api/preview/17' }],
    filters: ['in:a'],
  };
  const url = urlWithQuery('http://here/?x=1', query);
  expect(queryFromUrl(url)).toEqual(query);
  expect(urlWithQuery(url, EMPTY_QUERY)).toBe('http://here/?x=1');
});

it('ignores invalid terms', () => {
  expect(queryFromUrl('http://here/?term=x&term=1:image:AAAA&term=..:id:1').terms).toEqual([]);
});

it('replaces the entry while typing, and resets it to the submitted query before a push', () => {
  const entries = ['http://here/'];
  const history = {
    replaceState: (_: unknown, __: string, url?: string | URL | null) => {
      entries[entries.length - 1] = String(url);
    },
    pushState: (_: unknown, __: string, url?: string | URL | null) => void entries.push(String(url)),
  };
  const sync = new HistorySync({ href: () => entries.at(-1)!, history }, EMPTY_QUERY);
  sync.replace(words('do'));
  sync.replace(words('dog'));
  expect(entries).toEqual(['http://here/?q=dog']);
  sync.push(words('dog'));
  sync.replace(words('cat'));
  sync.push(words('cats'));
  expect(entries).toEqual(['http://here/', 'http://here/?q=dog', 'http://here/?q=cats']);
});

it('restores images from the history state, and words from the URL without state', () => {
  const query: SearchQuery = {
    ...EMPTY_QUERY,
    terms: [{ kind: 'image', value: 'AAAA', label: 'x', thumbnail: '', weight: 1 }],
  };
  expect(queryFromHistory({ query: JSON.stringify(query) }, 'http://here/')).toEqual(query);
  expect(queryFromHistory(null, 'http://here/?q=dog')).toEqual(words('dog'));
});
