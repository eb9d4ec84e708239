import { describe, expect, it } from 'vitest';
import { keep, kept } from './leaving';
import { NOTHING } from './question';

function drawer() {
  const texts = new Map<string, string>();
  const storage = {
    getItem: (name: string) => texts.get(name) ?? null,
    setItem: (name: string, text: string) => void texts.set(name, text),
    removeItem: (name: string) => void texts.delete(name),
  };
  return () => storage;
}

const forbidden = () => {
  throw new DOMException('no storage', 'SecurityError');
};

describe('what stood on the page', () => {
  it('is there after a reload, once', () => {
    const open = drawer();
    keep(open, { ...NOTHING, words: ' red ' });
    expect(kept(open, true)).toEqual({ ...NOTHING, words: 'red' });
    expect(kept(open, true)).toBeNull();
  });

  it('is not there for another visit, nor for a reload after that', () => {
    const open = drawer();
    keep(open, { ...NOTHING, words: 'red' });
    expect(kept(open, false)).toBeNull();
    expect(kept(open, true)).toBeNull();
  });

  it('is lost quietly where nothing can be kept', () => {
    keep(forbidden, NOTHING);
    expect(kept(forbidden, true)).toBeNull();
  });
});
