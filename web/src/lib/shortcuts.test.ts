import { readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { LIGHTBOX_SHORTCUTS } from './lightboxShortcuts';
import { helpSections } from './shortcutHelp';
import {
  handleShortcut,
  keyLabel,
  shortcutHint,
  SHORTCUTS as PAGE_SHORTCUTS,
  type Handlers,
  type Scope,
} from './shortcuts';

const SHORTCUTS = [...PAGE_SHORTCUTS, ...LIGHTBOX_SHORTCUTS];
const SCOPES = [...new Set(SHORTCUTS.map(([scope]) => scope))];

function press(key: string, modifiers: Partial<KeyboardEvent> = {}) {
  const none = { altKey: false, ctrlKey: false, metaKey: false, shiftKey: false, isComposing: false };
  return { key, ...none, ...modifiers, preventDefault: vi.fn() };
}

/** Handlers that record the action that runs. */
function recorder<S extends Scope>(scope: S, result?: 'ignored') {
  const actions: string[] = [];
  const names = SHORTCUTS.flatMap((entry) => (entry[0] === scope && entry[2]) || []);
  const handlers = Object.fromEntries(names.map((name) => [name, () => (actions.push(name), result)]));
  return { actions, handlers: handlers as Handlers<S> };
}

describe('handleShortcut', () => {
  it.each(
    SHORTCUTS.flatMap(([scope, keys, action, , shift = false]) =>
      keys.split(' ').map((key) => ({ scope, key, action, shiftKey: shift })),
    ),
  )('runs the action of $scope $key only', ({ scope, key, action, shiftKey }) => {
    const { actions, handlers } = recorder(scope);
    const event = press(key, { shiftKey });
    handleShortcut(scope, event, handlers);
    expect(actions).toEqual(action === null ? [] : [action]);
    expect(event.preventDefault).toHaveBeenCalledTimes(actions.length);
  });

  it.each(['altKey', 'ctrlKey', 'metaKey', 'isComposing'])('ignores keys with %s', (modifier) => {
    const { actions, handlers } = recorder('page');
    handleShortcut('page', press('/', { [modifier]: true }), handlers);
    expect(actions).toEqual([]);
  });

  it('ignores unknown keys and the wrong state of Shift', () => {
    const { actions, handlers } = recorder('input');
    for (const event of [press('q'), press('Enter')]) handleShortcut('input', event, handlers);
    expect(actions).toEqual([]);
  });

  it('leaves an ignored key to the browser', () => {
    const { actions, handlers } = recorder('panel', 'ignored');
    const event = press('Escape');
    handleShortcut('panel', event, handlers);
    expect(actions).toEqual(['close']);
    expect(event.preventDefault).not.toHaveBeenCalled();
  });
});

describe('the table', () => {
  it.each(SCOPES)('has no key twice in scope %s', (scope) => {
    const allKeys = SHORTCUTS.filter(([own]) => own === scope).flatMap(([, keys, , , shift = false]) =>
      keys.split(' ').map((key) => key + shift),
    );
    expect(new Set(allKeys).size).toBe(allKeys.length);
  });

  it('is shown completely by the help', () => {
    expect(helpSections().flatMap(([, shortcuts]) => shortcuts)).toEqual(SHORTCUTS);
    expect(helpSections().map(([title]) => title)).toEqual([
      'Anywhere',
      'In the search box',
      'On a picture in the results',
      'On the strip of months',
      'On an opened picture',
    ]);
  });

  it('is documented completely by docs/PAGE.md', () => {
    const page = readFileSync(new URL('../../../docs/PAGE.md', import.meta.url), 'utf8');
    const rows = page.split('\n').filter((line) => line.startsWith('| `'));
    for (const shortcut of SHORTCUTS) {
      const isRow = (row: string) => row.includes(`\`${keyLabel(shortcut)}\``) && row.includes(shortcut[3]);
      expect(rows.some(isRow), shortcut[3]).toBe(true);
    }
  });
});

it('adds the key to the tooltip of an action', () => {
  expect(shortcutHint('lightbox', 'toggleFullScreen')).toBe('Full screen (F)');
});
