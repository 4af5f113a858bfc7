import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { type DemuxedFrame, Fmp4Demuxer } from '../../src/ingest/fmp4-demuxer.ts';
import { writeFragment } from '../../src/media/cmaf/fragment-writer.ts';
import type { TrackKind } from '../../src/media/fragment.ts';
import { decodeErrors, probePackets } from '../support/ffprobe.ts';
import { encodeFmp4, H264, splitFmp4, TEST_PICTURE, TEST_TONE } from '../support/fmp4.ts';

const NTSC = ['-f', 'lavfi', '-i', 'testsrc2=size=160x90:rate=30000/1001'];
const VP9 = ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-pix_fmt', 'yuv420p'];

/** Shaped like Chromium's MediaRecorder: H.264 and Opus in each moof, one fragment a keyframe. */
let recorded: Buffer;

beforeAll(async () => {
  recorded = await encodeFmp4([...TEST_PICTURE, ...TEST_TONE, ...H264, '-c:a', 'libopus'], { seconds: 3 });
});

function demux(...chunks: readonly Buffer[]): DemuxedFrame[] {
  const demuxer = new Fmp4Demuxer();
  return chunks.flatMap((chunk) => demuxer.push(chunk));
}

function ofKind(frames: readonly DemuxedFrame[], kind: TrackKind): DemuxedFrame[] {
  return frames.filter(({ init }) => init.kind === kind);
}

/** The frames of one track as a file. */
function remux(frames: readonly DemuxedFrame[]): Buffer {
  const written = frames.map(({ init, frame }) => writeFragment({ init, epoch: 0, frames: [frame], ingestedAtMs: 0 }));
  return Buffer.concat([frames[0]!.init.bytes, ...written.map(({ bytes }) => bytes)]);
}

