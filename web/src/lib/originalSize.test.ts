import { expect, it } from 'vitest';
import { coveringWidth, previewBlur, previewWidth, resizedUrl, widthStep } from './originalSize';

it.each([
  [1, 320],
  [320, 320],
  [321, 480],
  [900, 960],
  [3840, 3840],
  [99_999, 3840],
])('rounds %d px up to step %d', (widthPx, step) => {
  expect(widthStep(widthPx)).toBe(step);
});

it('returns device pixels', () => {
  expect(coveringWidth({ width: 400, height: 300 }, { width: 200, height: 150 }, 2)).toBe(400);
});

it('returns more than the tile width if the tile crops a panorama', () => {
  expect(coveringWidth({ width: 10_000, height: 1000 }, { width: 360, height: 100 }, 1)).toBe(1000);
});

it('returns the tile width for a picture without height', () => {
  expect(coveringWidth({ width: 1, height: 0 }, { width: 200, height: 200 }, 1)).toBe(200);
});

it('adds the width to the URL of an original', () => {
  expect(resizedUrl('/api/image/17', 500)).toBe('/api/image/17?w=640');
  expect(resizedUrl('/api/image/17?v=3f', 500)).toBe('/api/image/17?v=3f&w=640');
});

// The first bytes of a lossy WebP of 140 x 64 pixels.
const PREVIEW = 'UklGRlYAAABXRUJQVlA4IEoAAABQBQCdASqMAEAA';

it('reads the width of a preview from its header', () => {
  expect(previewWidth(PREVIEW)).toBe(140);
});

it.each(['', 'UklGR', '***', btoa('RIFF....WEBPVP8L'.padEnd(30, 'x'))])(
  'assumes the default width for %j',
  (preview) => {
    expect(previewWidth(preview)).toBe(96);
  },
);

it('blurs a preview in proportion to its enlargement', () => {
  expect(previewBlur(PREVIEW, { width: 140, height: 64 })).toBe(0.5);
  expect(previewBlur(PREVIEW, { width: 700, height: 320 })).toBe(2.5);
});

it('does not change a web URL', () => {
  expect(resizedUrl('https://pictures.example/a.jpg', 300)).toBe('https://pictures.example/a.jpg');
});
