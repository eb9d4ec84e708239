import { describe, expect, it } from 'vitest';
import type { Picture } from './api';
import {
  announcementOf,
  durationText,
  endOf,
  factsOf,
  labelOf,
  nameOf,
  pluralText,
  sizeText,
} from './wording';

const picture: Picture = {
  similar: [],
  id: 17,
  score: 0.3125,
  url: '/api/image/17',
  width: 5120,
  height: 341,
  color: '#7a6a55',
  preview: 'AAAA',
  caption: null,
  meta: { name: 'tabby.jpg', folder: 'animals', size_bytes: 51_234 },
};

it.each([
  [0, '0.0 ms'],
  [0.04, '<0.1 ms'],
  [1.93, '1.9 ms'],
  [9.94, '9.9 ms'],
  [9.95, '10 ms'],
  [12.7, '13 ms'],
  [2345, '2.3 s'],
])('writes %d ms as %s', (ms, text) => {
  expect(durationText(ms)).toBe(text);
});

it.each([
  [999, '999 B'],
  [51_234, '51 kB'],
  [999_600, '1.0 MB'],
  [2_500_000_000, '2.5 GB'],
])('writes %d bytes as %s', (bytes, text) => {
  expect(sizeText(bytes)).toBe(text);
});

it('counts with the right noun', () => {
  expect(pluralText(1, 'picture')).toBe('1 picture');
  expect(pluralText(1_234_567, 'picture')).toBe('1,234,567 pictures');
});

describe('a picture in words', () => {
  it('is its caption, or else its name, or else its number', () => {
    expect(labelOf({ ...picture, caption: 'a cat asleep' })).toBe('a cat asleep');
    expect(labelOf(picture)).toBe('tabby.jpg');
    expect(nameOf({ ...picture, meta: {} })).toBe('picture 17');
  });

  it('tells the facts that are known', () => {
    expect(factsOf(picture)).toEqual(['animals', '5,120 × 341', '51 kB', 'score 0.313']);
    expect(factsOf({ ...picture, score: null, meta: { folder: 3 } })).toEqual(['5,120 × 341']);
  });
});

it('announces what was found', () => {
  expect(announcementOf('two dogs', 1200, 0)).toBe('1,200 pictures for two dogs, best first.');
  expect(announcementOf('', 1, 1)).toBe('1 picture in the library. 1 near-duplicate shown beside.');
});

it('says how the list ends', () => {
  expect(endOf(1, 1, 1000)).toBe('That is all: 1 picture.');
  expect(endOf(1000, 2500, 1000)).toContain('The first 1,000 of 2,500 pictures.');
});
