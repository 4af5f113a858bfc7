import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { LiveServer, PASSTHROUGH_LADDER } from '../support/live-server.ts';
import { openWatchPage } from '../support/player-page.ts';
import { until } from '../support/poll.ts';
import { makeMedia } from '../support/upstream/made-media.ts';
import { ScriptedChannel } from '../support/upstream/scripted-channel.ts';
import { UpstreamServer } from '../support/upstream/upstream-server.ts';

/** The dashboard and the watch page in Chromium, of a server that pulls from another one. */
describe('remote sources in the pages', () => {
  let upstream: UpstreamServer;
  let channel: ScriptedChannel;
  let server: LiveServer;
  let browser: Browser;
  let page: Page;
  const problems: string[] = [];

  beforeAll(async () => {
    upstream = await UpstreamServer.start();
    channel = new ScriptedChannel(upstream, '/tv', [{ name: 'v0', media: await makeMedia({ seconds: 80 }) }]);
    channel.advance(6).run();
    new ScriptedChannel(upstream, '/film', [{ name: 'v0', media: await makeMedia({ seconds: 6 }) }]).end();
    server = await LiveServer.start({ ladder: PASSTHROUGH_LADDER, settings: 'allowPrivate = ["127.0.0.0/8"]' });
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser.close();
    channel.stop();
    await server.close();
    await upstream.close();
  });
  beforeEach(async () => {
    page = await browser.newPage();
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => {
      if (/Content Security Policy|Refused/.test(message.text())) problems.push(message.text());
    });
    page.on('dialog', (dialog) => void dialog.accept());
    await page.addInitScript(`sessionStorage.setItem('laddercast-admin-token', 'test-admin-token')`);
    return async () => {
      await page.close();
      expect(problems.splice(0)).toEqual([]);
    };
  });

  const row = (text: string | RegExp) => page.locator('#source-rows tr').filter({ hasText: text });
  const add = async (name: string, addresses: string, { mode = 'ladder', onDemand = false } = {}): Promise<void> => {
    await page.fill('#add-source [name=name]', name);
    await page.fill('#add-source [name=addresses]', addresses);
    await page.selectOption('#add-source [name=mode]', mode);
    await page.setChecked('#add-source [name=onDemand]', onDemand);
    await page.click('#add-source button');
  };

  it('are added, seen live, and removed', async () => {
    await page.goto(server.app.httpUrl);
    await add('camera', 'file:///etc/passwd');
    await page.locator('#add-source .problem').filter({ hasText: '"file:" is not pulled from' }).waitFor();

    await add('camera', `${upstream.url('/gone.m3u8')}?token=secret\n${channel.url}`);
    await row(/camera.*live.*\/tv\/index\.m3u8/).waitFor({ timeout: 40_000 });
    await page.locator('#broadcasts').filter({ hasText: 'pull from' }).waitFor();
    expect(await page.inputValue('#add-source [name=addresses]')).toBe('');
    expect(await page.content()).not.toContain('secret');

    await row('camera').getByRole('button', { name: 'Remove', exact: true }).click();
    await row('camera').waitFor({ state: 'detached' });
    expect(await (await server.api('GET', 'sources')).json()).toEqual([]);
  });

  it('on demand play by opening their pages, as ladders and as relays', async () => {
    await page.goto(server.app.httpUrl);
    await add('tv', channel.url, { onDemand: true });
    await row(/tv.*on demand.*idle/).waitFor();
    await add('relayed', channel.url, { mode: 'relay', onDemand: true });
    await row(/relayed.*idle/).waitFor();
    for (const path of ['/watch/live/tv', '/watch/relay/relayed']) {
      const viewer = await openWatchPage(browser, `${server.app.httpUrl}${path}`);
      await viewer.plays(2);
      await viewer.page.close();
    }
    await row(/tv.*live/).waitFor();
    await row(/relayed.*live/).waitFor();
  });

  it('that are films lead to the page of the film', async () => {
    const entry = { name: 'film', mode: 'ladder', url: upstream.url('/film/index.m3u8') };
    await server.api('POST', 'sources', { ...entry, recorded: 'film', onDemand: true });
    await page.goto(`${server.app.httpUrl}/watch/live/film`);
    await page.waitForURL('**/watch/vod/*');
    await until('the film to play', () => page.evaluate<boolean>(`document.querySelector('video').currentTime > 1`));
  });
});
