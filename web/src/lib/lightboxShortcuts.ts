import { addShortcuts, type Shortcut } from './shortcuts';

/** The keyboard shortcuts of an opened picture. */
export const LIGHTBOX_SHORTCUTS = [
  ['lightbox', 'ArrowLeft ArrowRight ArrowUp ArrowDown', 'pan', 'Move the enlarged picture', true],
  ['lightbox', 'ArrowLeft', 'previous', 'Previous picture', false],
  ['lightbox', 'ArrowRight', 'next', 'Next picture', false],
  ['lightbox', 's', 'findSimilar', 'More like this'],
  ['lightbox', 'x', 'toggleSelected', 'Select the picture'],
  ['lightbox', '+ =', 'zoomIn', 'Zoom in'],
  ['lightbox', '-', 'zoomOut', 'Zoom out'],
  ['lightbox', '0', 'zoomToWhole', 'Show the whole picture'],
  ['lightbox', 'r', 'rotate', 'Rotate'],
  ['lightbox', 'i', 'toggleDetails', 'Show or hide the details'],
  ['lightbox', 'f', 'toggleFullScreen', 'Full screen'],
  ['lightbox', 'l', 'toggleSlideshow', 'Slideshow'],
  ['lightbox', 'p', 'copy', 'Copy the picture'],
  ['lightbox', 'd', 'download', 'Download'],
  ['lightbox', '/', 'focusInput', 'Go to the search box'],
  ['lightbox', '?', 'showHelp', 'Keyboard shortcuts and query signs'],
  ['lightbox', 'Escape', null, 'Close the picture'],
] as const satisfies readonly Shortcut[];

addShortcuts(LIGHTBOX_SHORTCUTS);
