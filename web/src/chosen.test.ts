import { expect, it } from 'vitest';
import type { Picture } from './api';
import { exported, pathOf, toggled } from './chosen';

const picture: Picture = {
  id: 7,
  score: 0.25,
  url: '/api/image/7',
  width: 40,
  height: 30,
  color: '#000000',
  preview: '',
  caption: 'a "red" door, open',
  similar: [],
  meta: { name: 'door.jpg', folder: 'a/b', year: 2023 },
};

it('names a picture by its folder, or by its address', () => {
  expect(pathOf(picture)).toBe('a/b/door.jpg');
  expect(pathOf({ ...picture, meta: { name: 'x.png', folder: '' } })).toBe('x.png');
  expect(pathOf({ ...picture, url: 'https://there/x.jpg' })).toBe('https://there/x.jpg');
});

it('exports paths, csv and json', () => {
  expect(exported([picture], 'paths')).toBe('a/b/door.jpg\n');
  expect(exported([picture], 'csv')).toBe(
    'id,path,width,height,caption,score\r\n7,a/b/door.jpg,40,30,"a ""red"" door, open",0.25\r\n',
  );
  expect(JSON.parse(exported([picture], 'json'))).toMatchObject([
    { id: 7, path: 'a/b/door.jpg', meta: { year: 2023 } },
  ]);
});

it('gives a spreadsheet no formula to run', () => {
  expect(exported([{ ...picture, caption: '=1+1' }], 'csv')).toContain(",'=1+1,");
});

it('chooses and lets go', () => {
  expect([...toggled(toggled(new Set([1]), 2), 1)]).toEqual([2]);
});
