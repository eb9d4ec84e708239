import { expect, it } from 'vitest';
import type { Picture } from './api';
import { Selection } from './selection.svelte';

const picture = (id: number) => ({ id }) as Picture;

it('takes pictures in and lets them go, in the order of choosing', () => {
  const selection = new Selection(() => [1, 2, 3].map(picture));
  for (const id of [3, 1, 2, 1]) selection.toggle(id);
  expect(selection.pictures.map(({ id }) => id)).toEqual([3, 2]);
  selection.clear();
  expect(selection.pictures).toEqual([]);
});

it('knows a chosen picture after others are shown', () => {
  let shown = [picture(1)];
  const selection = new Selection(() => shown);
  selection.toggle(1);
  expect(selection.pictures).toHaveLength(1);
  shown = [picture(2)];
  selection.toggle(2);
  expect(selection.pictures.map(({ id }) => id)).toEqual([1, 2]);
});
