import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { UpstreamHub } from '../../../src/upstream/follow/upstream-hub.ts';
import { HubRig } from '../../support/hub-rig.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/poll.ts';
import { ScriptedChannel } from '../../support/upstream/scripted-channel.ts';
import type { UpstreamServer } from '../../support/upstream/upstream-server.ts';

const PROBE_MS = 30_000;
const segments = Array.from({ length: 60 }, (_, index) => ({
  bytes: Buffer.from(`segment ${index}`),
  durationMs: 1_000,
}));

let rig: HubRig;
let server: UpstreamServer;
let hub: UpstreamHub;
let clock: ManualClock;

beforeEach(async () => {
  clock = new ManualClock();
  rig = await HubRig.start({ clock, prefetchSegments: 0, idleMs: 600_000 });
  ({ server, hub } = rig);
});

afterEach(() => rig.close());

describe('the first address, while a backup is used', () => {
  it('is looked at every half minute, and taken again when it has been well for a minute', async () => {
    const [main, backup] = ['/main', '/backup'].map(
      (path) => new ScriptedChannel(server, path, [{ name: 'v0', media: segments }]),
    );
    main!.advance(6);
    backup!.advance(6);
    const end = server.rule(/^\/main/, { status: 503 });
    const upstream = hub.open({ urls: [main!.url, backup!.url] });
    const reasons: string[] = [];
    upstream.rotation.onSwitch(({ reason }) => reasons.push(reason));
    await upstream.ladder();
    const followed = upstream.follow('v0');
    let { version } = await followed.next(-1);
    end();
    reasons.length = 0;
    for (let looks = 1; looks <= 3; looks++) {
      expect(upstream.status().urlIndex).toBe(1);
      main!.advance(2);
      backup!.advance();
      clock.advance(PROBE_MS);
      ({ version } = await followed.next(version));
      await until('a look at the first address', () => server.requests('/main/v0/index.m3u8').length >= looks);
    }
    await until('the return', () => upstream.status().urlIndex === 0);
    expect(reasons).toEqual(['the first address works again']);
    await until('a break', () => followed.current()?.segments.some(({ discontinuity }) => discontinuity));
  });

  it('is not taken while it fails, nor looked at while nobody wants the source', async () => {
    const backup = new ScriptedChannel(server, '/backup', [{ name: 'v0', media: segments }]);
    backup.advance(6);
    const upstream = hub.open({ urls: [server.url('/gone.m3u8'), backup.url] });
    await upstream.ladder();
    clock.advance(PROBE_MS);
    const followed = upstream.follow('v0');
    let { version } = await followed.next(-1);
    expect(server.requests('/gone.m3u8')).toHaveLength(1);
    for (let looks = 1; looks <= 4; looks++) {
      backup.advance();
      clock.advance(PROBE_MS);
      ({ version } = await followed.next(version));
      await until('a look at the first address', () => server.requests('/gone.m3u8').length === 1 + looks);
    }
    expect(upstream.status()).toMatchObject({ state: 'live', urlIndex: 1 });
  });

  it('is looked at by its first bytes where the source is a stream', async () => {
    const packet = Buffer.alloc(188 * 8, 0xff);
    for (let at = 0; at < packet.length; at += 188) packet[at] = 0x47;
    for (const path of ['/main', '/backup']) server.put(path, packet);
    const upstream = hub.open({ urls: [server.url('/main'), server.url('/backup')] });
    expect(await upstream.kind()).toBe('mpegts');
    upstream.rotation.giveUp(upstream.rotation.current, 'nothing came');
    (await upstream.openStream()).close();
    for (let looks = 1; looks <= 3; looks++) {
      expect(upstream.rotation.current.index).toBe(1);
      clock.advance(PROBE_MS);
      await until('a look at the first address', () => server.requests('/main').length === 1 + looks);
      await until('the end of the look', () => server.openRequests === 0);
    }
    await until('the return', () => upstream.rotation.current.index === 0);
  });
});
