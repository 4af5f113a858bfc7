import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { FilmPage } from '../support/film-page.ts';
import { FilmServer } from '../support/film-server.ts';

/** The watch page in Chromium, with a film that has two sounds and three subtitle tracks. */
describe('the page of a film', () => {
  let films: FilmServer;
  let browser: Browser;
  let film: FilmPage;
  let session: { id: string; watchUrl: string };

  beforeAll(async () => {
    films = await FilmServer.start();
    browser = await launchBrowser();
  });

  beforeEach(async (context) => {
    session = await films.play({ user: context.task.id });
    film = await FilmPage.open(browser, session.watchUrl);
    await film.plays(0, 10);
  });

  afterEach(async () => {
    expect(film.problems).toEqual([]);
    await film.close();
  });

  afterAll(async () => {
    await browser.close();
    await films.close();
  });

  const choose = async (menu: string, label: RegExp) => {
    const option = film.page.locator(`#${menu} option`).filter({ hasText: label });
    await film.page.selectOption(`#${menu}`, (await option.getAttribute('value')) ?? '');
  };
  const duration = () => film.page.evaluate<number>(`document.getElementById('video').duration`);

  it('has its whole length at once, and seeks forward and back to the right picture', async () => {
    expect(await duration()).toBeGreaterThan(47);
    for (const timeS of [40, 10, 25]) {
      await film.seek(timeS);
      const { pictureS, timeS: shownS } = await film.plays(timeS - 0.5, timeS + 4);
      expect(Math.abs(pictureS - shownS)).toBeLessThan(0.5);
    }
  });

  it('plays the quality that was chosen', async () => {
    await choose('quality', /^180p/);
    await film.sees('the small picture', ({ height }) => height === 180);
    await choose('quality', /^360p/);
    await film.sees('the large picture', ({ height }) => height === 360);
  });

  it('switches sounds', async () => {
    await film.sounds(440);
    await choose('sound', /2|German/);
    await film.sounds(1760);
    await film.seek(30);
    await film.plays(29.5, 36);
    await film.sounds(1760);
  });

  it('switches subtitles, which go with the picture also after seeking', async () => {
    expect((await film.look()).texts).toEqual([]);
    await choose('subtitle', /English/);
    await film.subtitle('en');
    await choose('subtitle', /German/);
    await film.subtitle('de');
    await film.seek(36);
    await film.plays(35.5, 42);
    await film.subtitle('de');
    await choose('subtitle', /French/);
    await film.subtitle('fr');
    await film.seek(5);
    await film.plays(4.5, 10);
    await film.subtitle('fr');
    await choose('subtitle', /Off/);
    await film.sees('no subtitle', ({ texts }) => texts.length === 0);
  });
});
