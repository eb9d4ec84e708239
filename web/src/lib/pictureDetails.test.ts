import { expect, it } from 'vitest';
import { samplePicture } from '../testing/samples';
import { pictureDetails, pictureFacts } from './pictureDetails';

const picture = samplePicture({
  id: 17,
  score: 0.3125,
  width: 5120,
  height: 341,
  meta: { name: 'IMG_17.jpg', folder: 'Grandma', size_bytes: 51_234 },
});
const photo = { ...picture, meta: { ...picture.meta, taken: '2023-06-12T16:54:10+00:00', camera: 'Apple' } };

it('keeps technical details for later, and the score for captions', () => {
  const meta = {
    ...photo.meta,
    kind: 'jpeg',
    tags: ['a', 'b'],
    latitude: -1.5,
    longitude: 2.25,
    f_number: 2.8,
    punsafe: 0.98571428,
    place: 'Paris',
    country: 'France',
  };
  expect(pictureDetails({ ...photo, meta }, true)).toEqual([
    ['Name', 'IMG_17.jpg'],
    ['Place', 'Paris, France'],
    ['Coordinates', '1.5000° S, 2.2500° E'],
    ['Size', '5,120 × 341'],
    ['File size', '51 kB'],
    ['File type', 'jpeg'],
    ['Tags', 'a, b'],
    ['F number', '2.8'],
    ['Punsafe', '0.986'],
    ['Score', '0.31'],
  ]);
  expect(pictureDetails(samplePicture({ width: 0, score: 1, meta: { note: null } }), false)).toEqual([
    ['Name', 'picture 7'],
  ]);
});

it('says first when, where and with which camera', () => {
  expect(pictureFacts(photo)).toEqual(['12 June 2023, 16:54', 'Grandma', 'Apple']);
  const meta = { ...photo.meta, place: 'Paris', country: 'France' };
  expect(pictureFacts({ ...photo, meta })[1]).toBe('Paris, France');
  expect(pictureFacts({ ...picture, meta: { folder: 3, taken: null } })).toEqual([]);
});
