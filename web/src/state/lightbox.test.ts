import { expect, it } from 'vitest';
import type { Picture, ResultPage } from '../lib/api';
import { LightboxState } from './lightbox.svelte';

const picture = (id: number) => ({ id }) as Picture;
const results = [0, 1, 2].map(picture);

const byIds = async (ids: readonly number[]) => {
  return { pictures: ids.filter((id) => id < 99).map(picture) } as unknown as ResultPage;
};

function begin(similar: (id: number) => Promise<Picture[]>) {
  const loadSimilar = async (id: number) => ({ pictures: await similar(id) }) as unknown as ResultPage;
  return new LightboxState({ similar: loadSimilar, byIds }, () => results);
}

const settled = () => new Promise((done) => setTimeout(done));

it('keeps its index in the results while a similar picture is open', async () => {
  const lightbox = begin(async (id) => [picture(id), picture(70)]);
  lightbox.open(1);
  await settled();
  expect(lightbox.similar.map(({ id }) => id)).toEqual([70]);
  lightbox.open(70);
  expect(lightbox.picture?.id).toBe(70);
  expect(lightbox.index).toBe(1);
  expect([lightbox.neighbour(-1)?.id, lightbox.neighbour(1)?.id]).toEqual([0, 2]);
});

it('has no neighbour beyond the ends, nor when it is closed', () => {
  const lightbox = begin(async () => []);
  lightbox.open(0);
  expect(lightbox.neighbour(-1)).toBeNull();
  lightbox.close();
  expect(lightbox).toMatchObject({ picture: null, index: -1, similar: [] });
  expect(lightbox.neighbour(1)).toBeNull();
});

it('opens without similar pictures, and never shows those of another picture', async () => {
  const lightbox = begin((id) =>
    id === 0 ? Promise.resolve([picture(9)]) : Promise.reject(new Error('down')),
  );
  lightbox.open(0);
  lightbox.open(1);
  await settled();
  expect(lightbox).toMatchObject({ picture: results[1], similar: [] });
});

it('opens a picture of the library that is not among the results', async () => {
  const lightbox = begin(async () => []);
  expect(await lightbox.openById(50)).toBe(true);
  expect(lightbox).toMatchObject({ picture: { id: 50 }, index: -1 });
  expect(await lightbox.openById(99)).toBe(false);
  expect(lightbox.picture).toBeNull();
  expect(await lightbox.openById(2)).toBe(true);
  expect(lightbox.index).toBe(2);
});
