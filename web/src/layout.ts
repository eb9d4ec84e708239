/** Anything with a size, in pixels of its own. */
export interface Sized {
  readonly width: number;
  readonly height: number;
}

/** A place on the page, in whole CSS pixels. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Layout {
  /** One box for each item, in the order of the items. */
  readonly boxes: readonly Box[];
  /** Height of all rows together. */
  readonly height: number;
  /** How many items stand in full rows: these boxes stay where they are whatever is added after them. */
  readonly settled: number;
}

/** Where items of another sort begin. */
export interface Break {
  /** Index of the first of them. */
  readonly before: number;
  /** Height of the space above it, px. */
  readonly room: number;
}

/** Beyond these, a picture is cropped by its tile: a panorama must not become a thread, nor a mast fill a row. */
export const NARROWEST = 0.45;
export const WIDEST = 3.6;

/**
 * Lays items out in justified rows, as tall as `targetHeight` or nearly so.
 *
 * Every full row fills `width` exactly, in whole pixels; the last row keeps `targetHeight` and is not
 * stretched. Rows are closed from the front, so adding items never moves one that stands in a full row.
 * Before the item of `part` a row ends, however full, and a space follows.
 */
export function layout(
  items: readonly Sized[],
  width: number,
  targetHeight: number,
  gap: number,
  part: Break | null = null,
): Layout {
  const room = Math.floor(width);
  if (room < 1) return { boxes: [], height: 0, settled: 0 };
  const aspects = items.map(aspectOf);
  const boxes: Box[] = [];
  let settled = 0;
  let y = 0;
  while (boxes.length < aspects.length) {
    const start = boxes.length;
    const until = part && start < part.before ? part.before : aspects.length;
    if (part && start === part.before) y += part.room;
    const end = rowEnd(aspects.slice(0, until), start, room, targetHeight, gap);
    const row = placeRow(aspects.slice(start, end ?? until), y, room, end ? null : targetHeight, gap);
    boxes.push(...row);
    y += row[0]!.height + gap;
    if (end ?? until < aspects.length) settled = end ?? until;
  }
  return { boxes, height: Math.max(0, y - gap), settled };
}

/** Width over height as the tile shows it: within bounds, and 1 where a size is missing or senseless. */
export function aspectOf({ width, height }: Sized): number {
  const aspect = width / height;
  if (!(aspect > 0 && Number.isFinite(aspect))) return 1;
  return Math.min(WIDEST, Math.max(NARROWEST, aspect));
}

/** A comfortable height of a row on a page of this width. */
export function rowHeightFor(width: number, isSpeedy = false): number {
  // Previews by themselves are at their best in many small tiles.
  if (isSpeedy) return Math.round(Math.min(190, Math.max(96, 80 + width * 0.055)));
  return Math.round(Math.min(300, Math.max(120, 92 + width * 0.1)));
}

/** The gap between tiles on a page of this width. */
export function gapFor(width: number): number {
  return width < 640 ? 4 : 8;
}

/** The largest size of the item's shape in a room, enlarged at most `enlargement` times. */
export function fit(item: Sized, room: Sized, enlargement: number): Sized {
  const width = Math.max(1, item.width);
  const height = Math.max(1, item.height);
  const scale = Math.max(0, Math.min(room.width / width, room.height / height, enlargement));
  return { width: Math.round(width * scale), height: Math.round(height * scale) };
}

/** Index after the last item of the row that begins at `start`; null if the items do not fill a row. */
function rowEnd(
  aspects: readonly number[],
  start: number,
  room: number,
  target: number,
  gap: number,
): number | null {
  let sum = 0;
  let before = Infinity;
  for (let end = start; end < aspects.length; end++) {
    sum += aspects[end]!;
    const height = (room - gap * (end - start)) / sum;
    if (height <= target) return end > start && isNearer(before, height, target) ? end : end + 1;
    before = height;
  }
  return null;
}

/** Whether the row without its newest item is nearer to the target, by ratio, than the row with it. */
function isNearer(without: number, withIt: number, target: number): boolean {
  return withIt <= 0 || without / target < target / withIt;
}

/** Boxes of one row: filling the room exactly if `height` is null, else of that height. */
function placeRow(
  aspects: readonly number[],
  y: number,
  room: number,
  height: number | null,
  gap: number,
): Box[] {
  const sum = aspects.reduce((total, aspect) => total + aspect, 0);
  const filled = Math.max(aspects.length, room - gap * (aspects.length - 1));
  const width = height === null ? filled : Math.min(filled, Math.round(height * sum));
  const tall = Math.max(1, Math.round(height ?? filled / sum));
  let passed = 0;
  // Edges are rounded, not widths: the roundings cancel out and the last edge is the row's own.
  return aspects.map((aspect, i) => {
    const left = Math.round((width * passed) / sum);
    passed += aspect;
    const right = i === aspects.length - 1 ? width : Math.round((width * passed) / sum);
    return { x: left + gap * i, y, width: Math.max(1, right - left), height: tall };
  });
}
