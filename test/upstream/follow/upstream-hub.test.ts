import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Upstream } from '../../../src/upstream/follow/upstream.ts';
import type { UpstreamHub } from '../../../src/upstream/follow/upstream-hub.ts';
import { type Clock, systemClock } from '../../../src/util/clock.ts';
import { HubRig } from '../../support/hub-rig.ts';
import { until } from '../../support/poll.ts';
import { ScriptedChannel } from '../../support/upstream/scripted-channel.ts';
import type { UpstreamServer } from '../../support/upstream/upstream-server.ts';

const segments = Array.from({ length: 60 }, (_, index) => ({
  bytes: Buffer.from(`segment ${index}`),
  durationMs: 1_000,
}));

/** Target durations of a second are over in a tenth of it. */
const SPEED = 10;
const startMs = systemClock.nowMs();
const clock: Clock = {
  nowMs: () => startMs + (systemClock.nowMs() - startMs) * SPEED,
  wait: (ms, signal) => systemClock.wait(ms / SPEED, signal),
  every: (ms, task) => systemClock.every(ms / SPEED, task),
};

let rig: HubRig;
let server: UpstreamServer;
let hub: UpstreamHub;

beforeEach(async () => {
  rig = await HubRig.start({ clock, prefetchSegments: 3, idleMs: 600_000, random: () => 0 });
  ({ server, hub } = rig);
});

afterEach(() => rig.close());

function channel(path = '/live', options = {}): ScriptedChannel {
  const made = new ScriptedChannel(server, path, [
    { name: 'v0', media: segments, options },
    { name: 'a0', kind: 'audio', media: segments, options },
  ]);
  made.advance(6);
  return made;
}

async function textOf(upstream: Upstream, at: number): Promise<string> {
  const followed = upstream.follow('v0');
  const { segments: known } = await followed.next(-1);
  const media = followed.ask(known.at(at)!.item);
  try {
    return (await media.whole()).toString();
  } finally {
    media.release();
    followed.release();
  }
}

