/** Width and height, in pixels of any kind. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A rectangle of the page, in whole CSS pixels. */
export interface Box extends Size {
  readonly x: number;
  readonly y: number;
}

export interface Layout {
  /** One box for each item, in the order of the items. */
  readonly boxes: readonly Box[];
  /** Height of all rows together. */
  readonly height: number;
  /** Number of items in full rows: their boxes stay the same if items are appended. */
  readonly stableCount: number;
}

/** A break between two rows, with a space for a divider. */
export interface SectionBreak {
  /** Index of the first item after the break. */
  readonly index: number;
  /** Height of the space, px. */
  readonly space: number;
}

/** Tiles crop pictures beyond these aspect ratios, so that a panorama is not a thin line and a tower not a page high. */
export const MIN_ASPECT = 0.45;
export const MAX_ASPECT = 3.6;

/**
 * Lay out items in justified rows with heights near `targetHeight`.
 *
 * Every full row fills `width` exactly, in whole pixels; the last row has `targetHeight` and is not
 * stretched. Rows are filled greedily from the front, so appended items never move an item of a full row.
 * At each of `breaks`, which are in rising order, a new row begins after a space.
 */
export function layout(
  items: readonly Size[],
  width: number,
  targetHeight: number,
  gap: number,
  breaks: readonly SectionBreak[] = [],
): Layout {
  const rowWidth = Math.floor(width);
  if (rowWidth < 1) return { boxes: [], height: 0, stableCount: 0 };
  const aspects = items.map(aspectRatio);
  const boxes: Box[] = [];
  let stableCount = 0;
  let y = 0;
  while (boxes.length < aspects.length) {
    const start = boxes.length;
    const limit = nextBreak(breaks, start) ?? aspects.length;
    y += spaceAt(breaks, start);
    const end = rowEnd(aspects.slice(0, limit), start, rowWidth, targetHeight, gap);
    const row = placeRow(aspects.slice(start, end ?? limit), y, rowWidth, end ? null : targetHeight, gap);
    boxes.push(...row);
    y += row[0]!.height + gap;
    if (end ?? limit < aspects.length) stableCount = end ?? limit;
  }
  return { boxes, height: Math.max(0, y - gap), stableCount };
}

function nextBreak(breaks: readonly SectionBreak[], start: number): number | undefined {
  return breaks.find(({ index }) => index > start)?.index;
}

function spaceAt(breaks: readonly SectionBreak[], start: number): number {
  return breaks.find(({ index }) => index === start)?.space ?? 0;
}

/** Return width / height as the tile shows it: clamped, and 1 for a missing or invalid size. */
export function aspectRatio({ width, height }: Size): number {
  const aspect = width / height;
  if (!(aspect > 0 && Number.isFinite(aspect))) return 1;
  return Math.min(MAX_ASPECT, Math.max(MIN_ASPECT, aspect));
}

/** Return the target height of a row on a page of this width. */
export function rowHeight(pageWidth: number, isPreviewOnly = false): number {
  // Previews are too small for large tiles, so they get smaller ones.
  if (isPreviewOnly) return Math.round(Math.min(190, Math.max(96, 80 + pageWidth * 0.055)));
  return Math.round(Math.min(300, Math.max(120, 92 + pageWidth * 0.1)));
}

/** Return the gap between tiles on a page of this width. */
export function tileGap(pageWidth: number): number {
  return pageWidth < 640 ? 4 : 8;
}

/** Return the largest size with the item's aspect ratio inside `bounds`, enlarged at most `maxScale` times. */
export function fit(item: Size, bounds: Size, maxScale: number): Size {
  const width = Math.max(1, item.width);
  const height = Math.max(1, item.height);
  const scale = Math.max(0, Math.min(bounds.width / width, bounds.height / height, maxScale));
  return { width: Math.round(width * scale), height: Math.round(height * scale) };
}

/** Return the index after the last item of the row that begins at `start`; null if the items do not fill it. */
function rowEnd(
  aspects: readonly number[],
  start: number,
  rowWidth: number,
  target: number,
  gap: number,
): number | null {
  let sum = 0;
  let previousHeight = Infinity;
  for (let end = start; end < aspects.length; end++) {
    sum += aspects[end]!;
    const height = (rowWidth - gap * (end - start)) / sum;
    if (height <= target) return end > start && isNearer(previousHeight, height, target) ? end : end + 1;
    previousHeight = height;
  }
  return null;
}

/** Whether the row without its newest item is nearer to the target, by ratio, than the row with it. */
function isNearer(without: number, withIt: number, target: number): boolean {
  return withIt <= 0 || without / target < target / withIt;
}

/** Return the boxes of one row: exactly `rowWidth` wide if `height` is null, otherwise of that height. */
function placeRow(
  aspects: readonly number[],
  y: number,
  rowWidth: number,
  height: number | null,
  gap: number,
): Box[] {
  const sum = aspects.reduce((total, aspect) => total + aspect, 0);
  const filled = Math.max(aspects.length, rowWidth - gap * (aspects.length - 1));
  const width = height === null ? filled : Math.min(filled, Math.round(height * sum));
  const boxHeight = Math.max(1, Math.round(height ?? filled / sum));
  let passed = 0;
  // Rounding the edges instead of the widths makes the errors cancel, so the last edge is exact.
  return aspects.map((aspect, i) => {
    const left = Math.round((width * passed) / sum);
    passed += aspect;
    const right = i === aspects.length - 1 ? width : Math.round((width * passed) / sum);
    return { x: left + gap * i, y, width: Math.max(1, right - left), height: boxHeight };
  });
}
