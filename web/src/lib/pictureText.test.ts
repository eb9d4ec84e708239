import { expect, it } from 'vitest';
import { samplePicture } from '../testing/samples';
import { pictureLabel, pictureName, whyText } from './pictureText';

const picture = samplePicture({
  id: 17,
  score: 0.3125,
  width: 5120,
  height: 341,
  meta: { name: 'IMG_17.jpg', folder: 'Grandma', size_bytes: 51_234 },
});
const photo = { ...picture, meta: { ...picture.meta, taken: '2023-06-12T16:54:10+00:00', camera: 'Apple' } };

it('is labelled by its caption, title, day or name, or id', () => {
  expect(pictureLabel({ ...photo, caption: 'a cat asleep' })).toBe('a cat asleep');
  expect(pictureLabel({ ...photo, meta: { ...photo.meta, title: 'Cats' } })).toBe('Cats');
  expect(pictureLabel(photo)).toBe('Photo, 12 June 2023, 16:54, Grandma');
  expect(pictureLabel(picture)).toBe('IMG_17.jpg');
  expect(pictureName({ ...picture, meta: {} })).toBe('picture 17');
});

it('says why a picture was found', () => {
  expect(whyText({ ...picture, why: ['folder name', 'caption'] })).toBe('in the folder name, caption');
  expect(whyText(picture)).toBe('');
});
