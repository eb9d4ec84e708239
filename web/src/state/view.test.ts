import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { loadedApp, summaries, wordsQuery } from '../testing/fakeServer';
import { samplePage, samplePictures } from '../testing/samples';
import { PAGE_SIZE } from './results.svelte';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('steps through the results and stops at the ends', async () => {
  const { view } = (await loadedApp(3)).app;
  view.open(1);
  expect(view.lightbox.picture?.id).toBe(1);
  view.step(1);
  view.step(1);
  expect(view.lightbox.picture?.id).toBe(2);
  view.step(-1);
  view.step(-1);
  view.step(-1);
  expect(view.lightbox.picture?.id).toBe(0);
  view.lightbox.close();
  view.step(1);
  expect(view.lightbox.picture).toBeNull();
});

it('loads the next page before the last picture is reached', async () => {
  const { app, requests } = await loadedApp(60, 120);
  app.view.open(10);
  expect(requests).toHaveLength(1);
  app.view.open(57);
  expect(summaries(requests.slice(1))).toEqual([['', 60, PAGE_SIZE]]);
});

it('closes the lightbox if new results do not contain its picture', async () => {
  const { app, requests } = await loadedApp(3);
  void app.request.submitQuery(wordsQuery('dog'));
  app.view.open(2);
  await requests[1]!.respond(samplePage(samplePictures(70, 2)));
  expect(app.view.lightbox.picture).toBeNull();
});

it('closes the lightbox for a search by similar pictures, which keeps the filters', async () => {
  const { app, requests } = await loadedApp(3);
  app.request.query = { ...app.request.query, filters: ['year:2023'] };
  app.view.open(2);
  void app.findSimilar(app.view.lightbox.picture!);
  expect(app.view.lightbox.picture).toBeNull();
  expect(requests[1]!.query.terms).toMatchObject([{ kind: 'id', value: '2', weight: 1 }]);
  expect(requests[1]!.query.filters).toEqual(['year:2023']);
});
