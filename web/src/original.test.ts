import { expect, it } from 'vitest';
import { coveringWidth, previewBlur, resizedUrl, widthStep } from './original';

it.each([
  [1, 320],
  [320, 320],
  [321, 480],
  [900, 960],
  [3840, 3840],
  [99_999, 3840],
])('rounds %d px up to the step %d', (widthPx, step) => {
  expect(widthStep(widthPx)).toBe(step);
});

it('asks for device pixels', () => {
  expect(coveringWidth({ width: 400, height: 300 }, { width: 200, height: 150 }, 2)).toBe(400);
});

it('asks for more than the tile is wide where the tile crops a panorama', () => {
  expect(coveringWidth({ width: 10_000, height: 1000 }, { width: 360, height: 100 }, 1)).toBe(1000);
});

it('falls back to the width of the tile for a picture without height', () => {
  expect(coveringWidth({ width: 1, height: 0 }, { width: 200, height: 200 }, 1)).toBe(200);
});

it('writes the address of a resized original', () => {
  expect(resizedUrl('/api/image/17', 500)).toBe('/api/image/17?w=640');
  expect(resizedUrl('/api/image/17?v=3f', 500)).toBe('/api/image/17?v=3f&w=640');
});

it('blurs a preview the more, the more it is enlarged', () => {
  expect(previewBlur({ width: 68, height: 50 })).toBe(0.5);
  expect(previewBlur({ width: 340, height: 200 })).toBe(2.5);
});
