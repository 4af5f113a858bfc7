import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { Fmp4Demuxer } from '../../src/ingest/fmp4-demuxer.ts';
import { HlsRecorder } from '../support/hls-recorder.ts';
import { LiveServer, PASSTHROUGH_LADDER } from '../support/live-server.ts';
import { row } from '../support/pull-rig.ts';
import { readTimecodes, type TimecodedFrame, writeTimecodedFilm } from '../support/timecode.ts';
import { type MadeSegment, makeMedia } from '../support/upstream/made-media.ts';
import { encrypted, ScriptedChannel } from '../support/upstream/scripted-channel.ts';
import { UpstreamServer } from '../support/upstream/upstream-server.ts';

const LADDER = `${PASSTHROUGH_LADDER}
[[rendition]]
name = "144p"
width = 256
height = 144
videoBitrateKbps = 300
audioBitrateKbps = 64
preset = "ultrafast"

[[rendition]]
name = "108p"
width = 192
height = 108
videoBitrateKbps = 250
audioBitrateKbps = 64
preset = "ultrafast"
`;
const RUNGS = ['original', '144p', '108p'];
/** Long enough that nothing is left out when this machine is busy. */
const WINDOW = { windowSegments: 20 };
const AUDIO_RUNG = 'audio';
const ALLOWED = 'allowPrivate = ["127.0.0.0/8"]';

/** What a rung has between two breaks, as a file would have it. */
function stretchesOf(recorder: HlsRecorder): Buffer[] {
  const stretches: Buffer[][] = [];
  for (const { bytes, discontinuity, mapUrl, gap } of recorder.segments) {
    if (gap) continue;
    if (stretches.length === 0 || discontinuity) stretches.push([recorder.inits.get(mapUrl) ?? Buffer.alloc(0)]);
    stretches.at(-1)!.push(bytes);
  }
  return stretches.map((parts) => Buffer.concat(parts));
}

/** Pictures of one rung, each stretch by itself. */
function picturesOf(recorder: HlsRecorder): Promise<TimecodedFrame[][]> {
  return Promise.all(stretchesOf(recorder).map((bytes) => readTimecodes(bytes)));
}

/** Where the tracks of each stretch begin and end, in seconds: how far those of the sound are from those of the picture. */
function skewsOf(picture: HlsRecorder, sound: HlsRecorder): number[] {
  const edges = (recorder: HlsRecorder): number[] =>
    stretchesOf(recorder).flatMap((bytes) => {
      const frames = new Fmp4Demuxer({ keepsTimes: true }).push(bytes);
      const starts = frames.map(({ init, frame }) => frame.pts / init.timescale);
      const ends = frames.map(({ init, frame }) => (frame.pts + frame.duration) / init.timescale);
      return [Math.min(...starts), Math.max(...ends)];
    });
  const [pictureEdges, soundEdges] = [edges(picture), edges(sound)];
  if (soundEdges.length !== pictureEdges.length) throw new Error(`${soundEdges.length / 2} stretches of sound`);
  return soundEdges.map((edge, index) => edge - pictureEdges[index]!);
}

function numbersOf(pictures: readonly TimecodedFrame[][]): number[][] {
  return pictures.map((stretch) => stretch.map(({ number }) => number));
}

