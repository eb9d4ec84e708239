import { expect, it } from 'vitest';
import { urlFromText, urlTerm } from './imageInput';

it('tells a URL from words', () => {
  expect(urlFromText(' https://there/x.jpg\n')).toBe('https://there/x.jpg');
  expect(urlFromText('see https://there/x.jpg')).toBeNull();
  expect(urlFromText('file:///etc/passwd')).toBeNull();
});

it('turns a URL into a term', () => {
  expect(urlTerm('https://there/x.jpg')).toMatchObject({
    kind: 'image_url',
    value: 'https://there/x.jpg',
    weight: 1,
  });
});
