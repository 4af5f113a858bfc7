import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { FfmpegPublisher } from '../support/ffmpeg-publisher.ts';
import { LiveServer, PASSTHROUGH_LADDER, SMALLEST_RUNG } from '../support/live-server.ts';
import { openWatchPage, PlayerPage, type RecordedPage } from '../support/player-page.ts';
import { until } from '../support/poll.ts';
import { SeenPictures, type PictureRange, type SeenPicture } from '../support/seen-pictures.ts';
import { makeMedia, type MadeSegment } from '../support/upstream/made-media.ts';
import { ScriptedChannel } from '../support/upstream/scripted-channel.ts';
import { UpstreamServer } from '../support/upstream/upstream-server.ts';

const LADDER = `${PASSTHROUGH_LADDER}
${SMALLEST_RUNG}`;

const SETTINGS = `
allowPrivate = ["127.0.0.0/8"]
[pull]
failuresBeforeNext = 2
`;

const PROGRAMME: PictureRange = [0, 4_000];
const AD: PictureRange = [20_000, 20_200];
const BACKUP: PictureRange = [8_000, 12_000];

interface Viewer {
  readonly name: 'relay' | 'ladder';
  readonly page: RecordedPage;
  readonly pictures: SeenPictures;
}

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

/** Viewers in Chromium of a channel with an advertisement, of which the first address dies. */
describe('a pulled channel', () => {
  const upstreams: UpstreamServer[] = [];
  let server: LiveServer;
  let channel: ScriptedChannel;
  let ad: readonly MadeSegment[];
  const viewers: Viewer[] = [];

  beforeAll(async () => {
    upstreams.push(await UpstreamServer.start(), await UpstreamServer.start());
    const options = { seconds: 60, size: '320x180', audio: 440 } as const;
    const [programme, inserted, backup] = await Promise.all([
      makeMedia(options),
      makeMedia({ seconds: 4, size: '256x144', audio: 880, startS: 1, firstNumber: AD[0] }),
      makeMedia({ ...options, startS: 500, firstNumber: BACKUP[0] }),
    ]);
    ad = inserted.segments;
    channel = new ScriptedChannel(upstreams[0]!, '/channel', [{ name: 'v0', media: programme }]);
    const other = new ScriptedChannel(upstreams[1]!, '/backup', [
      { name: 'main', media: backup, options: { firstSequence: 70_000 } },
    ]);
    server = await LiveServer.start({ ladder: LADDER, settings: SETTINGS });
    for (const running of [channel, other]) running.advance(6).run();
    for (const mode of ['relay', 'ladder']) {
      const urls = [channel.url, other.url];
      const reply = await server.api('POST', 'sources', { name: `channel-${mode}`, mode, urls });
      expect(reply.status).toBe(201);
    }
    const relay = `${server.app.httpUrl}/relay/channel-relay/index.m3u8`;
    await server.variants('channel-ladder', 2);
    const pages = await Promise.all([
      PlayerPage.open(browser, { player: 'hls.js', url: relay }),
      openWatchPage(browser, `${server.app.httpUrl}/watch/live/channel-ladder`),
    ]);
    for (const [index, page] of pages.entries()) {
      const name = index === 0 ? 'relay' : 'ladder';
      viewers.push({ name, page, pictures: await SeenPictures.of(page.page) });
    }
  });

  afterAll(async () => {
    await server.close();
    channel.stop();
    for (const upstream of upstreams) await upstream.close();
  });

  const each = (check: (viewer: Viewer) => Promise<void>): Promise<unknown> => Promise.all(viewers.map(check));

  it('shows the programme, the advertisement of another size, and the programme again', async () => {
    await each(async ({ name, pictures }) => {
      await pictures.see(`${name}: the programme`, PROGRAMME, 10);
    });
    channel.playlist().interrupt(ad);
    await each(async ({ name, pictures }) => {
      const [first] = await pictures.see(`${name}: the advertisement`, AD, 15);
      const isLater = ({ wallMs }: SeenPicture): boolean => wallMs > first!.wallMs;
      await until(`${name}: the programme again`, async () => (await pictures.all(PROGRAMME)).some(isLater));
    });
  });

  it('goes on with the other address when the first one dies', async () => {
    await upstreams[0]!.down();
    await each(async ({ name, pictures }) => {
      const seen = await pictures.see(`${name}: the backup`, BACKUP, 30);
      expect(seen.at(-1)!.soundBytes).toBeGreaterThan(seen[0]!.soundBytes);
    });
    for (const { name } of viewers) {
      const reply = await server.api('GET', `sources/channel-${name}`);
      expect(await reply.json()).toMatchObject({ state: 'live', failovers: 1 });
    }
  });

  it('did so without a reload, and never back', async () => {
    await each(async ({ page, pictures }) => {
      const { record, fatalErrors } = await page.report();
      expect(new Set(record.samples.map(({ element }) => element)).size).toBe(1);
      expect(fatalErrors).toEqual([]);
      for (const range of [PROGRAMME, AD, BACKUP]) {
        const numbers = (await pictures.all(range)).map(({ number }) => number);
        expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
      }
    });
    const relayed = viewers[0]!.pictures;
    expect(new Set((await relayed.all(AD)).map(({ height }) => height))).toEqual(new Set([144]));
  });

  it('asked for every segment once, for relay and ladder together', () => {
    const asked = upstreams.flatMap((upstream) => upstream.requests(/\.ts$/).map(({ path }) => path));
    expect(asked.length).toBeGreaterThan(10);
    expect(asked).toEqual([...new Set(asked)]);
  });
});

/** Another server of our own as upstream, whose parts go through the relay. */
describe('a relayed low-latency channel', () => {
  let origin: LiveServer;
  let relay: LiveServer;
  let publisher: FfmpegPublisher;

  beforeAll(async () => {
    origin = await LiveServer.start({ ladder: '[[rendition]]\nname = "original"\nfactory = "passthrough"' });
    relay = await LiveServer.start({ settings: SETTINGS });
    publisher = new FfmpegPublisher({ url: origin.rtmpUrl('demo'), size: '320x180', bFrames: 0 });
    await origin.variants('demo', 1);
  });

  afterAll(async () => {
    await relay.close();
    await publisher.kill();
    await origin.close();
  });

  it('plays closer to the edge than whole segments would let it', async () => {
    const url = origin.multivariantUrl('demo');
    const reply = await relay.api('POST', 'sources', { name: 'low', mode: 'relay', url });
    expect(reply.status).toBe(201);
    const player = { player: 'hls.js', url: `${relay.app.httpUrl}/relay/low/index.m3u8` } as const;
    const page = await PlayerPage.open(browser, player);
    const report = await page.plays(5);
    // Three segments of two seconds, which players stay behind the edge without parts.
    expect(report.last!.latencyS).toBeLessThan(4.5);
    expect(report.fatalErrors).toEqual([]);
    await page.close();
  });
});
