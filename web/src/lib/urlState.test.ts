import { expect, it } from 'vitest';
import { entryFromHistory, HistorySync, queryFromUrl, urlWithQuery, type PageEntry } from './urlState';
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
    sort: 'oldest' as const,
    safe: 'punsafe:<0.5',
  };
  const url = urlWithQuery('http://here/?x=1', query);
  expect(queryFromUrl(url)).toEqual(query);
  expect(urlWithQuery(url, EMPTY_QUERY)).toBe('http://here/?x=1');
});

it('ignores invalid terms', () => {
  expect(queryFromUrl('http://here/?term=x&term=1:image:AAAA&term=..:id:1').terms).toEqual([]);
});

/** A browser history that goes back when the test says so. */
function fakeHistory(initial: Partial<PageEntry> = {}, url = 'http://here/') {
  const entries = [{ url, state: null as unknown }];
  const write = (state: unknown, url?: string | URL | null) => ({ url: String(url), state });
  const history = {
    replaceState: (state: unknown, _: string, url?: string | URL | null) => {
      entries[entries.length - 1] = write(state, url);
    },
    pushState: (state: unknown, _: string, url?: string | URL | null) => void entries.push(write(state, url)),
    back: () => void (backs.count += 1),
  };
  const backs = { count: 0 };
  const entry = { query: EMPTY_QUERY, picture: null, isAfterResults: false, ...initial };
  const sync = new HistorySync({ href: () => entries.at(-1)!.url, history }, entry);
  const arrive = () => {
    entries.pop();
    return sync.restored(entryFromHistory(entries.at(-1)!.state, entries.at(-1)!.url));
  };
  return { sync, backs, arrive, entries, urls: () => entries.map((one) => one.url.slice(11)) };
}

it('replaces the entry while typing, and resets it to the submitted query before a push', () => {
  const { sync, urls } = fakeHistory();
  sync.replace(words('do'));
  sync.replace(words('dog'));
  expect(urls()).toEqual(['/?q=dog']);
  sync.push(words('dog'));
  sync.replace(words('cat'));
  sync.push(words('cats'));
  expect(urls()).toEqual(['/', '/?q=dog', '/?q=cats']);
});

it('gives an opened picture an entry, which the next one replaces and closing leaves', () => {
  const { sync, backs, arrive, urls } = fakeHistory();
  sync.openPicture(words('dog'), 7);
  sync.openPicture(words('dog'), 8);
  sync.replace(words('dog'));
  expect(urls()).toEqual(['/?q=dog', '/?q=dog&picture=8']);
  sync.closePicture(words('dog'));
  sync.closePicture(words('dog'));
  expect(backs.count).toBe(1);
  expect(arrive()).toBe(true);
  sync.closePicture(words('dog'));
  expect([urls(), backs.count]).toEqual([['/?q=dog'], 1]);
});

it('writes nothing on its way back to the results', () => {
  const { sync, arrive, urls } = fakeHistory();
  sync.openPicture(words('dog'), 7);
  sync.closePicture(words('dog'));
  sync.replace(words('dogs'));
  sync.openPicture(words('dogs'), 9);
  expect(urls()).toEqual(['/?q=dog', '/?q=dog&picture=7']);
  arrive();
  expect(urls()).toEqual(['/?q=dogs', '/?q=dogs&picture=9']);
});

it('stays on the page when a picture is closed that a link opened', () => {
  const { sync, backs, urls } = fakeHistory({ picture: 7 }, 'http://here/?picture=7');
  sync.closePicture(words('dog'));
  expect([urls(), backs.count]).toEqual([['/?q=dog'], 0]);
});

it('keeps the picture behind a search that was started from it', () => {
  const { sync, arrive, urls } = fakeHistory();
  sync.openPicture(EMPTY_QUERY, 7);
  sync.push(words('dog'));
  expect(urls()).toEqual(['/', '/?picture=7', '/?q=dog']);
  expect(arrive()).toBe(false);
  sync.closePicture(EMPTY_QUERY);
  arrive();
  expect(urls()).toEqual(['/']);
});

it('restores images from the history state, and words and the picture from the URL without state', () => {
  const query: SearchQuery = {
    ...EMPTY_QUERY,
    terms: [{ kind: 'image', value: 'AAAA', label: 'x', thumbnail: '', weight: 1 }],
  };
  const state = { query: JSON.stringify(query), isAfterResults: true };
  expect(entryFromHistory(state, 'http://here/?picture=7')).toEqual({
    query,
    picture: 7,
    isAfterResults: true,
  });
  expect(entryFromHistory(null, 'http://here/?q=dog&picture=x')).toEqual({
    query: words('dog'),
    picture: null,
    isAfterResults: false,
  });
});
