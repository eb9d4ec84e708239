import { expect, it } from 'vitest';
import { ZoomState } from './zoom.svelte';

const frame = { picture: { width: 400, height: 300 }, viewport: { width: 400, height: 300 } };
const begin = () => new ZoomState(() => frame);
const point = (x: number, y = 0) => ({ x, y });

function tap(zoom: ZoomState, x: number, ms: number) {
  zoom.pointerDown(1, point(x));
  zoom.pointerUp(1, point(x), ms);
}

it('enlarges the spot of a double tap, and shows the whole picture by the next', () => {
  const zoom = begin();
  tap(zoom, 40, 0);
  expect(zoom.isZoomed).toBe(false);
  tap(zoom, 42, 200);
  expect(zoom.zoom).toEqual({ scale: 2.5, x: -63, y: 0 });
  expect(zoom.takesClick).toBe(true);
  tap(zoom, 0, 1000);
  tap(zoom, 0, 1100);
  expect(zoom.isZoomed).toBe(false);
});

it.each([
  [0, 400],
  [90, 200],
])('takes taps %d px and %d ms apart as two', (x, ms) => {
  const zoom = begin();
  tap(zoom, 0, 0);
  tap(zoom, x, ms);
  expect(zoom.isZoomed).toBe(false);
});

it('pinches with two fingers and drags with one', () => {
  const zoom = begin();
  zoom.pointerDown(1, point(-50));
  zoom.pointerDown(2, point(50));
  zoom.pointerMove(2, point(150));
  expect(zoom.zoom).toEqual({ scale: 2, x: 50, y: 0 });
  zoom.pointerUp(1, point(-50), 0);
  zoom.pointerMove(2, point(110));
  expect(zoom.zoom).toEqual({ scale: 2, x: 10, y: 0 });
  zoom.pointerUp(2, point(110), 1);
  expect([zoom.isDragging, zoom.takesClick]).toEqual([false, true]);
  tap(zoom, 0, 2);
  expect(zoom.takesClick).toBe(false);
});

it('does not drag a whole picture', () => {
  const zoom = begin();
  zoom.pointerDown(1, point(0));
  zoom.pointerMove(1, point(90));
  expect(zoom.zoom).toEqual({ scale: 1, x: 0, y: 0 });
});

it('zooms, moves and turns by keys', () => {
  const zoom = begin();
  expect(zoom.pan('ArrowLeft')).toBe('ignored');
  zoom.zoomIn();
  zoom.zoomIn();
  zoom.pan('ArrowRight');
  expect(zoom.zoom).toEqual({ scale: 2.25, x: -80, y: 0 });
  zoom.zoomOut();
  expect(zoom.zoom.scale).toBe(1.5);
  zoom.rotate();
  expect([zoom.isZoomed, zoom.isSideways]).toEqual([false, true]);
  zoom.wheel(-300, point(0));
  expect(zoom.zoom.scale).toBeCloseTo(Math.E);
  zoom.reset();
  expect([zoom.zoom.scale, zoom.turns]).toEqual([1, 0]);
});
