import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FfmpegPublisher } from '../support/ffmpeg-publisher.ts';
import { fetchBytes, fetchMediaPlaylist, type ListedSegment } from '../support/hls-client.ts';
import { LiveServer } from '../support/live-server.ts';
import { decodeJpeg, difference, firstPicture, type Picture } from '../support/pictures.ts';
import { until } from '../support/poll.ts';

const SMALLEST = '144p';
const THUMBNAIL = { width: 320, height: 180 };
const TILE = { width: 160, height: 90 };
/** Between a picture and its JPEG; pictures two seconds apart differ by more than twice as much. */
const SAME = 8;

interface Cue {
  readonly startS: number;
  readonly endS: number;
  readonly sheetUrl: string;
  readonly x: number;
  readonly y: number;
}

/** The test picture moves and counts seconds, so that each keyframe is a picture of its own. */
describe('still pictures of a live broadcast', () => {
  let server: LiveServer;
  let publisher: FfmpegPublisher;

  beforeAll(async () => {
    server = await LiveServer.start();
    publisher = new FfmpegPublisher({ url: server.rtmpUrl('demo') });
    await server.variants('demo', 3);
  });

  afterAll(async () => {
    await publisher.kill();
    await server.close();
  });

  const url = (file: string, name = 'demo'): string => server.multivariantUrl(name).replace('index.m3u8', file);

  async function segments(): Promise<readonly ListedSegment[]> {
    return (await fetchMediaPlaylist(server.mediaUrl('demo', SMALLEST)))?.segments ?? [];
  }

  async function pictureOf({ mapUrl, url: mediaUrl }: ListedSegment, size: typeof TILE): Promise<Picture> {
    return firstPicture(Buffer.concat(await Promise.all([fetchBytes(mapUrl), fetchBytes(mediaUrl)])), size);
  }

  async function storyboard(): Promise<{ zeroMs: number; cues: Cue[] }> {
    const vtt = await (await fetch(url('storyboard.vtt'))).text();
    const pattern = /^\d\d:(\d\d):(\S+) --> \d\d:(\d\d):(\S+)\n(\S+)#xywh=(\d+),(\d+),160,90$/gm;
    const cues = [...vtt.matchAll(pattern)].map(([, startM, startS, endM, endS, file, x, y]) => ({
      startS: Number(startM) * 60 + Number(startS),
      endS: Number(endM) * 60 + Number(endS),
      sheetUrl: new URL(file!, url('storyboard.vtt')).href,
      x: Number(x),
      y: Number(y),
    }));
    return { zeroMs: Date.parse(/^NOTE \S+ is (\S+)$/m.exec(vtt)?.[1] ?? ''), cues };
  }

  it('shows one of the newest keyframes in a thumbnail that any page may load', async () => {
    const response = await fetch(url('thumbnail.jpg'));
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('image/jpeg');
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    const thumbnail = await decodeJpeg(Buffer.from(await response.arrayBuffer()));
    expect([thumbnail.width, thumbnail.height]).toEqual([THUMBNAIL.width, THUMBNAIL.height]);
    const differences = await until('the segment that the thumbnail shows', async () => {
      const newest = (await segments()).slice(-3);
      const pictures = await Promise.all(newest.map((segment) => pictureOf(segment, THUMBNAIL)));
      const found = pictures.map((picture) => difference(thumbnail, picture));
      return found.some((one) => one < SAME) ? found : undefined;
    });
    expect(differences.filter((one) => one < SAME)).toHaveLength(1);
  });

  it('shows in each tile of the storyboard the picture that is played at its time', async () => {
    const { cues, listed } = await until('two tiles of a window that has not moved on', async () => {
      const [{ zeroMs, cues: found }, rows] = await Promise.all([storyboard(), segments()]);
      return found.length >= 2 && rows[0]?.programDateTimeMs === zeroMs ? { cues: found, listed: rows } : undefined;
    });
    expect(cues[0]?.startS).toBe(0);
    for (const { startS, endS, sheetUrl, x, y } of cues) {
      expect(endS).toBeGreaterThan(startS);
      const sheet = await decodeJpeg(await fetchBytes(sheetUrl));
      expect([sheet.width, sheet.height]).toEqual([800, 450]);
      const shown = await pictureOf(segmentAt(listed, startS), TILE);
      expect(difference(sheet, shown, { atX: x, atY: y })).toBeLessThan(SAME);
    }
  });

  it('answers 404 for what there is no picture of', async () => {
    const missing = [url('thumbnail.jpg', 'other'), url('storyboard.vtt', 'other'), url('storyboard-1.jpg')];
    for (const address of [...missing, url('storyboard-x.jpg'), url('storyboard--1.jpg')]) {
      expect((await fetch(address)).status, address).toBe(404);
    }
  });
});

function segmentAt(segments: readonly ListedSegment[], atS: number): ListedSegment {
  let startS = 0;
  const found = segments.find(({ durationS }) => {
    const isThere = Math.abs(startS - atS) < durationS / 2;
    startS += durationS;
    return isThere;
  });
  if (found === undefined) throw new Error(`no segment begins at ${atS} s`);
  return found;
}
