import { expect, it } from 'vitest';
import { uploadSize } from './uploadResize';

it.each([
  [4000, 3000, 512, 384],
  [300, 200, 300, 200],
  [10_000, 100, 1152, 12],
  [1, 9000, 1, 1152],
])('uploads %d × %d as %d × %d', (width, height, uploadWidth, uploadHeight) => {
  expect(uploadSize({ width, height })).toEqual({ width: uploadWidth, height: uploadHeight });
});
