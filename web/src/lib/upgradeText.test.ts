import { expect, it } from 'vitest';
import { sampleCost } from '../testing/samples';
import { costNotes, costText, formatLongTime, obstacle } from './upgradeText';

it.each([
  [0, 'about 1 minute'],
  [89, 'about 1 minute'],
  [720, 'about 12 minutes'],
  [5400, 'about 2 hours'],
])('formats %s seconds', (seconds, text) => {
  expect(formatLongTime(seconds)).toBe(text);
});

it('says what an upgrade costs', () => {
  expect(costText(sampleCost())).toBe(
    'CLIP understands sentences: 154 MB, about 12 minutes for your 1,404 pictures; searching goes on meanwhile.',
  );
  expect(costText(sampleCost({ download_bytes: 0 }))).toContain('sentences: about 12 minutes');
  expect(costText(sampleCost({ download_bytes: null }))).toContain('a download of unknown size');
  expect(costText(sampleCost({ embedded: 1403 }))).toContain('for your 1 picture;');
});

it('says what an upgrade goes on from, and which files are missing', () => {
  expect(costNotes(sampleCost())).toEqual([]);
  expect(costNotes(sampleCost({ missing: null }))).toEqual([]);
  const notes = costNotes(sampleCost({ embedded: 312, missing: 2 }));
  expect(notes[0]).toBe('312 of 1,404 pictures are done already.');
  expect(notes[1]).toContain('2 pictures without a file now');
});

it('says why an upgrade cannot start', () => {
  expect(obstacle(sampleCost())).toBeNull();
  expect(obstacle(sampleCost({ has_space: false, free_bytes: 100e6 }))).toBe(
    'It needs 760 MB of free disk space; 100 MB are free.',
  );
  expect(obstacle(sampleCost({ has_space: false, free_bytes: null }))).toBe(
    'It needs 760 MB of free disk space.',
  );
  expect(obstacle(sampleCost({ imported: 5 }))).toContain('5 imported vectors');
});
