import { trimmed, type Question } from './question';

type Drawer = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

const NAME = 'question';

/**
 * Keeps what stands on the page as it is left. The address is written only after an answer has stood for a
 * moment, and what is written into it while the page goes away reaches every later visit but a reload.
 */
export function keep(drawer: () => Drawer, question: Question): void {
  try {
    drawer().setItem(NAME, JSON.stringify(trimmed(question)));
  } catch {
    // No room, or the reader allows no storage: the address is all there is.
  }
}

/** What was kept, once and for a reload only: any other visit says itself what it is to show. */
export function kept(drawer: () => Drawer, isReload: boolean): Question | null {
  try {
    const text = drawer().getItem(NAME);
    drawer().removeItem(NAME);
    return isReload && text !== null ? (JSON.parse(text) as Question) : null;
  } catch {
    return null;
  }
}
