import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { FilmPage } from '../support/film-page.ts';
import { FilmServer } from '../support/film-server.ts';
import { until } from '../support/poll.ts';

/** The dashboard in Chromium, of a server with a film. */
describe('the dashboard', () => {
  let films: FilmServer;
  let browser: Browser;
  let film: FilmPage;
  let page: Page;

  beforeAll(async () => {
    films = await FilmServer.start();
    const folder = path.join(films.server.folder, 'media', 'a <b>folder');
    await mkdir(folder);
    await writeFile(path.join(folder, 'no film.mp4'), 'only text');
    browser = await launchBrowser();
  });

  beforeEach(async () => {
    page = await browser.newPage();
    film = new FilmPage(page);
    page.on('dialog', (dialog) => void dialog.accept());
    await page.addInitScript(`sessionStorage.setItem('laddercast-admin-token', 'test-admin-token')`);
    await page.goto(films.server.app.httpUrl);
    await page.getByRole('button', { name: 'media/' }).click();
    return () => {
      expect(film.problems).toEqual([]);
      return page.close();
    };
  });

  afterAll(async () => {
    await browser.close();
    await films.close();
  });

  const row = (table: string, text: string | RegExp) => page.locator(`#${table} tr`).filter({ hasText: text });
  const button = (name: string) => ({ name, exact: true });

  it('lists folders, plays a file, and says why one cannot be played', async () => {
    await page.getByRole('button', button('a <b>folder/')).click();
    await row('media', 'no film.mp4').getByRole('button', button('Play')).click();
    await page.locator('#play .problem').filter({ hasText: /./ }).waitFor();
    await page.getByRole('button', button('media')).click();
    await row('media', 'film.mkv').getByRole('button', button('Play')).click();
    await page.waitForURL('**/watch/vod/*');
    await film.plays(0, 20);
    expect(await page.textContent('#title')).toContain('film.mkv');
  });

  it('shows how far a file is encoded and what is in the cache, ends the session, and deletes what is encoded', async () => {
    await page.fill('#play input[name=source]', 'http://127.0.0.1/film.mp4');
    await page.locator('#play').getByRole('button', button('Play')).click();
    await page.locator('#play .problem').filter({ hasText: /./ }).waitFor();

    await row('media', 'film.mkv').getByRole('button', button('Encode ahead')).click();
    await row('sessions', /film\.mkv.*100 %/).waitFor({ timeout: 60_000 });
    await row('entries', /180p.*all \d+/).waitFor();
    await row('entries', /subtitles.*all 3/).waitFor();
    expect(await page.textContent('#cache-figures')).toMatch(/MB of 5\.37 GB.*5 renditions, 5 complete/);

    await row('sessions', 'film.mkv').getByRole('button', button('Stop')).click();
    await row('sessions', 'film.mkv').waitFor({ state: 'detached' });
    // What was just used stays in use for a while.
    await films.server.restart();
    await page.goto(films.server.app.httpUrl);
    await row('entries', '180p').getByRole('button', button('Delete')).click();
    await row('entries', '180p').waitFor({ state: 'detached' });
    await until('the cache to have lost it', async () => {
      const { entries } = (await (await films.server.api('GET', 'cache')).json()) as { entries: { quality: string }[] };
      return !entries.some(({ quality }) => quality === '180p');
    });
  });
});
