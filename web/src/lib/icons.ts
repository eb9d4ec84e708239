/** Icons of parts that are loaded when they are used: SVG paths on a 24 × 24 grid, for `IconButton`. */
export const CLOSE = 'm6 6 12 12M18 6 6 18';
export const PREVIOUS = 'm15 5-7 7 7 7';
export const NEXT = 'm9 5 7 7-7 7';
export const ZOOM_IN = 'M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5l5 5M7.5 10.5h6M10.5 7.5v6';
export const ZOOM_OUT = 'M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5l5 5M7.5 10.5h6';
export const ROTATE = 'M20 12a8 8 0 1 1-2.6-5.9L20 8.5M20 4v4.5h-4.5';