describe('an upstream of playlists', () => {
  it('is found, followed and fetched', async () => {
    const live = channel();
    const upstream = hub.open({ urls: [live.url] });
    expect(upstream.status().state).toBe('idle');
    expect(await upstream.kind()).toBe('hls');
    const { renditions } = await upstream.ladder();
    expect(renditions.map(({ id }) => id)).toEqual(['v0', 'a0']);
    expect(await textOf(upstream, 0)).toBe('segment 0');
    const followed = upstream.follow('v0');
    const { version } = await followed.next(-1);
    live.advance();
    const next = await followed.next(version);
    expect(next.segments.at(-1)?.number).toBe(6);
    expect(upstream.status()).toMatchObject({ state: 'live', urlIndex: 0, failovers: 0, lastError: undefined });
    expect(server.requests('/live/index.m3u8')).toHaveLength(1);
  });

  it('is one playlist where the address leads to segments, loaded once for both', async () => {
    const live = channel();
    const upstream = hub.open({ urls: [live.mediaUrl('v0')] });
    expect(await upstream.ladder()).toMatchObject({ playlist: undefined });
    await upstream.follow('v0').next(-1);
    expect(server.requests('/live/v0/index.m3u8')).toHaveLength(1);
  });

  it('is shared by equal sources: one loop and one request for each segment', async () => {
    const live = channel();
    const headers = { 'X-One': '1', 'X-Two': '2' };
    const one = hub.open({ urls: [live.url], headers });
    const other = hub.open({ urls: [live.url], headers: { 'x-two': '2', 'x-one': '1' } });
    await Promise.all([one.ladder(), other.ladder()]);
    expect(await Promise.all([textOf(one, -1), textOf(other, -1)])).toEqual(['segment 5', 'segment 5']);
    expect(server.requests('/live/v0/5.ts')).toHaveLength(1);
    expect(server.requests('/live/v0/5.ts')[0]?.headers).toMatchObject({ 'x-one': '1', 'x-two': '2' });
    expect(server.requests('/live/v0/index.m3u8')).toHaveLength(1);
    expect(hub.stats()).toMatchObject({ upstreams: 1, playlists: 1, hits: 1, misses: 1 });
    hub.open({ urls: [live.url] });
    expect(hub.stats().upstreams).toBe(2);
  });

  it('has no more connections than any of those who share it allows', async () => {
    const live = channel();
    const many = hub.open({ urls: [live.url] });
    const few = hub.open({ urls: [live.url], maxConnections: 1 });
    expect(hub.stats().upstreams).toBe(1);
    await many.ladder();
    const followed = ['v0', 'a0'].map((id) => many.follow(id));
    const snapshots = await Promise.all(followed.map((playlist) => playlist.next(-1)));
    const asked = followed.flatMap((playlist, at) => snapshots[at]!.segments.map(({ item }) => playlist.ask(item)));
    expect(await Promise.all(asked.map(async (media) => (await media.whole()).length))).toHaveLength(12);
    for (const media of asked) media.release();
    expect([server.peakRequests, many.fetcher.scope.maxConnections]).toEqual([1, 1]);
    few.release();
    expect(many.fetcher.scope.maxConnections).toBe(4);
  });

  it('asks for the newest address of a segment whose token has expired', async () => {
    const live = channel('/live', { tokens: true });
    const upstream = hub.open({ urls: [live.url] });
    await upstream.ladder();
    const followed = upstream.follow('v0');
    const old = await followed.next(-1);
    let snapshot = old;
    for (let load = 0; load < 2; load++) {
      live.advance();
      snapshot = await followed.next(snapshot.version);
    }
    const { item } = old.segments.at(-1)!;
    expect(snapshot.segments.find(({ item: { id } }) => id === item.id)?.item.target).not.toEqual(item.target);
    const media = followed.ask(item);
    expect((await media.whole()).toString()).toBe('segment 5');
    media.release();
  });

  it('loads the multivariant playlist again when the address of a playlist has expired', async () => {
    const live = channel();
    const upstream = hub.open({ urls: [live.url] });
    await upstream.ladder();
    const followed = upstream.follow('v0');
    const { version } = await followed.next(-1);
    server.rule('/live/v0/index.m3u8', { status: 403, times: 1 });
    live.advance();
    expect((await followed.next(version)).segments.at(-1)?.number).toBe(6);
    expect(server.requests('/live/index.m3u8')).toHaveLength(2);
    expect(upstream.status()).toMatchObject({ failovers: 0, counters: { errors: 0 } });
  });

  it('asks whether a playlist has changed', async () => {
    const etags = new Set<string>();
    const body = '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n0.ts\n';
    server.route('/cached.m3u8', ({ headers }) => {
      etags.add(String(headers['if-none-match']));
      return headers['if-none-match'] === '"1"'
        ? { status: 304 }
        : { headers: { etag: '"1"' }, body: Buffer.from(body) };
    });
    const upstream = hub.open({ urls: [server.url('/cached.m3u8')] });
    await upstream.ladder();
    upstream.follow('v0');
    await until('a playlist that has not changed', () => upstream.status().counters.unchanged > 0);
    expect([...etags]).toEqual(['undefined', '"1"']);
  });

  it('waits at the server where that holds its answers', async () => {
    const head = '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n';
    const asked: string[] = [];
    server.route('/held.m3u8', ({ query }) => {
      asked.push(query.toString());
      const count = Number(query.get('_HLS_msn') ?? 0) + 1;
      return { body: Buffer.from(head + Array.from({ length: count }, (_, n) => `#EXTINF:4,\n${n}.ts\n`).join('')) };
    });
    const upstream = hub.open({ urls: [server.url('/held.m3u8?key=a')] });
    await upstream.ladder();
    const followed = upstream.follow('v0');
    await until('three loads', async () => (await followed.next(-1)).segments.length >= 3);
    followed.release();
    expect(asked.slice(0, 3)).toEqual(['key=a', 'key=a&_HLS_msn=1', 'key=a&_HLS_msn=2']);
  });

  it('does not wait at the server with its only connection', async () => {
    const head = '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n';
    server.put('/held.m3u8', Buffer.from(`${head}#EXTINF:1,\n0.ts\n`));
    const upstream = hub.open({ urls: [server.url('/held.m3u8')], maxConnections: 1 });
    await upstream.ladder();
    upstream.follow('v0');
    await until('a playlist that has not changed', () => upstream.status().counters.unchanged > 1);
    expect(server.log.filter(({ query }) => query.has('_HLS_msn'))).toEqual([]);
  });

  it('goes on without held answers where they fail', async () => {
    const head = '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n';
    server.route('/held.m3u8', ({ query }) =>
      query.has('_HLS_msn') ? { status: 400 } : { body: Buffer.from(`${head}#EXTINF:1,\n0.ts\n`) },
    );
    const upstream = hub.open({ urls: [server.url('/held.m3u8')] });
    await upstream.ladder();
    upstream.follow('v0');
    await until('a playlist that has not changed', () => upstream.status().counters.unchanged > 0);
    expect(upstream.status()).toMatchObject({ state: 'live', counters: { errors: 0 } });
  });

  it('has no rendition that it does not offer', async () => {
    const upstream = hub.open({ urls: [channel().url] });
    expect(() => upstream.follow('v0')).toThrow('no rendition "v0"');
    await upstream.ladder();
    expect(() => upstream.follow('v7')).toThrow('no rendition "v7"');
  });
});