describe('Fmp4Demuxer', () => {
  it('splits what a MediaRecorder sends into one stream of frames a track that ffmpeg decodes without a warning', async () => {
    const frames = demux(recorded);
    const video = ofKind(frames, 'video');
    const audio = ofKind(frames, 'audio');
    expect(video).toHaveLength(75);
    expect(video.filter(({ frame }) => frame.sync)).toHaveLength(3);
    expect(audio.every(({ frame, init }) => frame.sync && init.codec === 'opus')).toBe(true);
    expect(await decodeErrors(remux(video))).toBe('');
    expect(await decodeErrors(remux(audio))).toBe('');
    expect(await probePackets(remux(audio))).toHaveLength(audio.length);
  });

  it('gives the same frames for every cut', () => {
    const expected = demux(recorded);
    const cuts = fc.uniqueArray(fc.nat(recorded.length), { maxLength: 40 });
    fc.assert(
      fc.property(cuts, (places) => {
        const edges = [0, ...places.sort((a, b) => a - b), recorded.length];
        const frames = demux(...edges.slice(1).map((end, index) => recorded.subarray(edges[index], end)));
        expect(frames.length).toBe(expected.length);
        for (const [index, { frame }] of frames.entries()) {
          const other = expected[index]!.frame;
          if (frame.dts !== other.dts || frame.pts !== other.pts || !frame.data.equals(other.data)) {
            throw new Error(`frame ${index} differs`);
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  it('puts the tracks side by side in decode order, however large the fragments are', () => {
    const frames = demux(recorded);
    const seconds = frames.map(({ init, frame }) => frame.dts / init.timescale);
    expect(seconds).toEqual([...seconds].sort((a, b) => a - b));
    const kinds = frames.slice(0, 12).map(({ init }) => init.kind);
    expect(new Set(kinds).size).toBe(2);
  });

  it('converts absolute times to 90 kHz, so that nothing drifts', async () => {
    const stream = await encodeFmp4([...NTSC, ...H264, '-video_track_timescale', '16000'], { seconds: 3 });
    const frames = demux(stream);
    expect(frames).toHaveLength(90);
    for (const [index, { frame, init }] of frames.entries()) {
      expect(init.timescale).toBe(90_000);
      // 16,000 ticks a second cannot tell 1001/30000 s exactly: at most half a tick of theirs, and half of ours.
      expect(Math.abs(frame.dts - index * 3003)).toBeLessThanOrEqual(4);
      if (index > 0) expect(frames[index - 1]!.frame.dts + frames[index - 1]!.frame.duration).toBe(frame.dts);
    }
  });

  it('leaves 90 kHz times as they are', async () => {
    const stream = await encodeFmp4([...NTSC, ...H264, '-video_track_timescale', '90000'], { seconds: 1 });
    expect(demux(stream).map(({ frame }) => frame.dts)).toEqual(Array.from({ length: 30 }, (_, index) => index * 3003));
  });

  it('takes one fragment a frame as well as one a keyframe', async () => {
    const args = [...TEST_PICTURE, ...H264, '-video_track_timescale', '90000'];
    const single = await encodeFmp4(args, { movflags: 'empty_moov+default_base_moof+frag_every_frame' });
    const whole = await encodeFmp4(args);
    expect(demux(single).map(({ frame }) => frame)).toEqual(demux(whole).map(({ frame }) => frame));
  });

  it('applies edit lists to both tracks, and keeps all times positive', async () => {
    const args = [...TEST_PICTURE, ...TEST_TONE, ...H264, '-c:a', 'aac'];
    const movflags = 'empty_moov+default_base_moof+frag_keyframe+delay_moov';
    const frames = demux(await encodeFmp4(args, { seconds: 1, movflags }));
    const video = ofKind(frames, 'video');
    // The first picture is shown where the edit list cuts, which is where the tone begins after one frame of priming.
    expect(Math.min(...video.map(({ frame }) => frame.pts))).toBe(90_000);
    expect(ofKind(frames, 'audio')[0]?.frame.pts).toBe(48_000 - 1024);
    expect(frames.every(({ frame }) => frame.dts >= 0)).toBe(true);
  });

  it('estimates the frame rate from a first fragment that has enough frames', async () => {
    const whole = await encodeFmp4([...NTSC, ...VP9], { seconds: 1 });
    expect(demux(whole)[0]?.init.frameRate).toBeCloseTo(29.97, 2);
    const single = await encodeFmp4([...NTSC, ...VP9], {
      seconds: 1,
      movflags: 'empty_moov+default_base_moof+frag_every_frame',
    });
    expect(demux(single)[0]?.init.frameRate).toBeUndefined();
  });

  it('keeps the init’s identity until the init changes, a repeated one included', async () => {
    const other = await encodeFmp4([...NTSC, ...H264], { seconds: 1 });
    const { init } = splitFmp4(recorded);
    const { fragments } = splitFmp4(recorded);
    const [first] = fragments as [Buffer];
    const inits = (frames: readonly DemuxedFrame[]) => new Set(frames.map((frame) => frame.init));
    expect(inits(demux(init, first, init, first)).size).toBe(2);
    const changed = demux(init, first, other);
    expect(inits(changed).size).toBe(3);
    expect(changed.at(-1)?.init).toMatchObject({ width: 160, height: 90 });
  });

  it('uses the first video and the first audio track only', async () => {
    const two = [...TEST_PICTURE, ...NTSC, ...TEST_TONE, '-map', '0', '-map', '1', '-map', '2', ...H264, '-c:a', 'aac'];
    const frames = demux(await encodeFmp4(two, { seconds: 1 }));
    expect(ofKind(frames, 'video')).toHaveLength(25);
    expect(new Set(frames.map(({ init }) => init)).size).toBe(2);
  });

  it.each<[string, () => Buffer]>([
    [
      'a file that is not fragmented',
      () => Buffer.from('0000001c667479706d703432000000006d7034326d70343169736f6d00000008', 'hex'),
    ],
    ['fragments before any init', () => recorded.subarray(splitFmp4(recorded).init.length)],
    ['WebM', () => Buffer.from('1a45dfa39f4286810142f7810142f2810442f381084282847765626d', 'hex')],
  ])('refuses %s', (_name, make) => {
    const stream = Buffer.concat([make(), Buffer.from('00000010mdat')]);
    expect(() => demux(stream)).toThrow(expect.objectContaining({ code: 'BAD_MEDIA' }));
  });
});
