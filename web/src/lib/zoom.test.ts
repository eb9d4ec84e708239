import { expect, it } from 'vitest';
import { MAX_ZOOM, panned, UNZOOMED, zoomedBy } from './zoom';

const frame = { picture: { width: 400, height: 200 }, viewport: { width: 400, height: 300 } };

it('keeps the spot below the pointer', () => {
  expect(zoomedBy(UNZOOMED, 2, { x: 100, y: 0 }, frame)).toEqual({ scale: 2, x: -100, y: 0 });
});

it('stays between the whole picture and the maximum', () => {
  expect(zoomedBy(UNZOOMED, 0.5, { x: 10, y: 10 }, frame)).toEqual(UNZOOMED);
  expect(zoomedBy(UNZOOMED, 99, { x: 0, y: 0 }, frame).scale).toBe(MAX_ZOOM);
});

it('moves up to the edges of the picture', () => {
  const zoom = { scale: 2, x: 0, y: 0 };
  expect(panned(zoom, { x: 50, y: -20 }, frame)).toEqual({ scale: 2, x: 50, y: -20 });
  expect(panned(zoom, { x: 900, y: -900 }, frame)).toEqual({ scale: 2, x: 200, y: -50 });
  expect(panned(UNZOOMED, { x: 9, y: 9 }, frame)).toEqual(UNZOOMED);
});
