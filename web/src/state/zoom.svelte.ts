import type { Size } from '../lib/layout';
import type { Point } from '../lib/navigation';
import { panned, UNZOOMED, zoomedBy, type Frame, type Zoom } from '../lib/zoom';

/** Enlargement of a double tap. */
const TAP_ZOOM = 2.5;
/** Enlargement of one key press or click on a button. */
const STEP_ZOOM = 1.5;
/** Movement of one key press, CSS px. */
const STEP_PX = 80;
/** A pointer that moves further drags; it does not click. */
const DRAG_PX = 6;
/** Maximum time between the two taps of a double tap, and maximum distance. */
const DOUBLE_TAP_MS = 300;
const DOUBLE_TAP_PX = 30;

const CENTRE: Point = { x: 0, y: 0 };
const PAN_STEPS: Record<string, Point> = {
  ArrowLeft: { x: STEP_PX, y: 0 },
  ArrowRight: { x: -STEP_PX, y: 0 },
  ArrowUp: { x: 0, y: STEP_PX },
  ArrowDown: { x: 0, y: -STEP_PX },
};

/** Enlargement and rotation of the opened picture. Points are relative to the centre of the viewport, CSS px. */
export class ZoomState {
  zoom = $state.raw<Zoom>(UNZOOMED);
  /** Quarter turns clockwise; not limited to 3, so that a turn is shown in its own direction. */
  turns = $state(0);
  /** A pointer drags: the picture follows it without a transition. */
  isDragging = $state(false);

  readonly #frame: () => Frame;
  readonly #pointers = new Map<number, Point>();
  #hasMoved = false;
  #downAt: Point = CENTRE;
  #lastTap: { readonly at: Point; readonly ms: number } | null = null;

  /** `frame`: the picture, rotated, as it is shown without zoom, and its viewport. */
  constructor(frame: () => Frame) {
    this.#frame = frame;
  }

  get isZoomed(): boolean {
    return this.zoom.scale > 1;
  }

  /** The picture lies on its side. */
  get isSideways(): boolean {
    return this.turns % 2 !== 0;
  }

  /** Show another picture: whole and upright. */
  reset(): void {
    this.zoom = UNZOOMED;
    this.turns = 0;
    this.#pointers.clear();
    this.#lastTap = null;
    this.isDragging = false;
  }

  rotate(): void {
    this.turns += 1;
    this.zoom = UNZOOMED;
  }

  zoomIn(): void {
    this.#zoomBy(STEP_ZOOM, CENTRE);
  }

  zoomOut(): void {
    this.#zoomBy(1 / STEP_ZOOM, CENTRE);
  }

  zoomToWhole(): void {
    this.zoom = UNZOOMED;
  }

  /** Move the enlarged picture by an arrow key. */
  pan(key: string): 'ignored' | undefined {
    if (!this.isZoomed) return 'ignored';
    this.zoom = panned(this.zoom, PAN_STEPS[key] ?? CENTRE, this.#frame());
  }

  /** Zoom by a mouse wheel, or by two fingers on a touch pad. */
  wheel(deltaPx: number, at: Point): void {
    this.#zoomBy(Math.exp(-deltaPx / 300), at);
  }

  pointerDown(id: number, at: Point): void {
    if (this.#pointers.size === 0) {
      this.#hasMoved = false;
      this.#downAt = at;
    }
    this.#pointers.set(id, at);
    if (this.#pointers.size > 1) this.#hasMoved = true;
  }

  pointerMove(id: number, at: Point): void {
    const before = this.#pointers.get(id);
    if (!before) return;
    if (distance(at, this.#downAt) > DRAG_PX) this.#hasMoved = true;
    const others = [...this.#pointers].filter(([other]) => other !== id).map(([, point]) => point);
    this.#pointers.set(id, at);
    if (others[0]) this.#pinch(before, at, others[0]);
    else if (this.isZoomed && this.#hasMoved) this.#drag(before, at);
  }

  /** End a touch; two short ones at one spot enlarge the picture there, or show it whole. */
  pointerUp(id: number, at: Point, ms: number): void {
    if (!this.#pointers.delete(id) || this.#pointers.size > 0) return;
    this.isDragging = false;
    if (this.#hasMoved) return void (this.#lastTap = null);
    const last = this.#lastTap;
    const isDouble = last && ms - last.ms < DOUBLE_TAP_MS && distance(at, last.at) < DOUBLE_TAP_PX;
    this.#lastTap = isDouble ? null : { at, ms };
    if (!isDouble) return;
    this.#hasMoved = true;
    if (this.isZoomed) this.zoomToWhole();
    else this.#zoomBy(TAP_ZOOM, at);
  }

  pointerCancel(id: number): void {
    this.#pointers.delete(id);
    this.isDragging = false;
  }

  /** The last pointer dragged, pinched or tapped twice: its click does nothing else. */
  get takesClick(): boolean {
    return this.#hasMoved;
  }

  #drag(before: Point, at: Point): void {
    this.isDragging = true;
    this.zoom = panned(this.zoom, { x: at.x - before.x, y: at.y - before.y }, this.#frame());
  }

  #pinch(before: Point, at: Point, other: Point): void {
    this.isDragging = true;
    const middle = { x: (before.x + other.x) / 2, y: (before.y + other.y) / 2 };
    const moved = { x: (at.x - before.x) / 2, y: (at.y - before.y) / 2 };
    this.#zoomBy(distance(at, other) / Math.max(1, distance(before, other)), middle);
    this.zoom = panned(this.zoom, moved, this.#frame());
  }

  #zoomBy(factor: number, at: Point): void {
    this.zoom = zoomedBy(this.zoom, factor, at, this.#frame());
  }
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

/** Return the size of a picture after a quarter turn, if it lies on its side. */
export function rotated({ width, height }: Size, isSideways: boolean): Size {
  return isSideways ? { width: height, height: width } : { width, height };
}
