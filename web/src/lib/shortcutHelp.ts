import { LIGHTBOX_SHORTCUTS } from './lightboxShortcuts';
import { SHORTCUTS, type Scope, type Shortcut } from './shortcuts';

const ALL: readonly Shortcut[] = [...SHORTCUTS, ...LIGHTBOX_SHORTCUTS];

/** Sections of the help dialog. */
const SECTIONS: Record<string, readonly Scope[]> = {
  Anywhere: ['page', 'panel'],
  'In the search box': ['input'],
  'On a picture in the results': ['grid', 'tile'],
  'On the strip of months': ['scrubber'],
  'On an opened picture': ['lightbox'],
};

/** Return the shortcuts by section, as the help dialog shows them. */
export function helpSections(): [title: string, shortcuts: Shortcut[]][] {
  return Object.entries(SECTIONS).map(([title, scopes]) => {
    return [title, ALL.filter(([scope]) => scopes.includes(scope))];
  });
}
