import { expect, it } from 'vitest';
import { samplePicture } from '../testing/samples';
import { isWebUrl, sourceUrl } from './sourceLinks';

it.each([
  'javascript:alert(1)',
  'JavaScript:alert(1)//http://a.b',
  ' https://a.example',
  'data:text/html,x',
  'file:///etc/passwd',
  '//a.example/b',
  'https://a.example/"onclick="x',
  'https://a.example/<script>',
  'https://',
  7,
  null,
  ['https://a.example'],
])('makes no link of %j', (value) => {
  expect(isWebUrl(value)).toBe(false);
  expect(sourceUrl(samplePicture({ meta: { source: value } }))).toBeNull();
});

it('links the page before the file', () => {
  const picture = samplePicture({
    url: 'https://files.example/1.jpg',
    meta: { url: 'https://files.example/1.jpg', page_url: 'https://pages.example/1' },
  });
  expect(sourceUrl(picture)).toBe('https://pages.example/1');
  expect(sourceUrl({ ...picture, meta: {} })).toBe('https://files.example/1.jpg');
  expect(sourceUrl(samplePicture())).toBeNull();
});
