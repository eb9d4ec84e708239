import { expect, it } from 'vitest';
import { samplePicture } from '../testing/samples';
import { monthSections } from './months';

const dated = (meta: Record<string, unknown>) => samplePicture({ meta });

it('begins a section with each month, and one for pictures without a date', () => {
  const pictures = [
    dated({ taken: '2023-06-12T16:54:10+00:00', modified: '2024-01-01T00:00:00+00:00' }),
    dated({ taken: '2023-06-01T00:00:00+00:00' }),
    dated({ taken: null, modified: '2023-05-31T00:00:00+00:00' }),
    dated({}),
  ];
  expect(monthSections(pictures)).toEqual([
    { index: 0, label: 'June 2023' },
    { index: 2, label: 'May 2023' },
    { index: 3, label: 'No date' },
  ]);
});

it('has no sections without any date', () => {
  expect(monthSections([dated({}), dated({})])).toEqual([]);
  expect(monthSections([])).toEqual([]);
});
