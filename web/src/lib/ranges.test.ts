import { describe, expect, it } from 'vitest';
import { rangeFilter, rangeOf, safeFilter, thresholdOf, unsafeColumn, withRange } from './ranges';

describe('a range', () => {
  it.each([
    ['width:>=1000', { low: '1000', high: '' }],
    ['width:<=2000', { low: '', high: '2000' }],
    ['width:1000..2000', { low: '1000', high: '2000' }],
    ['width:-5..2.5', { low: '-5', high: '2.5' }],
    ['width:2024-01-02..2024-05-06', { low: '2024-01-02', high: '2024-05-06' }],
  ])('is parsed and written: %s', (filter, ends) => {
    expect(rangeOf(filter, 'width')).toEqual(ends);
    expect(rangeFilter('width', ends)).toBe(filter);
  });

  it.each(['width:1000', 'height:>=1', 'width:>1000', 'width:1,2', '-width:>=1', 'widths:>=1'])(
    'is not %s',
    (filter) => expect(rangeOf(filter, 'width')).toBeNull(),
  );

  it('replaces the range of its column only, and goes when both ends are open', () => {
    const filters = ['width:>=5', 'year:2020', 'height:<=3'];
    expect(withRange(filters, 'width', { low: '', high: '9' })).toEqual([
      'year:2020',
      'height:<=3',
      'width:<=9',
    ]);
    expect(withRange(filters, 'width', { low: '', high: '' })).toEqual(['year:2020', 'height:<=3']);
  });
});

describe('the safe mode', () => {
  const range = (name: string, kind = 'number') => ({ name, kind, minimum: 0, maximum: 1 });

  it.each(['punsafe', 'p_unsafe', 'NSFW', 'nsfw_score', 'unsafe', 'nsfw_probability'])(
    'uses a score named %s',
    (name) => expect(unsafeColumn([range('width'), range(name)])?.name).toBe(name),
  );

  it.each(['safety', 'safe', 'aesthetic', 'unsafely', 'sfw'])('does not take %s for one', (name) => {
    expect(unsafeColumn([range(name)])).toBeNull();
    expect(unsafeColumn([range('punsafe', 'date')])).toBeNull();
  });

  it('has its threshold in the filter', () => {
    expect(safeFilter('punsafe', 0.35)).toBe('punsafe:<0.35');
    expect(thresholdOf(safeFilter('punsafe', 0.35))).toBe(0.35);
    expect(thresholdOf('')).toBeNull();
  });
});