describe('an upstream with several addresses', () => {
  it('begins at the first one that works', async () => {
    const upstream = hub.open({ urls: [server.url('/gone.m3u8'), channel().url] });
    await upstream.ladder();
    expect(await textOf(upstream, 0)).toBe('segment 0');
    expect(upstream.status()).toMatchObject({ urlIndex: 1, failovers: 1 });
  });

  it('moves all its playlists to the next one, and says so', async () => {
    const [main, backup] = [channel('/main'), channel('/backup', { firstSequence: 500 })];
    const upstream = hub.open({ urls: [`${main.url}?secret=1`, backup.url] });
    const told: string[] = [];
    upstream.onChange(() => told.push(`${upstream.status().state} ${upstream.status().urlIndex}`));
    await upstream.ladder();
    const [video, audio] = [upstream.follow('v0'), upstream.follow('a0')];
    const [{ version }, { version: audioVersion }] = await Promise.all([video.next(-1), audio.next(-1)]);
    server.rule(/^\/main/, { status: 503 });
    main.advance();
    const [next, nextAudio] = await Promise.all([video.next(version), audio.next(audioVersion)]);
    for (const { segments: listed } of [next, nextAudio]) {
      const broken = listed.find(({ discontinuity }) => discontinuity);
      expect(broken).toMatchObject({ number: 6, discontinuitySequence: 1, segment: { sequence: 503 } });
    }
    expect(upstream.status()).toMatchObject({ state: 'live', urlIndex: 1, failovers: 1, address: backup.url });
    expect(told).toContain('failing 1');
    expect(told.at(-1)).toBe('live 1');
    expect(JSON.stringify(upstream.status())).not.toContain('secret');
  });

  it('tells why when all of them fail', async () => {
    const page = server.url('/page');
    server.put('/page', Buffer.from('<html>'), { 'content-type': 'text/html' });
    const upstream = hub.open({ urls: [server.url('/gone.m3u8'), page] });
    await expect(upstream.ladder()).rejects.toMatchObject({
      ...{ code: 'BAD_MEDIA', message: `"${page}" answers with a web page; an HLS playlist or MPEG-TS is needed` },
    });
    expect(upstream.status()).toMatchObject({ state: 'idle', counters: { errors: 2 } });
  });

  it('refuses a playlist that leads to itself', async () => {
    server.put('/loop.m3u8', Buffer.from('#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nloop.m3u8\n'));
    const upstream = hub.open({ urls: [server.url('/loop.m3u8')] });
    await upstream.ladder();
    await expect(upstream.follow('v0').next(-1)).rejects.toMatchObject({ code: 'BAD_MEDIA' });
  });

  it('refuses addresses that are not public', async () => {
    const upstream = hub.open({ urls: ['http://10.0.0.1/live.m3u8'] });
    await expect(upstream.ladder()).rejects.toMatchObject({
      message: expect.not.stringContaining('10.0.0.1:') as string,
    });
  });
});

describe('a continuous upstream', () => {
  it('is told by its bytes and opened', async () => {
    const packet = Buffer.alloc(188, 0xff);
    packet[0] = 0x47;
    server.rule('/stream', { endless: packet });
    server.put('/stream', packet);
    const upstream = hub.open({ urls: [server.url('/stream')] });
    expect(await upstream.kind()).toBe('mpegts');
    await expect(upstream.ladder()).rejects.toMatchObject({ code: 'BAD_MEDIA' });
    const response = await upstream.openStream();
    for await (const piece of response.pieces()) {
      expect(piece[0]).toBe(0x47);
      break;
    }
    expect(upstream.status().state).toBe('live');
    response.close();
    upstream.release();
    expect(hub.stats()).toMatchObject({ upstreams: 1, playlists: 0 });
  });
});

describe('the end of upstreams', () => {
  it('lets go of all that was followed, once, and ends what still goes on', async () => {
    const upstream = hub.open({ urls: [channel().url] });
    await upstream.ladder();
    const followed = upstream.follow('v0');
    await followed.next(-1);
    const waiting = followed.next(99).catch((error: unknown) => error);
    upstream.release();
    upstream.release();
    await hub.close();
    expect(await waiting).toMatchObject({ code: 'UNAVAILABLE' });
    expect(hub.stats()).toMatchObject({ upstreams: 0, playlists: 0, playlistLoads: 1 });
    expect(() => hub.open({ urls: ['http://127.0.0.1/'] })).toThrow('shutting down');
  });

  it('refuses what cannot be asked', () => {
    expect(() => hub.open({ urls: [] })).toThrow('needs an address');
    expect(() => hub.open({ urls: ['ftp://host/'] })).toThrow('no valid http or https address');
    expect(() => hub.open({ urls: ['http://host/'], headers: { host: 'other' } })).toThrow('host');
  });
});
