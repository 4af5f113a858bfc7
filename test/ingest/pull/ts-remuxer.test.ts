import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type FfmpegBinary, inspectFfmpeg } from '../../../src/ffmpeg/ffmpeg-binary.ts';
import type { DemuxedFrame } from '../../../src/ingest/fmp4-demuxer.ts';
import { readTsProgram, type TsProgram } from '../../../src/ingest/pull/ts-program.ts';
import { TsRemuxer } from '../../../src/ingest/pull/ts-remuxer.ts';
import { writeFragment } from '../../../src/media/cmaf/fragment-writer.ts';
import type { TrackKind } from '../../../src/media/fragment.ts';
import type { AppError } from '../../../src/util/errors.ts';
import { decodeErrors } from '../../support/ffprobe.ts';
import { seededRandom } from '../../support/fmp4.ts';
import { until } from '../../support/poll.ts';
import {
  encodeTs,
  patPacket,
  pmtPacket,
  probeTs,
  TS_AAC,
  TS_H264,
  TS_PICTURE,
  TS_TONE,
  TS_WRAP_TICKS,
} from '../../support/transport-streams.ts';

interface Remuxed {
  readonly failure: AppError | undefined;
  readonly warnings: string[];
  readonly of: (kind: TrackKind) => DemuxedFrame[];
}

let binary: FfmpegBinary;
beforeAll(async () => {
  binary = await inspectFfmpeg('ffmpeg');
});

let remuxer: TsRemuxer | undefined;
afterEach(() => remuxer?.close());

function create(program: TsProgram): Remuxed & { frames: DemuxedFrame[] } {
  const frames: DemuxedFrame[] = [];
  const warnings: string[] = [];
  remuxer = new TsRemuxer({
    ...{ binary, program },
    onFrames: (more) => frames.push(...more),
    onWarning: (line) => warnings.push(line),
  });
  return { failure: undefined, warnings, frames, of: (kind) => frames.filter(({ init }) => init.kind === kind) };
}

async function remux(bytes: Buffer, program = readTsProgram(bytes)!): Promise<Remuxed> {
  const created = create(program);
  await remuxer!.start();
  await remuxer!.write(bytes);
  return { ...created, failure: await remuxer!.end() };
}

/** Times in ticks of 90 kHz, as a transport stream counts. */
function times(frames: readonly DemuxedFrame[]): { dts: number; pts: number }[] {
  const ticks = (time: number, scale: number): number => Math.round((time * 90_000) / scale);
  return frames.map(({ init, frame }) => ({
    dts: ticks(frame.dts, init.timescale),
    pts: ticks(frame.pts, init.timescale),
  }));
}

/** The longest distance between a frame's end and the next frame, in seconds. */
function largestGapS(frames: readonly DemuxedFrame[]): number {
  const gaps = frames.slice(1).map(({ init, frame }, index) => {
    const before = frames[index]!.frame;
    return Math.abs(frame.dts - before.dts - before.duration) / init.timescale;
  });
  return Math.max(...gaps);
}

function asMp4(frames: readonly DemuxedFrame[]): Buffer {
  const [{ init }] = frames as [DemuxedFrame];
  const fragments = frames.map(
    ({ frame }) => writeFragment({ init, epoch: 0, frames: [frame], ingestedAtMs: 0 }).bytes,
  );
  return Buffer.concat([init.bytes, ...fragments]);
}

