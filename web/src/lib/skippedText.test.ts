import { expect, it } from 'vitest';
import { formatCounts } from './skippedText';

it('lists counts by kind', () => {
  expect(formatCounts({ raw: 3, linked_folder: 1200, video: 0, other: 'x' })).toBe(
    '3 raw, 1,200 linked folder',
  );
  expect(formatCounts({})).toBe('');
});
