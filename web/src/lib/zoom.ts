import type { Size } from './layout';
import type { Point } from './navigation';

/** How an opened picture is enlarged: scale, and the offset of its centre from that of the viewport, CSS px. */
export interface Zoom extends Point {
  readonly scale: number;
}

export const UNZOOMED: Zoom = { scale: 1, x: 0, y: 0 };
export const MAX_ZOOM = 8;

/** The picture as it is shown without zoom, and what it is shown in. */
export interface Frame {
  readonly picture: Size;
  readonly viewport: Size;
}

/** Enlarge by `factor`; the spot below `point` (relative to the centre of the viewport) stays where it is. */
export function zoomedBy(zoom: Zoom, factor: number, point: Point, frame: Frame): Zoom {
  const scale = Math.min(MAX_ZOOM, Math.max(1, zoom.scale * factor));
  const ratio = scale / zoom.scale;
  const x = point.x - (point.x - zoom.x) * ratio;
  const y = point.y - (point.y - zoom.y) * ratio;
  return inside({ scale, x, y }, frame);
}

/** Move the enlarged picture. Its edge never leaves an empty space that the picture could fill. */
export function panned(zoom: Zoom, by: Point, frame: Frame): Zoom {
  return inside({ ...zoom, x: zoom.x + by.x, y: zoom.y + by.y }, frame);
}

function inside(zoom: Zoom, { picture, viewport }: Frame): Zoom {
  const clamp = (value: number, size: number, space: number) => {
    const limit = Math.max(0, (size * zoom.scale - space) / 2);
    return Math.min(limit, Math.max(-limit, value)) + 0; // no -0
  };
  return {
    scale: zoom.scale,
    x: clamp(zoom.x, picture.width, viewport.width),
    y: clamp(zoom.y, picture.height, viewport.height),
  };
}
