import { expect, it } from 'vitest';
import { columnLabel, searchedValue, valueLabel } from './filterChoices';

it('names the standard columns, and keeps the names of the user', () => {
  expect([columnLabel('kind'), columnLabel('month'), columnLabel('licence')]).toEqual([
    'File type',
    'Month',
    'licence',
  ]);
});

it('writes months out', () => {
  expect(valueLabel('month', '2024-06')).toBe('June 2024');
  expect(valueLabel('date', '2024')).toBe('2024');
  expect(valueLabel('licence', '2024-06')).toBe('2024-06');
});

it('searches values for the words that are not in the label', () => {
  expect(searchedValue('Camera', 'camera x100')).toBe('x100');
  expect(searchedValue('Camera', ' CAM ')).toBe('');
  expect(searchedValue('Folder', 'red Gate')).toBe('red gate');
});
