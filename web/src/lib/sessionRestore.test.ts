import { describe, expect, it } from 'vitest';
import { restoreQuery, saveQuery } from './sessionRestore';
import { EMPTY_QUERY } from './query';

function fakeStorage() {
  const texts = new Map<string, string>();
  const methods = {
    getItem: (name: string) => texts.get(name) ?? null,
    setItem: (name: string, text: string) => void texts.set(name, text),
    removeItem: (name: string) => void texts.delete(name),
  };
  return () => methods;
}

const forbidden = () => {
  throw new DOMException('no storage', 'SecurityError');
};

describe('the saved query', () => {
  it('is restored once after a reload', () => {
    const storage = fakeStorage();
    saveQuery(storage, { ...EMPTY_QUERY, words: ' red ' });
    expect(restoreQuery(storage, true)).toEqual({ ...EMPTY_QUERY, words: 'red' });
    expect(restoreQuery(storage, true)).toBeNull();
  });

  it('is not restored for another visit, nor for a reload after it', () => {
    const storage = fakeStorage();
    saveQuery(storage, { ...EMPTY_QUERY, words: 'red' });
    expect(restoreQuery(storage, false)).toBeNull();
    expect(restoreQuery(storage, true)).toBeNull();
  });

  it('is ignored if storage is forbidden', () => {
    saveQuery(forbidden, EMPTY_QUERY);
    expect(restoreQuery(forbidden, true)).toBeNull();
  });
});
