import { expect, it, vi } from 'vitest';
import { Refresher } from './refresher';

function refresher(results: object = {}, view: object = {}, scrollY = 0) {
  const refresh = vi.fn(async () => {});
  const index = { version: 'a' };
  const shown = {
    index,
    isIdle: true,
    isLoading: false,
    start: 0,
    showWeak: false,
    expandedGroups: new Map(),
  };
  const parts = {
    results: { ...shown, ...results },
    view: { lightbox: { picture: null }, selection: { ids: new Set() }, ...view },
    request: { refresh },
  };
  return { refresh, parts, refresher: new Refresher(parts as never, () => scrollY) };
}

it('replaces results of another version, once for each', async () => {
  const { refresh, refresher: shower } = refresher();
  for (const version of ['a', 'b', 'b', 'c']) await shower.show(version);
  expect(refresh).toHaveBeenCalledTimes(2);
});

it.each([
  [{ isIdle: false }, {}, 0],
  [{ isLoading: true }, {}, 0],
  [{ start: 60 }, {}, 0],
  [{ showWeak: true }, {}, 0],
  [{ expandedGroups: new Map([[1, []]]) }, {}, 0],
  [{}, { lightbox: { picture: {} } }, 0],
  [{}, { selection: { ids: new Set([1]) } }, 0],
  [{}, {}, 200],
])('waits while the user is busy: %j %j %i', async (results, view, scrollY) => {
  const { refresh, refresher: shower } = refresher(results, view, scrollY);
  await shower.show('b');
  expect(refresh).not.toHaveBeenCalled();
});

it('replaces them later if the user was busy', async () => {
  const { refresh, parts, refresher: shower } = refresher({ showWeak: true });
  await shower.show('b');
  parts.results.showWeak = false;
  await shower.show('b');
  expect(refresh).toHaveBeenCalledTimes(1);
});
