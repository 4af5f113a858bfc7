import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { FfmpegPublisher } from '../support/ffmpeg-publisher.ts';
import { LiveServer, PASSTHROUGH_LADDER } from '../support/live-server.ts';
import { PlayerPage } from '../support/player-page.ts';
import type { PlayerReport } from '../support/player-report.ts';

const LADDER = `${PASSTHROUGH_LADDER}
[[rendition]]
name = "144p"
width = 256
height = 144
videoBitrateKbps = 150
preset = "ultrafast"
`;

const BROADCASTS = ['silent', 'slate'] as const;
const PLAYERS = ['hls.js', 'shaka'] as const;

/** Bare players on another origin, while the publisher is away and returns: with a slate meanwhile, and without one. */
describe('players whose publisher goes away and returns', () => {
  let server: LiveServer;
  let browser: Browser;
  let publishers: FfmpegPublisher[];
  const pages = new Map<string, PlayerPage>();

  const publish = (): void => {
    publishers = BROADCASTS.map(
      (name) => new FfmpegPublisher({ url: server.rtmpUrl(name), size: '426x240', videoBitrateKbps: 300 }),
    );
  };

  beforeAll(async () => {
    const settings = '[[broadcasts]]\nbroadcast = "live/slate"\nslate = true';
    server = await LiveServer.start({ ladder: LADDER, settings, publish: { graceMs: 60_000 } });
    browser = await launchBrowser();
    publish();
    await Promise.all(BROADCASTS.map((name) => server.variants(name, 2)));
    for (const name of BROADCASTS) {
      for (const player of PLAYERS) {
        pages.set(`${player} ${name}`, await PlayerPage.open(browser, { player, url: server.multivariantUrl(name) }));
      }
    }
    await Promise.all([...pages.values()].map((page) => page.plays(3)));
  });

  afterAll(async () => {
    await Promise.all([...pages.values()].map((page) => page.close()));
    await browser.close();
    await Promise.all(publishers.map((publisher) => publisher.kill()));
    await server.close();
  });

  /** The publishers leave for so many seconds; hands back what the viewers saw from then on. */
  const leaveFor = async (seconds: number): Promise<Map<string, PlayerReport>> => {
    const goneAtMs = Date.now();
    await Promise.all(publishers.map((publisher) => publisher.kill()));
    const [first] = pages.values();
    await first!.sample(`${seconds} s to pass`, ({ wallMs }) => wallMs > goneAtMs + seconds * 1_000, 60_000);
    publish();
    const backAtMs = Date.now();
    // Without a slate Shaka Player looks for its picture in the time that the publisher was away until it is loaded again.
    await pages.get('hls.js silent')!.plays(2, 60_000);
    await pages.get('shaka silent')!.reload();
    const reports = await Promise.all(
      [...pages].map(async ([name, page]) => {
        const report = await page.plays(8, 60_000, backAtMs + 2_000);
        return [name, report.since(goneAtMs)] as const;
      }),
    );
    return new Map(reports);
  };

  it.each([7, 30])('go on by themselves after %i s', async (seconds) => {
    const reports = await leaveFor(seconds);
    for (const [name, report] of reports) {
      // Shaka Player calls a hinted part that did not come critical, and a gap in one rung; it plays on with another rung.
      const fatal = report.fatalErrors.filter((what) => !(name.startsWith('shaka') && /^1\.(1001|1011) /.test(what)));
      expect(fatal, name).toEqual([]);
      expect(report.last!.latencyS, name).toBeLessThan(15);
    }
    // A rung change in the middle of it costs Shaka Player up to a window of segments.
    expect(reports.get('hls.js slate')!.longestFreezeMs).toBeLessThan(4_000);
    expect(reports.get('shaka slate')!.longestFreezeMs).toBeLessThan(20_000);
  });

  it('end when the broadcast ends', async () => {
    for (const name of BROADCASTS) expect((await server.api('DELETE', `broadcasts/live/${name}`)).status).toBe(204);
    for (const page of pages.values()) {
      const { endS } = await page.seekable();
      await page.sample('the end', ({ timeS, idle }) => idle || timeS > endS - 0.5);
    }
  });
});
