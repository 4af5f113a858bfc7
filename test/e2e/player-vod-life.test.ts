import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { FilmPage } from '../support/film-page.ts';
import { FilmServer } from '../support/film-server.ts';
import { until } from '../support/poll.ts';

/** The watch page in Chromium, over what happens to its session, its server and its viewer. */
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

  it('goes on by itself at the same place when the server is back, and gives up if that is in vain', async () => {
    let [isAway, isBroken] = [false, false];
    await film.page.route('**/seg-*.m4s*', (route) =>
      isAway || isBroken ? route.fulfill({ status: 404 }) : route.continue(),
    );
    await film.page.route(`**/vod/${session.id}`, (route) => (isAway ? route.abort() : route.continue()));
    isAway = true;
    await choose('quality', /^180p/);
    await film.seek(43);
    await film.page
      .locator('#message')
      .filter({ hasText: /does not answer/ })
      .waitFor({ state: 'attached', timeout: 60_000 });
    isAway = false;
    await film.plays(42, 48);
    expect((await film.look()).height).toBe(180);
    isBroken = true;
    await choose('quality', /^360p/);
    await film.seek(1);
    await film.page
      .locator('#message')
      .filter({ hasText: /cannot be played on/ })
      .waitFor({ state: 'attached', timeout: 60_000 });
    await state('failed');
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
