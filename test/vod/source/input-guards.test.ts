import { execFileSync } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findFfprobe, runFfprobe } from '../../../src/ffmpeg/ffprobe.ts';
import type { FfmpegInput } from '../../../src/vod/source/media-source.ts';
import { SourceResolver } from '../../../src/vod/source/source-resolver.ts';
import { openRemoteAccess } from '../../support/remote-access.ts';
import { RangeServer } from '../../support/range-server.ts';

let root: string;
let media: Buffer;
let binaryPath: string;
let bait: RangeServer;
let holder: RangeServer;
let resolver: SourceResolver;
let access: ReturnType<typeof openRemoteAccess>;

beforeAll(async () => {
  root = await fs.realpath(await fs.mkdtemp(path.join(os.tmpdir(), 'laddercast-guards-')));
  const lavfi = (graph: string): string[] => ['-f', 'lavfi', '-i', graph];
  const make = (name: string, ...args: string[]): unknown =>
    execFileSync('ffmpeg', [
      '-v',
      'error',
      '-y',
      ...lavfi('testsrc2=size=64x64:rate=10:duration=1'),
      ...args,
      path.join(root, name),
    ]);
  const x264 = ['-c:v', 'libx264', '-preset', 'ultrafast'];
  make('good.mp4', ...x264);
  make('good.mkv', ...x264);
  make('good.ts', ...x264);
  make('good.avi', '-c:v', 'mpeg4');
  make('huge.mp4', '-vf', 'scale=6400:6000', '-frames:v', '1', ...x264);
  media = await fs.readFile(path.join(root, 'good.ts'));
  [bait, holder] = await Promise.all([RangeServer.start(media), RangeServer.start(media)]);
  binaryPath = await findFfprobe('ffmpeg');
  access = openRemoteAccess();
  resolver = new SourceResolver({ mediaRoots: [root], remote: access });
});
afterAll(async () => {
  await access.close();
  await Promise.all([bait.close(), holder.close(), fs.rm(root, { recursive: true })]);
});
afterEach(() => (bait.seen.length = 0));

async function probe(input: FfmpegInput): Promise<string> {
  const args = ['-show_entries', 'format=format_name', '-of', 'csv=p=0'];
  try {
    return (await runFfprobe({ binaryPath, args, input, timeoutMs: 15_000, maxOutputBytes: 10_000 })).toString().trim();
  } finally {
    input.release();
  }
}

/** Texts that ffmpeg takes for lists of further files by their content; each would fetch `target`. */
const LISTS: [string, (target: string) => string][] = [
  ['an HLS playlist', (target) => `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n${target}\n#EXT-X-ENDLIST\n`],
  ['a multivariant playlist', (target) => `#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n${target}\n`],
  ['an ffconcat script', (target) => `ffconcat version 1.0\nfile '${target}'\n`],
  [
    'an SDP description',
    () =>
      'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n',
  ],
  [
    'a DASH manifest',
    (target) =>
      `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>${target}</BaseURL><SegmentBase/></Representation></AdaptationSet></Period></MPD>`,
  ],
];

describe('the confinement of ffmpeg', () => {
  it.each(['good.mp4', 'good.mkv', 'good.ts', 'good.avi'])('lets %s through, local and remote', async (name) => {
    const formats = [await probe(await (await resolver.resolve(name)).openInput())];
    holder.replace(await fs.readFile(path.join(root, name)), `"${name}"`);
    formats.push(await probe(await (await resolver.resolve(holder.url(`/${name}`))).openInput()));
    expect(formats[0]).toMatch(/mp4|matroska|mpegts|avi/);
    expect(formats[1]).toBe(formats[0]);
  });

  describe.each(LISTS)('against %s named as a film', (_what, list) => {
    it.each([
      ['an address', () => bait.url('/seg.ts')],
      ['a local file', () => `file:${path.join(root, 'good.ts')}`],
      ['a file beside it', () => 'good.ts'],
    ])('that names %s', async (_target, target) => {
      const text = list(target());
      await fs.writeFile(path.join(root, 'list.mp4'), text);
      await expect(probe(await (await resolver.resolve('list.mp4')).openInput())).rejects.toMatchObject({
        code: 'BAD_MEDIA',
      });
      expect(bait.seen).toEqual([]);
      // Playlists on web servers are films, of which this program reads the segments itself.
      if (text.startsWith('#EXTM3U')) return;
      holder.replace(Buffer.from(text), `"${text.length}"`);
      await expect(probe(await (await resolver.resolve(holder.url('/film.mp4'))).openInput())).rejects.toMatchObject({
        code: 'BAD_MEDIA',
      });
      expect(bait.seen).toEqual([]);
    });
  });

  it('would notice a request, were there one', async () => {
    const hls = LISTS[0]![1](bait.url('/seg.ts'));
    await fs.writeFile(path.join(root, 'open.m3u8'), hls);
    const url = path.join(root, 'open.m3u8');
    const options = ['-protocol_whitelist', 'file,http,tcp'];
    expect(await probe({ url, options, release: () => undefined })).toBe('hls');
    expect(bait.seen.length).toBeGreaterThan(0);
  });

  it('refuses pictures so large that decoding one would fill the memory', async () => {
    const framesOf = async (name: string): Promise<string> => {
      const input = await (await resolver.resolve(name)).openInput();
      const args = ['-show_entries', 'frame=media_type', '-of', 'csv=p=0'];
      const probed = runFfprobe({ binaryPath, args, input, timeoutMs: 15_000, maxOutputBytes: 100_000 });
      return probed.then(String, () => '');
    };
    expect(await framesOf('good.mp4')).toContain('video');
    expect(await framesOf('huge.mp4')).not.toContain('video');
  });

  it('tells neither the place of a file nor the address of the relay', async () => {
    await fs.writeFile(path.join(root, 'text.mp4'), 'this is no film '.repeat(100));
    const local = probe(await (await resolver.resolve('text.mp4')).openInput());
    await expect(local).rejects.toThrow(/Invalid data|moov/);
    await expect(local).rejects.not.toThrow(root);
    holder.replace(Buffer.alloc(5_000, 'text'), '"text"');
    const remote = probe(await (await resolver.resolve(holder.url('/film.mp4?token=1'))).openInput());
    await expect(remote).rejects.toThrow(/Invalid data|moov/);
    await expect(remote).rejects.not.toThrow(/127\.0\.0\.1/);
  });
});
