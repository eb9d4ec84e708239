import { expect, it } from 'vitest';
import { samplePicture } from '../testing/samples';
import { exportText, MAX_ARCHIVED, picturePath, zipPath } from './exportSelection';

const picture = samplePicture({
  id: 7,
  score: 0.25,
  width: 40,
  height: 30,
  caption: 'a "red" door, open',
  meta: { name: 'door.jpg', folder: 'a/b', year: 2023 },
});

it('returns folder and name, or the web URL', () => {
  expect(picturePath(picture)).toBe('a/b/door.jpg');
  expect(picturePath({ ...picture, meta: { name: 'x.png', folder: '' } })).toBe('x.png');
  expect(picturePath({ ...picture, url: 'https://there/x.jpg' })).toBe('https://there/x.jpg');
});

it('exports paths, CSV and JSON', () => {
  expect(exportText([picture], 'paths')).toBe('a/b/door.jpg\n');
  expect(exportText([picture], 'csv')).toBe(
    'id,path,width,height,caption,score\r\n7,a/b/door.jpg,40,30,"a ""red"" door, open",0.25\r\n',
  );
  expect(JSON.parse(exportText([picture], 'json'))).toMatchObject([
    { id: 7, path: 'a/b/door.jpg', meta: { year: 2023 } },
  ]);
});

it('escapes formulas for spreadsheets', () => {
  expect(exportText([{ ...picture, caption: '=1+1' }], 'csv')).toContain(",'=1+1,");
});

it('names the pictures of an archive that the server has, up to its limit', () => {
  expect(zipPath([picture, { ...picture, id: 8 }])).toBe('/api/zip?ids=7,8');
  expect(zipPath([{ ...picture, url: 'https://there/x.jpg' }])).toBeNull();
  const many = Array.from({ length: 300 }, (_, id) => ({ ...picture, id }));
  expect(zipPath(many)!.split(',')).toHaveLength(MAX_ARCHIVED);
});
