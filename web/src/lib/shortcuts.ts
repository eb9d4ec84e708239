import type { LIGHTBOX_SHORTCUTS } from './lightboxShortcuts';

/** Where a shortcut works; `panel` is any pop-up of the page. */
export type Scope = 'page' | 'panel' | 'input' | 'grid' | 'tile' | 'scrubber' | 'lightbox';

/**
 * `keys` is a value of `KeyboardEvent.key`, or several between blanks; a capital letter needs no Shift.
 * `action` names the handler; it is null if the browser handles the key itself.
 * `shift` is the required state of the Shift key; any if undefined.
 */
export type Shortcut = readonly [
  scope: Scope,
  keys: string,
  action: string | null,
  help: string,
  shift?: boolean,
];

/**
 * The keyboard shortcuts of the page; `lib/lightboxShortcuts` adds those of an opened picture. Key handling, tooltips, the help dialog and docs/PAGE.md follow this table.
 */
export const SHORTCUTS = [
  ['page', '/', 'focusInput', 'Go to the search box'],
  ['page', 'c', 'toggleCaptions', 'Captions and scores'],
  ['page', 'S', 'togglePreviewOnly', 'Speed mode: previews only, search on every key press'],
  ['page', 'e', 'focusSelection', 'Go to the actions of the selection'],
  ['page', 'Escape', 'clearSelection', 'Clear the selection'],
  ['page', '?', 'showHelp', 'Keyboard shortcuts and query signs'],
  ['panel', 'Escape', 'close', 'Close the panel'],

  ['input', 'ArrowDown', 'focusGrid', 'Go to the pictures'],
  ['input', 'Enter', 'addChip', 'Turn the words into a chip', true],

  ['grid', 'ArrowLeft ArrowRight ArrowUp ArrowDown', 'moveFocus', 'Go to the next picture', false],
  ['tile', 'Enter', null, 'Open the picture'],
  ['tile', 's', 'findSimilar', 'More like this'],
  ['tile', 'u', 'toggleDuplicates', 'Show or hide near-duplicates'],
  ['tile', 'x', 'toggleSelected', 'Select the picture'],

  ['scrubber', 'ArrowDown ArrowRight', 'nextMonth', 'Next month'],
  ['scrubber', 'ArrowUp ArrowLeft', 'previousMonth', 'Previous month'],
  ['scrubber', 'PageDown', 'nextYear', 'Next year'],
  ['scrubber', 'PageUp', 'previousYear', 'Previous year'],
  ['scrubber', 'Home', 'first', 'Beginning of the list'],
  ['scrubber', 'End', 'last', 'End of the list'],
] as const satisfies readonly Shortcut[];

/** All shortcuts whose part of the page is loaded. */
const loaded: Shortcut[] = [...SHORTCUTS];

/** Add the shortcuts of a part that is loaded when it is used. */
export function addShortcuts(more: readonly Shortcut[]): void {
  loaded.push(...more);
}

type AnyShortcut = (typeof SHORTCUTS | typeof LIGHTBOX_SHORTCUTS)[number];
type ActionOf<S extends Scope> = Exclude<Extract<AnyShortcut, readonly [S, ...unknown[]]>[2], null>;

/** One handler for each action of a scope. A handler returns 'ignored' to leave the key to the browser. */
export type Handlers<S extends Scope> = Record<ActionOf<S>, (event: KeyboardEvent) => unknown>;

type KeyPress = Pick<
  KeyboardEvent,
  'key' | 'altKey' | 'ctrlKey' | 'metaKey' | 'shiftKey' | 'isComposing' | 'preventDefault'
>;

/** Run the handler of the shortcut that was pressed, if there is one. */
export function handleShortcut<S extends Scope>(scope: S, event: KeyPress, handlers: Handlers<S>): void {
  if (event.altKey || event.ctrlKey || event.metaKey || event.isComposing) return;
  const pressed = loaded.find(([own, keys, , , shift = event.shiftKey]: Shortcut) => {
    const isKey = [event.key, event.key.toUpperCase()].some((key) => keys.split(' ').includes(key));
    return own === scope && isKey && shift === event.shiftKey;
  });
  const action = pressed?.[2] as ActionOf<S> | null | undefined;
  if (action && handlers[action](event as KeyboardEvent) !== 'ignored') event.preventDefault();
}

const KEY_LABELS: Record<string, string> = {
  ArrowLeft: '←',
  ArrowRight: '→',
  ArrowUp: '↑',
  ArrowDown: '↓',
  Escape: 'Esc',
};

/** Return the keys of a shortcut as they stand on a keyboard: `S`, `Shift+Enter`, `← →`. */
export function keyLabel([, keys, , , shift]: Shortcut): string {
  const isCapital = /^[A-Z]$/.test(keys);
  const labels = keys
    .split(' ')
    .map((key) => KEY_LABELS[key] ?? (key.length === 1 ? key.toUpperCase() : key));
  return (shift || isCapital ? 'Shift+' : '') + labels.join(' ');
}

/** Return the tooltip of an action: its help with the key. */
export function shortcutHint<S extends Scope>(scope: S, action: ActionOf<S>): string {
  const shortcut = loaded.find((other) => other[0] === scope && other[2] === action)!;
  return `${shortcut[3]} (${keyLabel(shortcut)})`;
}
