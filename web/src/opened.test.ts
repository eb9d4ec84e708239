import { expect, it } from 'vitest';
import type { Answer, Picture } from './api';
import { Opened } from './opened.svelte';

const picture = (id: number) => ({ id }) as Picture;
const shown = [0, 1, 2].map(picture);

function begin(similar: (id: number) => Promise<Picture[]>) {
  const answered = async (id: number) => ({ pictures: await similar(id) }) as unknown as Answer;
  return new Opened({ similar: answered }, () => shown);
}

const settled = () => new Promise((done) => setTimeout(done));

it('has a place among those shown, which a neighbour of it keeps', async () => {
  const opened = begin(async (id) => [picture(id), picture(70)]);
  opened.open(1);
  await settled();
  expect(opened.neighbours.map(({ id }) => id)).toEqual([70]);
  opened.open(70);
  expect(opened.picture?.id).toBe(70);
  expect(opened.place).toBe(1);
  expect([opened.beside(-1)?.id, opened.beside(1)?.id]).toEqual([0, 2]);
});

it('has nothing beyond the ends, nor beside it once it is closed', () => {
  const opened = begin(async () => []);
  opened.open(0);
  expect(opened.beside(-1)).toBeNull();
  opened.close();
  expect(opened).toMatchObject({ picture: null, place: -1, neighbours: [] });
  expect(opened.beside(1)).toBeNull();
});

it('stays without neighbours, and never shows those of another picture', async () => {
  const opened = begin((id) =>
    id === 0 ? Promise.resolve([picture(9)]) : Promise.reject(new Error('down')),
  );
  opened.open(0);
  opened.open(1);
  await settled();
  expect(opened).toMatchObject({ picture: shown[1], neighbours: [] });
});