/** A whole server that makes ladders of what another one has. */
describe('a ladder of a remote HLS channel', () => {
  let upstream: UpstreamServer;
  let server: LiveServer;

  beforeAll(async () => {
    upstream = await UpstreamServer.start();
    server = await LiveServer.start({ ladder: LADDER, settings: ALLOWED });
  });
  afterAll(async () => {
    await server.close();
    await upstream.close();
  });

  const add = async (name: string, urls: readonly string[]): Promise<void> => {
    const { status } = await server.api('POST', 'sources', { name, urls, mode: 'ladder' });
    if (status !== 201) throw new Error(`the source is answered with ${status}`);
  };
  /** Records every rung, and the sound, until the channel ends. */
  const record = async (name: string): Promise<{ rungs: HlsRecorder[]; sound: HlsRecorder }> => {
    await server.variants(name, RUNGS.length);
    const rungs = RUNGS.map((rung) => new HlsRecorder(server.mediaUrl(name, rung)));
    return { rungs, sound: new HlsRecorder(server.mediaUrl(name, AUDIO_RUNG, 'audio')) };
  };

  it.concurrent(
    'has every picture in every rung, through advertisements, lost segments and clocks that are reset',
    async ({ expect }) => {
      const key = Buffer.alloc(16, 9);
      const film = encrypted(await makeMedia({ seconds: 10 }), () => ({ bytes: key })).segments;
      const ad = await makeMedia({ seconds: 2, size: '256x144', startS: 0, firstNumber: 500, bFrames: 0 });
      const later = await makeMedia({ seconds: 3, startS: 5_000, firstNumber: 300 });
      const breaking = (segments: readonly MadeSegment[]) =>
        segments.map((segment, index) => ({ ...segment, discontinuity: index === 0 }));
      const lost = film.map((segment, index) => (index === 5 ? { ...segment, missing: true } : segment));
      const channel = new ScriptedChannel(upstream, '/tv', [{ name: 'v0', media: lost.slice(0, 8), options: WINDOW }]);
      channel
        .playlist()
        .append(breaking(ad.segments))
        .append(breaking(lost.slice(8)))
        .append(later.segments);
      channel.advance(5).run();
      await add('tv', [channel.url]);
      const { rungs, sound } = await record('tv');
      await expect.poll(() => channel.playlist().left, { timeout: 20_000 }).toBe(0);
      channel.end();
      await Promise.all([...rungs, sound].map(({ finished }) => finished));
      const shown = [[...row(50, 124), ...row(150, 199)], row(500, 549), row(200, 249), row(300, 374)];
      for (const [index, recorder] of rungs.entries()) {
        expect.soft(numbersOf(await picturesOf(recorder)), RUNGS[index]).toEqual(shown);
        for (const skew of skewsOf(recorder, sound)) expect.soft(Math.abs(skew), RUNGS[index]).toBeLessThan(0.15);
      }
    },
  );

  it.concurrent(
    'goes on from another address, of another clock and numbering, while nobody’s playlist ends',
    async ({ expect }) => {
      const media = await makeMedia({ seconds: 10 });
      const backup = await makeMedia({ seconds: 12, startS: 700, firstNumber: 1_000 });
      const one = new ScriptedChannel(upstream, '/one', [{ name: 'v0', media, options: WINDOW }]).advance(5).run();
      const options = { ...WINDOW, firstSequence: 500_000 };
      const two = new ScriptedChannel(upstream, '/two', [{ name: 'v0', media: backup, options }]).advance(5).run();
      await add('both', [one.url, two.url]);
      const { rungs, sound } = await record('both');
      upstream.rule(/^\/one/, { status: 503 });
      await expect.poll(() => two.playlist().left, { timeout: 20_000 }).toBe(0);
      two.end();
      await Promise.all([...rungs, sound].map(({ finished }) => finished));
      for (const [index, recorder] of rungs.entries()) {
        const [first = [], second = [], ...others] = numbersOf(await picturesOf(recorder));
        expect.soft(first, RUNGS[index]).toEqual(row(50, first.at(-1) ?? 0));
        expect.soft(second, RUNGS[index]).toEqual(row(second[0] ?? 0, 1_299));
        expect.soft(second[0], RUNGS[index]).toBeGreaterThanOrEqual(1_000);
        expect.soft(others, RUNGS[index]).toEqual([]);
        for (const skew of skewsOf(recorder, sound)) expect.soft(Math.abs(skew), RUNGS[index]).toBeLessThan(0.15);
      }
    },
  );

  it.concurrent(
    'can be made of another Laddercast’s low-latency playlists, whose sound is apart',
    async ({ expect }) => {
      const origin = await LiveServer.start({ ladder: PASSTHROUGH_LADDER });
      try {
        const film = path.join(origin.folder, 'film.mp4');
        await writeTimecodedFilm(film, { seconds: 9, rate: '25', sounds: ['440'], output: ['-bf', '2', '-g', '25'] });
        const publisher = spawn('ffmpeg', [
          '-v',
          'error',
          '-re',
          '-i',
          film,
          '-c',
          'copy',
          '-f',
          'flv',
          origin.rtmpUrl('cam'),
        ]);
        const published = once(publisher, 'close');
        await origin.variants('cam', 1);
        await add('again', [origin.multivariantUrl('cam')]);
        const { rungs, sound } = await record('again');
        await published;
        await Promise.all([...rungs, sound].map(({ finished }) => finished));
        for (const [index, recorder] of rungs.entries()) {
          const [shown = [], ...others] = numbersOf(await picturesOf(recorder));
          expect.soft(shown, RUNGS[index]).toEqual(row(shown[0] ?? 0, 224));
          expect.soft(shown[0], RUNGS[index]).toBeLessThan(125);
          expect.soft(others, RUNGS[index]).toEqual([]);
          for (const skew of skewsOf(recorder, sound)) expect.soft(Math.abs(skew), RUNGS[index]).toBeLessThan(0.15);
        }
      } finally {
        await origin.close();
      }
    },
  );
});
