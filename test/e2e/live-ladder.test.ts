import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FfmpegPublisher } from '../support/ffmpeg-publisher.ts';
import type { ParsedMultivariant } from '../support/hls-client.ts';
import { fetchMultivariant } from '../support/hls-client.ts';
import { HlsRecorder } from '../support/hls-recorder.ts';
import { decodeErrors, probePackets, probeStream } from '../support/ffprobe.ts';
import { LiveServer, videoVariants } from '../support/live-server.ts';

const VIDEO = ['original', '240p', '144p'] as const;

/** One publisher with B-frames and AAC, recorded from its first segment to ENDLIST in every rendition. */
describe('a live ladder', () => {
  let server: LiveServer;
  let multivariant: ParsedMultivariant;
  const recorders = new Map<string, HlsRecorder>();

  beforeAll(async () => {
    server = await LiveServer.start();
    const publisher = new FfmpegPublisher({ url: server.rtmpUrl('demo'), durationS: 17, size: '640x360', bFrames: 2 });
    multivariant = await server.variants('demo', VIDEO.length);
    for (const rendition of VIDEO) recorders.set(rendition, new HlsRecorder(server.mediaUrl('demo', rendition)));
    recorders.set('audio', new HlsRecorder(server.mediaUrl('demo', 'audio', 'audio')));
    expect(await publisher.exited, publisher.stderr).toBe(0);
    await Promise.all([...recorders.values()].map(({ finished }) => finished));
  });

  afterAll(() => server.close());

  it('lists every rung with its true size, codecs, frame rate and measured rates, the one nearest 2 Mbit/s first', () => {
    const variants = videoVariants(multivariant);
    expect(variants.map(({ attributes }) => attributes['RESOLUTION'])).toEqual(['640x360', '426x240', '256x144']);
    for (const { attributes } of variants) {
      expect(attributes['CODECS']).toMatch(/^avc1\.[0-9a-f]{6},mp4a\.40\.2$/);
      expect(Number(attributes['FRAME-RATE'])).toBeCloseTo(30, 0);
      expect(Number(attributes['BANDWIDTH'])).toBeGreaterThanOrEqual(Number(attributes['AVERAGE-BANDWIDTH']));
      expect(Number(attributes['AVERAGE-BANDWIDTH'])).toBeGreaterThan(50_000);
      expect(attributes['AUDIO']).toBeDefined();
    }
    const audioOnly = multivariant.variants.filter(({ attributes }) => !('RESOLUTION' in attributes));
    expect(audioOnly.map(({ attributes }) => attributes['CODECS'])).toEqual(['mp4a.40.2']);
    expect(multivariant.media).toHaveLength(1);
  });

  it('cuts all renditions at the same places, numbers them alike and dates them alike', () => {
    const reference = recorders.get('240p')!.segments;
    expect(reference.length).toBeGreaterThanOrEqual(7);
    for (const [name, { segments }] of recorders) {
      const common = segments.filter(({ msn }) => reference.some((other) => other.msn === msn));
      expect(common.length, name).toBeGreaterThanOrEqual(6);
      expect(
        segments.some(({ gap }) => gap),
        name,
      ).toBe(false);
      expect(segments.filter(({ discontinuity }) => discontinuity).length, name).toBe(0);
      for (const segment of common.slice(0, -1)) {
        const other = reference.find(({ msn }) => msn === segment.msn)!;
        // Audio is cut at whole AAC frames (21.3 ms), and its first one may lie before the first picture.
        const slackS = name !== 'audio' ? 0.001 : segment === segments[0] ? 0.1 : 0.022;
        expect(Math.abs(segment.durationS - other.durationS), `${name} ${segment.msn}`).toBeLessThan(slackS);
        if (segment.programDateTimeMs !== undefined && other.programDateTimeMs !== undefined) {
          const aheadMs = Math.abs(segment.programDateTimeMs - other.programDateTimeMs);
          // Dates are those of the first frame, and the first AAC frame lies where it lies.
          expect(aheadMs, name).toBeLessThanOrEqual(name === 'audio' ? 22 : 0);
        }
      }
    }
  });

  it('gives the same pictures the same times in every rung, without a hole', async () => {
    const firstMsn = Math.max(...VIDEO.map((name) => recorders.get(name)!.segments[0]!.msn));
    const times = await Promise.all(
      VIDEO.map(async (name) => {
        const recorder = recorders.get(name)!;
        const from = recorder.segments.filter(({ msn }) => msn >= firstMsn);
        const init = recorder.inits.get(from[0]!.mapUrl)!;
        const packets = await probePackets(Buffer.concat([init, ...from.map(({ bytes }) => bytes)]));
        return packets.map(({ ptsS }) => ptsS.toFixed(3)).sort((a, b) => Number(a) - Number(b));
      }),
    );
    expect(times[1]).toEqual(times[0]);
    expect(times[2]).toEqual(times[0]);
    const steps = times[0]!.slice(1).map((time, index) => Number(time) - Number(times[0]![index]));
    expect(Math.max(...steps)).toBeLessThan(0.05);
  });

  it('starts every segment with a keyframe and keeps a 2 s cadence', async () => {
    for (const name of VIDEO) {
      const { segments, inits } = recorders.get(name)!;
      for (const segment of segments) {
        const packets = await probePackets(Buffer.concat([inits.get(segment.mapUrl)!, segment.bytes]));
        expect(packets[0]?.keyframe, `${name} ${segment.msn}`).toBe(true);
      }
      for (const { durationS } of segments.slice(0, -1)) expect(durationS).toBeCloseTo(2, 1);
    }
  });

  it('keeps picture and sound together', async () => {
    const video = recorders.get('240p')!;
    const audio = recorders.get('audio')!;
    const msn = video.segments[1]!.msn;
    const start = async (recorder: HlsRecorder): Promise<number> => {
      const segment = recorder.segments.find((candidate) => candidate.msn === msn)!;
      const packets = await probePackets(Buffer.concat([recorder.inits.get(segment.mapUrl)!, segment.bytes]));
      return Math.min(...packets.map(({ ptsS }) => ptsS));
    };
    const offsetS = (await start(audio)) - (await start(video));
    expect(offsetS).toBeGreaterThanOrEqual(-0.001);
    expect(offsetS).toBeLessThan(0.024);
  });

  it('decodes without a complaint, in the sizes that it says', async () => {
    for (const [name, size] of [
      ['original', [640, 360]],
      ['240p', [426, 240]],
      ['144p', [256, 144]],
    ] as const) {
      const media = recorders.get(name)!.file();
      expect(await decodeErrors(media), name).toBe('');
      const { width, height, codec } = await probeStream(media);
      expect([width, height, codec]).toEqual([...size, 'h264']);
    }
    expect(await decodeErrors(recorders.get('audio')!.file())).toBe('');
  });

  it('keeps the counters of every key after the end', async () => {
    const rows = await server.transcodes();
    const keys = rows.map(({ factory, rendition, track }) => `${factory} ${rendition} ${track}`);
    expect(keys).toEqual(
      expect.arrayContaining([
        'passthrough original video',
        'ffmpeg 240p video',
        'ffmpeg 144p video',
        'shared-audio audio audio',
      ]),
    );
    for (const row of rows.filter(({ state }) => state !== 'skipped')) {
      expect(row).toMatchObject({ restarts: 0, dropped: 0, panics: { start: 0, fragment: 0, stop: 0 } });
      expect(row.fragmentsSeen).toBeGreaterThan(500);
    }
  });

  it('still serves the ended playlists, with ENDLIST', async () => {
    expect(videoVariants(await fetchMultivariant(server.multivariantUrl('demo')))).toHaveLength(3);
  });
});
