import { execFile } from 'node:child_process';
import { createDecipheriv } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  fetchBytes,
  fetchMediaPlaylist,
  fetchMultivariant,
  fetchText,
  type ParsedMediaPlaylist,
} from '../support/hls-client.ts';
import { until } from '../support/poll.ts';
import { row } from '../support/pull-rig.ts';
import { RelayRig } from '../support/relay-rig.ts';
import { readTimecodes } from '../support/timecode.ts';
import { makeMedia } from '../support/upstream/made-media.ts';
import { encrypted, ScriptedChannel, subtitleSegments } from '../support/upstream/scripted-channel.ts';
import { UpstreamServer } from '../support/upstream/upstream-server.ts';

const run = promisify(execFile);

/** The clock of the relay runs so much faster than ours: waits that are 10 s there take 1 s here. */
const SPEED = 10;

const PACKETS = 'stream=codec_type,nb_read_packets';

/** The IV that a media sequence number stands for (RFC 8216, 5.2). */
function ivOf(sequence: number): Buffer {
  const iv = Buffer.alloc(16);
  iv.writeUInt32BE(sequence, 12);
  return iv;
}

function decrypted(bytes: Buffer, key: Buffer, iv: Buffer): Buffer {
  const decipher = createDecipheriv('aes-128-cbc', key, iv);
  return Buffer.concat([decipher.update(bytes), decipher.final()]);
}

