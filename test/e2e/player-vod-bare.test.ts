import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { FilmPage } from '../support/film-page.ts';
import { FilmServer } from '../support/film-server.ts';
import { PlayerPage } from '../support/player-page.ts';

/** Players of others, on a page of another origin, as their users would set them up. */
describe('a film in', () => {
  let films: FilmServer;
  let browser: Browser;

  beforeAll(async () => {
    films = await FilmServer.start();
    browser = await launchBrowser();
  });

  afterAll(async () => {
    await browser.close();
    await films.close();
  });

  it.each(['hls.js', 'shaka'] as const)(
    '%s plays, seeks to the right picture, switches sounds, and shows subtitles that go with it',
    async (player) => {
      const { playlistUrl: url } = await films.play({ user: player });
      const bare = await PlayerPage.open(browser, { player, url, shaka: {} });
      const film = new FilmPage(bare.page);
      await film.plays(0, 20);
      expect(Math.max(...(await bare.heights()))).toBe(360);
      await film.page.evaluate(`void (document.querySelector('video').muted = false)`);
      await film.sounds(440);
      await bare.chooseSubtitles(0);
      await film.subtitle('en');
      for (const timeS of [36, 9]) {
        await film.seek(timeS);
        await film.plays(timeS - 0.5, timeS + 6);
        await film.subtitle('en');
      }
      await bare.chooseSubtitles(1);
      await film.subtitle('de');
      await bare.chooseSound(1);
      await film.sounds(1760);
      const report = await bare.report();
      expect(report.fatalErrors).toEqual([]);
      await bare.close();
    },
  );
});
