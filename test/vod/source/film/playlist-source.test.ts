import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseRemoteUrl } from '../../../../src/remote/remote-url.ts';
import { FilmShelf } from '../../../../src/vod/source/film/film-shelf.ts';
import { PlaylistSource } from '../../../../src/vod/source/film/playlist-source.ts';
import type { FfmpegInput, InputPlace } from '../../../../src/vod/source/media-source.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { openRemoteAccess } from '../../../support/remote-access.ts';
import { type ScriptedSegment } from '../../../support/upstream/scripted-playlist.ts';
import { encrypted, ScriptedChannel } from '../../../support/upstream/scripted-channel.ts';
import { UpstreamServer } from '../../../support/upstream/upstream-server.ts';

let upstream: UpstreamServer;
let access: ReturnType<typeof openRemoteAccess>;
let clock: ManualClock;
let shelf: FilmShelf;
beforeEach(async () => {
  upstream = await UpstreamServer.start();
  clock = new ManualClock();
  access = openRemoteAccess({}, clock);
  shelf = new FilmShelf();
});
afterEach(async () => {
  await access.close();
  await upstream.close();
});

/** Begins like a transport stream, and goes on with its number. */
function segment(number: number, packets = 3): ScriptedSegment {
  return {
    bytes: Buffer.alloc(188 * packets, number)
      .fill(0x47, 0, 1)
      .fill(0x47, 188, 189),
    durationMs: 2_000,
  };
}

function channel(options = {}, segments = [1, 2, 3, 4].map((number) => segment(number))): ScriptedChannel {
  return new ScriptedChannel(upstream, '/film', [{ name: 'v0', media: segments, options }]).end();
}

function open(address: string): Promise<PlaylistSource> {
  return PlaylistSource.open({ access, shelf, target: parseRemoteUrl(address) });
}

async function read(input: FfmpegInput): Promise<Buffer> {
  try {
    return Buffer.from(await (await fetch(input.url)).arrayBuffer());
  } finally {
    input.release();
  }
}

async function numbersFrom(source: PlaylistSource, place?: InputPlace): Promise<number[]> {
  const bytes = await read(await source.openInput(place));
  return [...bytes.filter((_, at) => at % (188 * 3) === 10)];
}

const ticks = (seconds: number): InputPlace => ({ from: { ticks: seconds * 90_000, endTicks: 8 * 90_000 } });

describe('a playlist as a source', () => {
  it('is one stream from any of its segments on, each of which is fetched once for all', async () => {
    const source = await open(channel().mediaUrl('v0'));
    expect(source).toMatchObject({ kind: 'playlist', sizeBytes: 0, hasSoundApart: false });
    const before = upstream.requests(/\d\.ts$/).length;
    const all = await Promise.all([
      numbersFrom(source),
      numbersFrom(source, ticks(4.5)),
      numbersFrom(source, { from: { lastSegments: 2 } }),
    ]);
    expect(all).toEqual([
      [1, 2, 3, 4],
      [3, 4],
      [3, 4],
    ]);
    expect(await numbersFrom(source, { track: 'audio' })).toEqual([1, 2, 3, 4]);
    expect(upstream.requests(/\d\.ts$/)).toHaveLength(before + 4);
  });

  it('lets ffmpeg read nothing but a stream of the right format on loopback', async () => {
    const { url, options, release } = await (await open(channel().url)).openInput();
    const valueOf = (option: string): string | undefined => options[options.indexOf(option) + 1];
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{48}$/);
    expect(valueOf('-f')).toBe('mpegts');
    expect(valueOf('-protocol_whitelist')).toBe('http,tcp');
    expect(valueOf('-format_whitelist')).not.toContain('hls');
    release();
    expect((await fetch(url)).status).toBe(404);
  });

  it('is the same with other tokens, and another with another content, address or duration', async () => {
    const address = channel({ tokens: true }).mediaUrl('v0');
    const { identity, label } = await open(`${address}?token=hunter2`);
    expect((await open(`${address}?token=hunter3`)).identity).toBe(identity);
    expect(label + identity).not.toContain('hunter');
    expect(identity).toMatch(/^playlist:[0-9a-f]{64}$/);
    const others = [
      channel(
        {},
        [1, 2, 3, 5].map((number) => segment(number)),
      ),
      channel(
        {},
        [0, 2, 3, 4].map((number) => segment(number)),
      ),
      channel(
        {},
        [1, 2, 3, 4].map((number) => ({ ...segment(number), durationMs: 2_001 })),
      ),
    ];
    for (const other of others) expect((await open(other.mediaUrl('v0'))).identity).not.toBe(identity);
  });

  it('takes newer addresses when its own have run out, once for all readers', async () => {
    const film = channel({ tokens: true });
    const source = await open(film.mediaUrl('v0'));
    for (let loads = 0; loads < 3; loads++) await fetch(film.mediaUrl('v0'));
    const loads = (): number => upstream.requests(/v0\/index\.m3u8$/).length;
    const before = loads();
    expect(await Promise.all([numbersFrom(source), numbersFrom(source)])).toEqual([
      [1, 2, 3, 4],
      [1, 2, 3, 4],
    ]);
    expect(loads()).toBe(before + 1);
  });

  it('fails where a segment is gone for good, and says so to whoever reads', async () => {
    const source = await open(
      channel(
        {},
        [1, 2, 3, 4].map((number) => ({ ...segment(number), missing: number === 3 })),
      ).url,
    );
    const input = await source.openInput();
    expect(input.fault?.()).toBeUndefined();
    await expect(read(input)).rejects.toThrow();
    expect(input.fault?.()).toMatchObject({ code: 'UNAVAILABLE' });
    const before = upstream.requests(/v0\/index\.m3u8$/).length;
    await expect(read(await source.openInput())).rejects.toThrow();
    // Looked at a moment ago.
    expect(upstream.requests(/v0\/index\.m3u8$/)).toHaveLength(before);
  });

  it('fails where a segment is something else', async () => {
    const source = await open(
      channel({}, [segment(1), { bytes: Buffer.from('#EXTM3U\n'.repeat(99)), durationMs: 2_000 }, segment(3)]).url,
    );
    const input = await source.openInput();
    await expect(read(input)).rejects.toThrow();
    expect(input.fault?.()).toMatchObject({ code: 'BAD_MEDIA', message: expect.stringContaining('MPEG-TS') as string });
  });

  it('is decrypted, also after a key was wrong at first', async () => {
    const media = { segments: [1, 2].map((number) => segment(number)), extension: 'ts' as const };
    const made = encrypted({ ...media, codecs: '', size: undefined, rate: 25, bitsPerSecond: 1 }, () => ({
      bytes: Buffer.alloc(16, 5),
    }));
    const film = new ScriptedChannel(upstream, '/secret', [{ name: 'v0', media: made.segments }]).end();
    let asked = 0;
    upstream.route(/key-0\.bin$/, () => (asked++ === 0 ? { body: Buffer.alloc(16, 6) } : undefined));
    expect(await numbersFrom(await open(film.mediaUrl('v0')))).toEqual([1, 2]);
    expect(asked).toBe(2);
  });

  it('is loaded again when there was no room to remember it, unless it is another film by then', async () => {
    shelf = new FilmShelf(1);
    const source = await open(channel().mediaUrl('v0'));
    const other = new ScriptedChannel(upstream, '/other', [{ name: 'v0', media: [segment(9)] }]).end();
    await open(other.mediaUrl('v0'));
    expect(await numbersFrom(source)).toEqual([1, 2, 3, 4]);
    await open(other.mediaUrl('v0'));
    channel({}, [segment(7)]);
    await expect(source.openInput()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
