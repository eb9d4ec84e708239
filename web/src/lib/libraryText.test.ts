import { expect, it } from 'vitest';
import { sourceText, syncText } from './libraryText';

const source = { id: 'a', path: '/a', kind: 'folder', state: 'ready', pictures: 1404 };

it('describes a source', () => {
  expect(sourceText(source)).toBe('1,404 pictures');
  expect(sourceText({ ...source, state: 'missing' })).toContain('not there now');
  expect(sourceText({ ...source, state: 'unconfirmed' })).toContain('named by the library only');
  expect(sourceText({ ...source, kind: 'import', state: 'imported', pictures: 1 })).toBe('1 imported vector');
  expect(sourceText({ ...source, kind: 'urls' })).toBe('list of urls · 1,404 pictures');
});

it('formats the last sync in the time of this machine', () => {
  const local = new Date(2026, 10, 30, 3, 18);
  expect(syncText(local.toISOString())).toBe('30 November 2026, 03:18');
  expect(syncText(null)).toBe('not yet');
  expect(syncText('nonsense')).toBe('not yet');
});
