import { expect, it } from 'vitest';
import { resultsAnnouncement, endOfResults, formatDate, formatPlural } from './format';
import { formatDuration, formatBytes } from './formatMeasure';

it.each([
  [0, '0.0 ms'],
  [0.04, '<0.1 ms'],
  [1.93, '1.9 ms'],
  [9.94, '9.9 ms'],
  [9.95, '10 ms'],
  [12.7, '13 ms'],
  [2345, '2.3 s'],
])('formats %d ms as %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

it.each([
  [999, '999 B'],
  [51_234, '51 kB'],
  [999_600, '1.0 MB'],
  [99_900_000, '99.9 MB'],
  [605_592_617, '606 MB'],
  [999_700_000, '1.0 GB'],
  [2_500_000_000, '2.5 GB'],
])('formats %d bytes as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

it('formats a count with singular or plural', () => {
  expect(formatPlural(1, 'picture')).toBe('1 picture');
  expect(formatPlural(1_234_567, 'picture')).toBe('1,234,567 pictures');
});

it('announces the results, and counts only what is counted', () => {
  const counts = { words: 'two dogs', total: 915, relevant: null, duplicates: 0, order: '', isListed: false };
  expect(resultsAnnouncement(counts)).toBe('Pictures for two dogs, best first.');
  expect(resultsAnnouncement({ ...counts, relevant: 8 })).toBe('8 good matches for two dogs, best first.');
  expect(resultsAnnouncement({ ...counts, relevant: 1, order: 'newest' })).toBe(
    '1 good match for two dogs, newest first.',
  );
  expect(resultsAnnouncement({ ...counts, relevant: 0 })).toBe('Nothing looks like two dogs.');
  expect(resultsAnnouncement({ ...counts, words: 'year:2020', isListed: true })).toBe(
    '915 pictures for year:2020.',
  );
  expect(resultsAnnouncement({ ...counts, words: '', total: 1, duplicates: 1 })).toBe(
    '1 picture in the library. 1 near-duplicate shown.',
  );
});

it('describes the end of the results', () => {
  expect(endOfResults(1, 1, 0, 1000)).toBe('End of results: 1 picture.');
  expect(endOfResults(4, 4, 3, 1000)).toBe('End of results: 7 pictures, 3 of them grouped as similar.');
  expect(endOfResults(1000, 2500, 0, 1000)).toContain('The first 1,000 of 2,500 pictures.');
  expect(endOfResults(904, 904, 96, 1000)).toContain('The best 1,000 pictures.');
  expect(endOfResults(1100, 1100, 0, 1000)).toBe('End of results: 1,100 pictures.');
  expect(endOfResults(1000, 1000, 0, 1000)).toContain('The best 1,000 pictures.');
});

it.each([
  ['2023-06-12T16:54:10+00:00', '12 June 2023, 16:54'],
  ['2023-13-12T16:54', null],
  ['12 June', null],
])('formats the date %s as %s', (text, date) => {
  expect(formatDate(text)).toBe(date);
});