describe('a relayed source', () => {
  let server: UpstreamServer;
  let rig: RelayRig;
  const channels: ScriptedChannel[] = [];

  beforeAll(async () => {
    server = await UpstreamServer.start();
    rig = await RelayRig.start(SPEED);
  });
  afterAll(async () => {
    for (const channel of channels) channel.stop();
    await rig.close();
    await server.close();
  });

  const channel = (...options: ConstructorParameters<typeof ScriptedChannel>): ScriptedChannel => {
    const made = new ScriptedChannel(...options);
    channels.push(made);
    return made;
  };
  /** The playlist of the only variant. */
  const playlistOf = async (url: string): Promise<{ url: string; playlist: ParsedMediaPlaylist }> => {
    const multivariant = (await fetchMultivariant(url))!;
    const media = multivariant.variants[0]!.url;
    return { url: media, playlist: (await fetchMediaPlaylist(media))! };
  };
  /** Once it has come so far. */
  const reached = (url: string, msn: number): Promise<ParsedMediaPlaylist> =>
    until(`segment ${msn}`, async () => {
      const playlist = await fetchMediaPlaylist(url);
      return playlist !== undefined && (playlist.segments.at(-1)?.msn ?? -1) >= msn && playlist;
    });

  it('plays as it is there, byte for byte, while its tokens rotate', async () => {
    const media = await makeMedia();
    const source = channel(server, '/tokens', [{ name: 'v0', media, options: { tokens: true } }]).advance(6);
    const { url } = await playlistOf(rig.relay('tokens', source.url));
    const seen = new Map<string, number>();
    for (let last = 5; last < 12; last += 1) {
      if (last > 5) source.advance();
      for (const segment of (await reached(url, last)).segments) {
        if (seen.has(segment.url)) continue;
        seen.set(segment.url, segment.msn);
        const bytes = await fetchBytes(segment.url);
        expect(bytes.equals(media.segments[segment.msn]!.bytes), `segment ${segment.msn}`).toBe(true);
      }
    }
    // Each has one address here, whatever its address is there.
    expect([...seen.values()]).toEqual(row(0, 11));
    source.end();
    await until('the end', async () => (await fetchMediaPlaylist(url))?.ended);
    const { stdout } = await run('ffprobe', ['-v', 'error', '-count_packets', '-show_entries', PACKETS, url]);
    expect(stdout).toMatch(/codec_type=video[^[]*nb_read_packets=150/);
    expect((await readTimecodes(url)).map(({ number }) => number)).toEqual(row(150, 299));
  });

  it('keeps its sound, subtitles, I-frames and keys', async () => {
    const key = Buffer.from('0123456789abcdef');
    const sound = await makeMedia({ container: 'fmp4', video: false });
    const plain = await makeMedia();
    const source = channel(server, '/rich', [
      { name: 'v0', media: encrypted(plain, (index) => ({ bytes: index < 6 ? key : Buffer.alloc(16, index) })) },
      { name: 'sound', kind: 'audio', media: sound },
      { name: 'text', kind: 'subtitles', media: subtitleSegments(12, 1_000) },
      { name: 'pictures', kind: 'iframes', media: plain },
    ]).end();
    const relay = rig.relay('rich', source.url);
    const text = (await fetchText(relay))!;
    expect(text).not.toContain(String(server.port));
    const { variants, media } = (await fetchMultivariant(relay))!;
    expect(media.map(({ attributes }) => [attributes['TYPE'], attributes['NAME']])).toEqual([
      ...[
        ['AUDIO', 'sound'],
        ['SUBTITLES', 'text'],
      ],
    ]);
    const subtitles = (await fetchMediaPlaylist(media[1]!.url))!;
    expect((await fetchBytes(subtitles.segments[3]!.url)).toString()).toContain('Line 3');
    const pictures = new URL(/#EXT-X-I-FRAME-STREAM-INF:.*URI="([^"]+)"/.exec(text)![1]!, relay).href;
    expect(await fetchText(pictures)).toContain('#EXT-X-I-FRAMES-ONLY');
    // Encrypted as it was, under keys that come from here.
    const playlist = (await fetchText(variants[0]!.url))!;
    const keys = [...playlist.matchAll(/#EXT-X-KEY:METHOD=AES-128,URI="([^"]+)"/g)].map(([, uri]) => uri!);
    expect(new Set(keys).size).toBe(7);
    expect(await fetchBytes(new URL(keys[0]!, variants[0]!.url).href)).toEqual(key);
    const [, second] = (await fetchMediaPlaylist(variants[0]!.url))!.segments;
    const clear = decrypted(await fetchBytes(second!.url), key, ivOf(1));
    expect(clear.equals(plain.segments[1]!.bytes)).toBe(true);
    expect((await readTimecodes(variants[0]!.url)).map(({ number }) => number)).toEqual(row(0, 299));
  });

  it('is asked once for each segment, however many watch', async () => {
    const source = channel(server, '/many', [{ name: 'v0', media: await makeMedia() }]).advance(6);
    const { url } = await playlistOf(rig.relay('many', source.url));
    const watch = async (): Promise<number> => {
      const { segments } = await reached(url, 5);
      const sizes = await Promise.all(segments.map(async (segment) => (await fetchBytes(segment.url)).length));
      return sizes.reduce((sum, size) => sum + size, 0);
    };
    const sizes = await Promise.all(Array.from({ length: 100 }, watch));
    expect(new Set(sizes).size).toBe(1);
    const requests = server.requests(/^\/many\/v0\/\d+\.ts$/).map(({ path }) => path);
    expect(server.requests('/many/v0/index.m3u8').length).toBeLessThan(50);
    expect(requests.toSorted()).toEqual(row(0, 5).map((number) => `/many/v0/${number}.ts`));
  });

  it('mends what breaks on the way', async () => {
    const media = await makeMedia();
    const source = channel(server, '/broken', [{ name: 'v0', media }]).advance(6);
    server.rule('/broken/v0/0.ts', { times: 2, cutAfter: 5_000 });
    server.rule('/broken/v0/1.ts', { times: 2, status: 503 });
    const { playlist } = await playlistOf(rig.relay('broken', source.url));
    for (const { url, msn } of playlist.segments.slice(0, 2)) {
      expect((await fetchBytes(url)).equals(media.segments[msn]!.bytes), `segment ${msn}`).toBe(true);
    }
    expect(server.requests('/broken/v0/0.ts').map(({ headers }) => headers.range)).toEqual([
      ...[undefined, 'bytes=5000-', 'bytes=10000-'],
    ]);
    const ranged = await fetch(playlist.segments[0]!.url, { headers: { range: 'bytes=188-375' } });
    expect(ranged.status).toBe(206);
    expect(Buffer.from(await ranged.arrayBuffer()).equals(media.segments[0]!.bytes.subarray(188, 376))).toBe(true);
  });

  it('goes on at its other address, with a break', async () => {
    const media = await makeMedia();
    const backup = await UpstreamServer.start();
    try {
      const source = channel(server, '/first', [{ name: 'v0', media }]).advance(6);
      const key = { bytes: Buffer.alloc(16, 1) };
      const other = await makeMedia({ size: '160x90', firstNumber: 1_000 });
      const hidden = encrypted(other, () => key);
      const second = channel(backup, '/second', [{ name: 'v0', media: hidden, options: { firstSequence: 500_000 } }]);
      second.advance(6);
      const { url } = await playlistOf(rig.relay('failover', source.url, second.url));
      await reached(url, 5);
      await server.down();
      const after = await until('the other address', async () => {
        const playlist = await fetchMediaPlaylist(url);
        return playlist?.segments.some(({ discontinuity }) => discontinuity) === true && playlist;
      });
      const broken = after.segments.findIndex(({ discontinuity }) => discontinuity);
      expect(after.segments.map(({ msn }) => msn)).toEqual(row(after.mediaSequence, after.segments.at(-1)!.msn));
      expect(after.segments.slice(0, broken).every(({ msn }) => msn <= 5)).toBe(true);
      // Its segments have other numbers here, so their IV is told.
      const text = (await fetchText(url))!;
      expect(text).not.toContain(String(backup.port));
      const [, keyUri, iv, segment] =
        /#EXT-X-DISCONTINUITY\n#EXT-X-KEY:METHOD=AES-128,URI="([^"]+)",IV=0x(\w{32})\n[^]*?\n(\w[^\n]+)/.exec(text)!;
      const [keyBytes, bytes] = await Promise.all([keyUri!, segment!].map((uri) => fetchBytes(new URL(uri, url).href)));
      const clear = decrypted(bytes!, keyBytes!, Buffer.from(iv!, 'hex'));
      expect(clear.equals(other.segments[Number(`0x${iv}`) - 500_000]!.bytes)).toBe(true);
      expect(rig.status('failover')).toMatchObject({ failovers: 1, urlIndex: 1 });
    } finally {
      await server.up();
      await backup.close();
    }
  });
});