describe('TsRemuxer', () => {
  it('gives every frame the times of its PES packet, B-frames too, with nothing between them', async () => {
    const bytes = await encodeTs([...TS_PICTURE, ...TS_TONE, ...TS_H264, ...TS_AAC]);
    const { failure, warnings, of } = await remux(bytes);
    expect([failure, warnings]).toEqual([undefined, []]);
    expect(of('video')).toHaveLength(50);
    expect(times(of('video'))).toEqual(await probeTs(bytes, 'v'));
    expect(of('video')[0]).toMatchObject({
      init: { timescale: 90_000, width: 320, height: 180 },
      frame: { sync: true },
    });
    const sound = times(of('audio'));
    const probed = await probeTs(bytes, 'a');
    expect(sound).toHaveLength(probed.length);
    // Ticks of 48 kHz cannot tell each tick of 90 kHz.
    sound.forEach(({ pts }, index) => expect(Math.abs(pts - probed[index]!.pts)).toBeLessThanOrEqual(1));
    expect(largestGapS(of('video'))).toBe(0);
    expect(largestGapS(of('audio'))).toBeLessThan(0.000_1);
    expect(await decodeErrors(asMp4(of('video')))).toBe('');
    expect(await decodeErrors(asMp4(of('audio')))).toBe('');
  });

  it.each([
    [
      'interlaced H.264 and MP2',
      ['-c:v', 'libx264', '-preset', 'ultrafast', '-flags', '+ildct+ilme', '-c:a', 'mp2'],
      'avc1',
      50,
    ],
    ['MPEG-2 and AC-3', ['-c:v', 'mpeg2video', '-c:a', 'ac3'], 'avc1', 50],
    ['H.264 and LATM', [...TS_H264, '-c:a', 'aac', '-mpegts_flags', 'latm'], 'avc1', 50],
    ['H.264 and E-AC-3 with six channels', [...TS_H264, '-c:a', 'eac3', '-ac', '6'], 'avc1', 50],
    [
      'HEVC and AAC',
      ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none', ...TS_AAC],
      'hvc1',
      50,
    ],
  ])('takes %s, encoding what fragments cannot carry', async (_, codecs, codec, count) => {
    const bytes = await encodeTs([...TS_PICTURE, ...TS_TONE, ...codecs]);
    const { failure, of } = await remux(bytes);
    expect(failure).toBeUndefined();
    expect(of('video')).toHaveLength(count);
    expect(of('video')[0]!.init.codec).toMatch(codec);
    const presented = (list: readonly { pts: number }[]): number[] => list.map(({ pts }) => pts).sort((a, b) => a - b);
    expect(presented(times(of('video')))).toEqual(presented(await probeTs(bytes, 'v')));
    expect(of('audio')[0]!.init).toMatchObject({ codec: 'mp4a.40.2', timescale: 48_000 });
    // An encoder begins with up to a frame of its own.
    const [sound] = times(of('audio'));
    const [probed] = await probeTs(bytes, 'a');
    expect(Math.abs(sound!.pts - probed!.pts)).toBeLessThanOrEqual(1_921);
    expect(largestGapS(of('audio'))).toBeLessThan(0.002);
    expect(await decodeErrors(asMp4(of('video')))).toBe('');
  });

  it.each([
    ['a picture alone', [...TS_PICTURE, ...TS_H264], [50, 0]],
    ['sound alone', [...TS_TONE, ...TS_AAC], [0, 94]],
  ])('takes %s', async (_, args, [pictures, sounds]) => {
    const { failure, of } = await remux(await encodeTs(args));
    expect(failure).toBeUndefined();
    expect(of('video')).toHaveLength(pictures!);
    expect(Math.abs(of('audio').length - sounds!)).toBeLessThanOrEqual(2);
  });

  it('counts on over the wrap of the clock, from negative times where it begins before', async () => {
    const bytes = await encodeTs([...TS_PICTURE, ...TS_TONE, ...TS_H264, ...TS_AAC], {
      startS: TS_WRAP_TICKS / 90_000 - 1,
    });
    const { of } = await remux(bytes);
    const pictures = times(of('video'));
    expect(pictures[0]!.dts).toBeLessThan(0);
    expect(pictures.at(-1)!.dts).toBeGreaterThan(0);
    expect(largestGapS(of('video'))).toBe(0);
    expect(largestGapS(of('audio'))).toBeLessThan(0.000_1);
    const modulo = (ticks: number): number => (ticks + TS_WRAP_TICKS) % TS_WRAP_TICKS;
    expect(modulo(pictures[0]!.dts)).toBe(modulo((await probeTs(bytes, 'v'))[0]!.dts));
  });

  it('keeps a hole as it is, in both tracks', async () => {
    const first = await encodeTs([...TS_PICTURE, ...TS_TONE, ...TS_H264, ...TS_AAC], { seconds: 1 });
    const later = await encodeTs([...TS_PICTURE, ...TS_TONE, ...TS_H264, ...TS_AAC], { seconds: 1, startS: 14 });
    const { failure, of } = await remux(Buffer.concat([first, later]));
    expect(failure).toBeUndefined();
    expect(of('video')).toHaveLength(50);
    const [before, after] = [of('video')[24]!, of('video')[25]!];
    expect(after.frame.dts - before.frame.dts).toBe(3 * 90_000 + 3_600);
    expect(after.frame.sync).toBe(true);
    const sound = of('audio').map(({ frame }) => frame.dts / 48_000);
    const steps = sound.slice(1).map((dts, index) => dts - sound[index]!);
    expect(Math.max(...steps)).toBeGreaterThan(2.9);
    expect(Math.max(...steps)).toBeLessThan(3.1);
  });

  it('takes what begins and ends in the middle of a packet, and bits that flipped', async () => {
    const bytes = await encodeTs([...TS_PICTURE, ...TS_TONE, ...TS_H264, ...TS_AAC], { seconds: 3 });
    const random = seededRandom(3);
    const damaged = Buffer.from(bytes.subarray(0, bytes.length - 100));
    for (let left = 20; left > 0; left -= 1) {
      const at = 50_000 + (random() % (damaged.length - 50_000));
      // Damage to a sync byte or a PID would be the loss of a packet.
      if (at % 188 > 30) damaged[at] = damaged[at]! ^ (1 << (random() % 8));
    }
    const { failure, of } = await remux(damaged);
    expect(failure).toBeUndefined();
    expect(of('video').length).toBeGreaterThanOrEqual(70);
    expect(of('audio').length).toBeGreaterThanOrEqual(130);
  });

  it('gives frames another init when the picture changes its format in mid-stream', async () => {
    const small = await encodeTs([...TS_PICTURE, ...TS_H264], { seconds: 1 });
    const large = ['-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=25'];
    const later = await encodeTs([...large, ...TS_H264], { seconds: 1, startS: 11 });
    const { failure, of } = await remux(Buffer.concat([small, later]));
    expect(failure).toBeUndefined();
    const inits = [...new Set(of('video').map(({ init }) => init))];
    expect(inits.map(({ width }) => width)).toEqual([320, 640]);
    const changed = of('video').filter(({ init }) => init === inits[1]);
    expect(changed).toHaveLength(25);
    expect(await decodeErrors(asMp4(changed))).toBe('');
  });

  it('gives the frames of a live stream without waiting for seconds of it', async () => {
    const bytes = await encodeTs([...TS_PICTURE, ...TS_TONE, ...TS_H264, ...TS_AAC], { seconds: 1 });
    const { of } = create(readTsProgram(bytes)!);
    await remuxer!.start();
    await remuxer!.write(bytes);
    // Without an end of the input: it may hold back a few frames only.
    await until('frames', () => of('video').length >= 20 && of('audio').length >= 35);
  });

  it('says what is wrong with a stream that it cannot take', async () => {
    const program = readTsProgram(
      Buffer.concat([patPacket([[1, 0x1000]]), pmtPacket(0x1000, 1, [{ type: 0x1b, pid: 0x100 }])]),
    )!;
    const { failure } = await remux(Buffer.alloc(188 * 100, 0x47), program);
    expect(failure).toMatchObject({ code: 'TRANSCODER_FAILED' });
    expect(() => create({ ...program, isEncrypted: true })).toThrow(/encrypted.*relay/);
    expect(() => create({ ...program, video: undefined })).toThrow(/neither video nor sound/);
  });

  it('ends at once when it is closed, whatever it does', async () => {
    const bytes = await encodeTs([...TS_PICTURE, ...TS_H264], { seconds: 1 });
    const { of } = create(readTsProgram(bytes)!);
    await remuxer!.start();
    await remuxer!.write(bytes);
    await until('frames', () => of('video').length > 0);
    await remuxer!.close();
    expect(await remuxer!.done).toBeInstanceOf(Error);
    await remuxer!.close();
  });
});
