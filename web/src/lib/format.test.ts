import { describe, expect, it } from 'vitest';
import { samplePicture } from '../testing/samples';
import {
  resultsAnnouncement,
  formatDuration,
  endOfResults,
  pictureFacts,
  pictureLabel,
  pictureName,
  formatCounts,
  formatPlural,
  formatBytes,
} from './format';

const picture = samplePicture({
  id: 17,
  score: 0.3125,
  width: 5120,
  height: 341,
  meta: { name: 'tabby.jpg', folder: 'animals', size_bytes: 51_234 },
});

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
  [2_500_000_000, '2.5 GB'],
])('formats %d bytes as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

it('formats a count with singular or plural', () => {
  expect(formatPlural(1, 'picture')).toBe('1 picture');
  expect(formatPlural(1_234_567, 'picture')).toBe('1,234,567 pictures');
});

it('lists counts by kind', () => {
  expect(formatCounts({ raw: 3, linked_folder: 1200, video: 0, other: 'x' })).toBe(
    '3 raw, 1,200 linked folder',
  );
  expect(formatCounts({})).toBe('');
});

describe('a picture', () => {
  it('is labelled by its caption, name or id', () => {
    expect(pictureLabel({ ...picture, caption: 'a cat asleep' })).toBe('a cat asleep');
    expect(pictureLabel(picture)).toBe('tabby.jpg');
    expect(pictureName({ ...picture, meta: {} })).toBe('picture 17');
  });

  it('lists the known facts', () => {
    expect(pictureFacts(picture)).toEqual(['animals', '5,120 × 341', '51 kB', 'score 0.313']);
    expect(pictureFacts({ ...picture, score: null, meta: { folder: 3 } })).toEqual(['5,120 × 341']);
  });
});

it('announces the results', () => {
  expect(resultsAnnouncement('two dogs', 1200, 0)).toBe('1,200 pictures for two dogs, best first.');
  expect(resultsAnnouncement('', 1, 1)).toBe('1 picture in the library. 1 near-duplicate shown.');
});

it('describes the end of the results', () => {
  expect(endOfResults(1, 1, 1000)).toBe('End of results: 1 picture.');
  expect(endOfResults(1000, 2500, 1000)).toContain('The first 1,000 of 2,500 pictures.');
});
