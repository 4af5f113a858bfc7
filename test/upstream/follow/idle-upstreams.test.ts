import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { UpstreamHub } from '../../../src/upstream/follow/upstream-hub.ts';
import { HubRig } from '../../support/hub-rig.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/poll.ts';
import { ScriptedChannel } from '../../support/upstream/scripted-channel.ts';
import type { UpstreamServer } from '../../support/upstream/upstream-server.ts';

const IDLE_MS = 60_000;
const segments = Array.from({ length: 30 }, (_, index) => ({
  bytes: Buffer.from(`segment ${index}`),
  durationMs: 1_000,
}));

let rig: HubRig;
let server: UpstreamServer;
let hub: UpstreamHub;
let clock: ManualClock;
let live: ScriptedChannel;

beforeEach(async () => {
  clock = new ManualClock();
  rig = await HubRig.start({ clock, prefetchSegments: 3, idleMs: IDLE_MS });
  ({ server, hub } = rig);
  live = new ScriptedChannel(server, '/live', [{ name: 'v0', media: segments }]).advance(6);
});

afterEach(() => rig.close());

const fetched = (): number => server.requests(/\.ts$/).length;

describe('what nobody uses any more', () => {
  it('is not fetched ahead once its player has gone, and does not count as active after a minute', async () => {
    const upstream = hub.open({ urls: [live.url] });
    await upstream.ladder();
    const followed = upstream.follow('v0');
    const { segments: listed } = await followed.next(-1);
    const media = followed.ask(listed[2]!.item, { viewer: 'anna' });
    await media.whole();
    media.release();
    await until('what follows', () => fetched() === 4);
    clock.advance(IDLE_MS - 1);
    expect(hub.stats()).toMatchObject({ activePrefetchers: 1, prefetched: 3 });
    clock.advance(1);
    expect(hub.stats()).toMatchObject({ activePrefetchers: 0, playlists: 1 });
    live.advance(2);
    const newest = (): number | undefined => followed.current()?.segments.at(-1)?.number;
    await until('the newest segment', () => {
      clock.advance(1_000);
      return newest() === 7;
    });
    expect(fetched()).toBe(4);
  });

  it('is kept for somebody who comes back within a minute, and then forgotten but for its totals', async () => {
    const upstream = hub.open({ urls: [live.url] });
    await upstream.ladder();
    await upstream.follow('v0').next(-1);
    upstream.release();
    clock.advance(10_000);
    await until('the end of its loads', () => hub.stats().playlists === 0);
    clock.advance(IDLE_MS - 10_001);
    const again = hub.open({ urls: [live.url] });
    clock.advance(IDLE_MS);
    expect(again.status().counters.playlistLoads).toBeGreaterThan(0);
    await again.ladder();
    expect(server.requests('/live/index.m3u8')).toHaveLength(1);
    again.release();
    const { playlistLoads } = hub.stats();
    clock.advance(IDLE_MS - 1);
    expect(hub.stats().upstreams).toBe(1);
    clock.advance(1);
    await until('the end of the upstream', () => hub.stats().upstreams === 0);
    expect(hub.stats()).toMatchObject({ playlists: 0, activePrefetchers: 0, playlistLoads });
    expect(hub.open({ urls: [live.url] }).status().counters.playlistLoads).toBe(0);
  });
});
