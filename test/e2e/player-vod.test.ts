import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { FilmPage } from '../support/film-page.ts';
import { FilmServer } from '../support/film-server.ts';
import { until } from '../support/poll.ts';

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
  const state = (wanted: string) => film.page.waitForSelector(`body[data-state=${wanted}]`, { timeout: 40_000 });
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

  it('goes on where it was after a reload, and when the server has been restarted', async () => {
    await film.seek(30);
    await film.plays(29.5, 36);
    await film.page.reload();
    await film.plays(29, 40);
    await film.seek(20);
    await film.plays(19.5, 26);
    await film.page.keyboard.press('k');
    await film.sees('it to pause', ({ isPlaying }) => !isPlaying);
    const { timeS } = await film.look();
    await until('the position to be known', async () => {
      const { positionMs } = (await (await films.server.api('GET', `vod/${session.id}`)).json()) as {
        positionMs: number;
      };
      return Math.abs(positionMs / 1000 - timeS) < 1;
    });
    await films.server.restart();
    await film.page.goto(`${films.server.app.httpUrl}/watch/vod/${session.id}`);
    await film.plays(timeS - 1, timeS + 6);
  });

  it('is worked by keys', async () => {
    const { timeS } = await film.look();
    await film.page.keyboard.press('ArrowRight');
    await film.plays(timeS + 9, timeS + 18);
    await film.page.keyboard.press(' ');
    await film.sees('it to pause', ({ isPlaying }) => !isPlaying);
    await film.page.keyboard.press('ArrowLeft');
    await film.sees('an earlier picture', ({ pictureS }) => pictureS < timeS + 8);
    await film.page.keyboard.press('m');
    expect(await film.page.evaluate(`document.getElementById('video').muted`)).toBe(true);
  });

  it('says so when its session has ended', async () => {
    await films.server.api('DELETE', `vod/${session.id}?force=true`);
    await film.page.reload();
    await state('failed');
    expect(await film.page.textContent('#message')).not.toBe('');
  });
});
