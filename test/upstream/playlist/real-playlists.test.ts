import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseMediaPlaylist as oracle, type SegmentTags } from '../../../src/check/m3u8/media-playlist.ts';
import { type MediaPlaylist, parseMediaPlaylist } from '../../../src/upstream/playlist/media-playlist.ts';
import type { SegmentHead } from '../../../src/upstream/playlist/segment.ts';
import { playing } from '../../support/low-latency-stage.ts';

const BASE = 'http://origin.test/a/index.m3u8';

/** What both parsers tell, in one form. */
function facts({ segments, trailing, preloadHint, mediaSequence, ended }: MediaPlaylist): unknown {
  const headOf = (head: SegmentHead): unknown => [
    ...[head.sequence, head.discontinuity, head.isGap, head.programDateTimeMs],
    ...[head.map?.uri.href, head.map?.byteRange],
    head.parts.map((part) => [part.uri.href, part.durationMs, part.independent, part.gap]),
  ];
  return {
    ...{ mediaSequence, ended, hint: preloadHint?.uri.href, trailing: headOf(trailing) },
    segments: segments.map((segment) => [headOf(segment), segment.uri.href, segment.byteRange, segment.durationMs]),
  };
}

function oracleFacts(text: string): unknown {
  const { segments, open, hints, mediaSequence, ended } = oracle(text, BASE);
  const headOf = (tags: SegmentTags): unknown => [
    ...[tags.msn, tags.discontinuity, tags.gap, tags.statedDateMs, tags.map?.url, tags.map?.range],
    tags.parts.map((part) => [part.url, toMs(part.durationS), part.independent, part.gap]),
  ];
  return {
    ...{ mediaSequence, ended, hint: hints[0]?.url, trailing: headOf(open) },
    segments: segments.map((segment) => [headOf(segment), segment.url, segment.range, toMs(segment.durationS)]),
  };
}

function toMs(seconds: number): number {
  return Math.round(seconds * 1e6) / 1e3;
}

describe('playlists of our own server', () => {
  it('are read as the checker reads them, with parts, hint and dates', () => {
    const text = playing(9.2).playlist('720p') ?? '';
    const playlist = parseMediaPlaylist(text, new URL(BASE));
    expect(facts(playlist)).toEqual(oracleFacts(text));
    expect(playlist).toMatchObject({ serverControl: { canBlockReload: true }, targetDurationMs: 3_000 });
    expect(playlist.trailingParts).toHaveLength(2);
    expect(playlist.segments.at(-1)!.parts.length).toBeGreaterThan(2);
  });
});

describe('playlists of ffmpeg', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'playlists-'));
    await writeFile(path.join(folder, 'key'), Buffer.alloc(16, 7));
    await writeFile(path.join(folder, 'info'), `key.bin\n${path.join(folder, 'key')}\n${'0'.repeat(31)}5\n`);
    const source =
      '-f lavfi -i testsrc=s=64x36:r=10 -t 4 -c:v libx264 -preset ultrafast -g 10 -f hls -hls_time 1 -hls_list_size 0';
    const make = (name: string, ...options: string[]): Promise<unknown> =>
      promisify(execFile)('ffmpeg', ['-v', 'error', ...source.split(' '), ...options, `${name}.m3u8`], { cwd: folder });
    await make('ts', '-hls_flags', 'program_date_time');
    await make('fmp4', '-hls_segment_type', 'fmp4', '-hls_flags', 'single_file', '-hls_playlist_type', 'vod');
    await make('aes', '-hls_key_info_file', 'info');
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  const read = async (name: string): Promise<MediaPlaylist> => {
    const text = await readFile(path.join(folder, `${name}.m3u8`), 'utf8');
    const playlist = parseMediaPlaylist(text, new URL(BASE));
    expect(facts(playlist)).toEqual(oracleFacts(text));
    return playlist;
  };

  it('are read as the checker reads them, with dates', async () => {
    const { segments, ended } = await read('ts');
    expect(segments).toHaveLength(4);
    expect(ended).toBe(true);
    expect(Math.abs(segments[0]!.programDateTimeMs! - Date.now())).toBeLessThan(3_600_000);
  });

  it('name the parts of one file', async () => {
    const { segments, type } = await read('fmp4');
    const [last] = segments.slice(-1);
    const file = (await readdir(folder)).find((name) => name.endsWith('.m4s'))!;
    expect(last!.byteRange!.offset + last!.byteRange!.length).toBe((await readFile(path.join(folder, file))).length);
    expect(last!.map!.byteRange).toMatchObject({ offset: 0 });
    expect(type).toBe('vod');
  });

  it('tell how they are encrypted', async () => {
    const { segments } = await read('aes');
    expect(segments.map(({ key }) => [key!.method, key!.uri!.pathname])).toEqual(
      Array<unknown>(4).fill(['AES-128', '/a/key.bin']),
    );
    expect(segments[0]!.key!.iv!.readUInt8(15)).toBe(5);
  });
});
