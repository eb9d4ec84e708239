import { expect, it } from 'vitest';
import { isOnServer, serverUrl } from './serverUrl';

it.each([
  ['/api/image/7?v=1', 'http://here/sub/api/image/7?v=1'],
  ['/sub/api/image/7', 'http://here/sub/api/image/7'],
  ['https://there/a.jpg', 'https://there/a.jpg'],
])('leads from a page below a sub-path to %s', (path, url) => {
  expect(new URL(serverUrl(path), 'http://here/sub/?q=dog').href).toBe(url);
});

it('tells addresses of the server from others', () => {
  expect(['api/image/7', '/api/image/7', 'https://there/a.jpg'].map(isOnServer)).toEqual([true, true, false]);
});
