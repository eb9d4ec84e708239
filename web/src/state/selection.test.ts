import { expect, it } from 'vitest';
import type { Picture } from '../lib/api';
import { SelectionState } from './selection.svelte';

const picture = (id: number) => ({ id }) as Picture;

it('adds and removes pictures, in the order of selection', () => {
  const selection = new SelectionState(() => [1, 2, 3].map(picture));
  for (const id of [3, 1, 2, 1]) selection.toggle(id);
  expect(selection.pictures.map(({ id }) => id)).toEqual([3, 2]);
  selection.clear();
  expect(selection.pictures).toEqual([]);
});

it('keeps a selected picture when other results are shown', () => {
  let results = [picture(1)];
  const selection = new SelectionState(() => results);
  selection.toggle(1);
  expect(selection.pictures).toHaveLength(1);
  results = [picture(2)];
  selection.toggle(2);
  expect(selection.pictures.map(({ id }) => id)).toEqual([1, 2]);
});

it('toggles an id', () => {
  const selection = new SelectionState(() => []);
  for (const id of [1, 2, 1]) selection.toggle(id);
  expect([...selection.ids]).toEqual([2]);
});

it('selects pictures that are no results', () => {
  const selection = new SelectionState(() => [picture(1)]);
  selection.toggle(1);
  selection.add([picture(7), picture(8)]);
  expect(selection.pictures.map(({ id }) => id)).toEqual([1, 7, 8]);
});
