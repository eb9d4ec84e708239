import { expect, it } from 'vitest';
import { linkOf, shrunk, termOfLink } from './handed';

it.each([
  [4000, 3000, 512, 384],
  [300, 200, 300, 200],
  [10_000, 100, 1152, 12],
  [1, 9000, 1, 1152],
])('makes %d × %d into %d × %d', (width, height, newWidth, newHeight) => {
  expect(shrunk(width, height)).toEqual({ width: newWidth, height: newHeight });
});

it('knows an address from words', () => {
  expect(linkOf(' https://there/x.jpg\n')).toBe('https://there/x.jpg');
  expect(linkOf('see https://there/x.jpg')).toBeNull();
  expect(linkOf('file:///etc/passwd')).toBeNull();
});

it('makes an address a part of the question', () => {
  expect(termOfLink('https://there/x.jpg')).toMatchObject({
    kind: 'image_url',
    value: 'https://there/x.jpg',
    weight: 1,
  });
});
