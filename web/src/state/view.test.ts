import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { EMPTY_QUERY } from '../lib/query';
import { fakeApp, loadedApp, summaries, wordsQuery } from '../testing/fakeServer';
import { samplePage, samplePictures } from '../testing/samples';
import { PAGE_SIZE } from '../lib/searchPages';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('steps through the results and stops at the ends', async () => {
  const { app, opened } = await loadedApp(3);
  const { lightbox } = app.view;
  app.openPicture(1);
  for (const by of [1, 1, -1, -1, -1] as const) app.stepPicture(by);
  expect(lightbox.picture?.id).toBe(0);
  app.closePicture();
  app.stepPicture(1);
  expect(lightbox.picture).toBeNull();
  expect(opened).toEqual([1, 2, 1, 0, null]);
});

it('loads the next page before the last picture is reached', async () => {
  const { app, requests } = await loadedApp(60, 120);
  app.view.open(10);
  expect(requests).toHaveLength(1);
  app.view.open(57);
  expect(summaries(requests.slice(1))).toEqual([['', 60, PAGE_SIZE]]);
});

it('keeps a picture open that new results do not contain, without a place among them', async () => {
  const { app, requests } = await loadedApp(3);
  void app.request.submitQuery(wordsQuery('dog'));
  app.openPicture(2);
  await requests[1]!.respond(samplePage(samplePictures(70, 2)));
  expect(app.view.lightbox).toMatchObject({ picture: { id: 2 }, index: -1 });
});

it('opens and closes what an entry of the history shows', async () => {
  const { app, requests } = await loadedApp(3);
  const entry = { query: EMPTY_QUERY, picture: 50, isAfterResults: true };
  await app.restore(entry);
  expect(app.view.lightbox.picture?.id).toBe(50);
  await app.restore({ ...entry, picture: null });
  expect(app.view.lightbox.picture).toBeNull();
  expect(requests).toHaveLength(1);
});

it('reports a link to a picture that is gone, after the results', async () => {
  const { app, opened, requests } = fakeApp({ byIds: async () => samplePage([]) });
  void app.start({ query: EMPTY_QUERY, picture: 50, isAfterResults: false });
  await vi.advanceTimersByTimeAsync(0);
  expect(opened).toEqual([null]);
  await requests[0]!.respond(samplePage(samplePictures(0, 3)));
  expect(app.results.error?.message).toContain('not in the library');
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
