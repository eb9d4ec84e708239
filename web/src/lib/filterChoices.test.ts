import { expect, it } from 'vitest';
import { matchingColumns } from './filterChoices';

const values = (...all: string[]) => all.map((value) => ({ value, count: 1 }));
const columns = [
  { name: 'date', operator: 'year', values: values('2023', '2024') },
  { name: 'folder', operator: 'in', values: values('Trip to Rome', 'Grandma') },
  { name: 'rating', operator: 'rating', values: values('5') },
];
const found = (searched: string) =>
  matchingColumns(columns, searched).map(({ label, values }) => [label, ...values.map(({ value }) => value)]);

it('names the standard columns', () => {
  expect(found('').map(([label]) => label)).toEqual(['Year', 'Folder', 'rating']);
});

it.each([
  ['rome TRIP', [['Folder', 'Trip to Rome']]],
  ['20', [['Year', '2023', '2024']]],
  ['folder', [['Folder', 'Trip to Rome', 'Grandma']]],
  ['xyz', []],
])('finds %s', (searched, expected) => {
  expect(found(searched)).toEqual(expected);
});
