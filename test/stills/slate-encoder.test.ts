import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeFragment } from '../../src/media/cmaf/fragment-writer.ts';
import { readFragment } from '../../src/media/cmaf/fragment-reader.ts';
import { readTrackInit } from '../../src/media/cmaf/init-reader.ts';
import type { Fragment, TrackInit } from '../../src/media/fragment.ts';
import type { FrameLoop } from '../../src/media/slate.ts';
import { SlateEncoder } from '../../src/stills/slate-encoder.ts';
import { StillRenderer } from '../../src/stills/still-renderer.ts';
import { audioInit, videoInit } from '../support/fragments.ts';
import { probePackets, probeStream } from '../support/ffprobe.ts';
import { encodeFmp4, splitFmp4 } from '../support/fmp4.ts';

const run = promisify(execFile);
const silent = new AbortController().signal;

/** A keyframe of one colour with the init that it needs. */
async function keyframeOf(
  colour: string,
  size: string,
  profile = 'high',
): Promise<{ init: TrackInit; keyframe: Fragment }> {
  const stream = await encodeFmp4(
    [
      ...['-f', 'lavfi', '-i', `color=${colour}:size=${size}:rate=30`, '-c:v', 'libx264', '-profile:v', profile],
      ...['-pix_fmt', 'yuv420p', '-video_track_timescale', '90000'],
    ],
    { seconds: 0.1, movflags: 'empty_moov+default_base_moof+frag_every_frame' },
  );
  const { init: bytes, fragments } = splitFmp4(stream);
  const init = readTrackInit(bytes);
  return { init, keyframe: readFragment(fragments[0]!, init, { epoch: 0, ingestedAtMs: 0 })! };
}

/** The loop played `times` times, as a file. */
function play({ init, frames }: FrameLoop, times: number): Buffer {
  const pieces = [init.bytes];
  let dts = 0;
  for (let round = 0; round < times; round += 1) {
    for (const { duration, sync, data } of frames) {
      pieces.push(
        writeFragment({ init, epoch: 0, frames: [{ dts, pts: dts, duration, sync, data }], ingestedAtMs: 0 }).bytes,
      );
      dts += duration;
    }
  }
  return Buffer.concat(pieces);
}

/** Four pixels of each frame from left to right, as red, green and blue; fails on any decoding error. */
async function pixels(file: Buffer): Promise<number[][][]> {
  const child = run(
    'ffmpeg',
    [
      '-v',
      'error',
      '-xerror',
      '-i',
      'pipe:0',
      '-vf',
      'format=rgb24,scale=4:1:flags=neighbor',
      '-fps_mode',
      'passthrough',
      '-f',
      'rawvideo',
      'pipe:1',
    ],
    { encoding: 'buffer', maxBuffer: 64 << 20 },
  );
  child.child.stdin?.end(file);
  const { stdout, stderr } = await child;
  expect(stderr.toString()).toBe('');
  return Array.from({ length: stdout.length / 12 }, (_, frame) =>
    Array.from({ length: 4 }, (_unused, x) => [...stdout.subarray(frame * 12 + x * 3, frame * 12 + x * 3 + 3)]),
  );
}

const isRed = ([red, green, blue]: number[]): boolean => red! > 200 && green! < 60 && blue! < 60;
const isBlack = (pixel: number[]): boolean => pixel.every((value) => value < 20);

describe('SlateEncoder', () => {
  let folder: string;
  const renderer = new StillRenderer({ binaryPath: 'ffmpeg' });
  const encoder = new SlateEncoder({ renderer, keyframeEachMs: 2_000 });

  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-slate-'));
  });

  afterAll(async () => {
    await renderer.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('freezes the last keyframe: two seconds of H.264 in the size of the source, without B-frames, that repeat without a seam', async () => {
    const source = await keyframeOf('red', '640x360');
    const [loop] = await encoder.encode(
      { video: { ...source, frameRate: 30 }, audio: undefined, image: undefined },
      silent,
    );
    expect(loop!.frames.map(({ sync }) => sync)).toEqual([true, ...Array<boolean>(59).fill(false)]);
    expect(loop!.frames.reduce((sum, { duration }) => sum + duration, 0)).toBe(180_000);
    expect(loop!.init).toMatchObject({ kind: 'video', width: 640, height: 360, frameRate: 30, timescale: 90_000 });
    const file = play(loop!, 2);
    const packets = await probePackets(file);
    expect(packets).toHaveLength(120);
    const stream = await probeStream(file);
    expect(stream).toMatchObject({ codec: 'h264', hasBFrames: 0 });
    const pictures = await pixels(file);
    expect(pictures).toHaveLength(120);
    for (const picture of pictures) expect(picture.every(isRed)).toBe(true);
  });

  it.each([
    [30_000 / 1001, 60, 180_180],
    [25, 50, 180_000],
    [1, 2, 180_000],
    [0.01, 2, 180_000],
    [1_000, 240, 180_000],
  ])('keeps the frame rate %f', async (frameRate, frames, ticks) => {
    const source = await keyframeOf('red', '64x64');
    const [loop] = await encoder.encode(
      { video: { ...source, frameRate }, audio: undefined, image: undefined },
      silent,
    );
    expect(loop!.frames).toHaveLength(frames);
    expect(loop!.frames.reduce((sum, { duration }) => sum + duration, 0)).toBe(ticks);
  });

  it('keeps to the profile of the source', async () => {
    const source = await keyframeOf('red', '64x64', 'baseline');
    const [loop] = await encoder.encode(
      { video: { ...source, frameRate: 5 }, audio: undefined, image: undefined },
      silent,
    );
    expect(loop!.init.codec).toMatch(/^avc1\.42/);
  });

  it('fits an image of another shape into the size of the source', async () => {
    const image = path.join(folder, 'square.png');
    execFileSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'color=red:size=300x300', '-frames:v', '1', image]);
    const source = await keyframeOf('green', '640x320');
    const [loop] = await encoder.encode({ video: { ...source, frameRate: 10 }, audio: undefined, image }, silent);
    expect(loop!.init).toMatchObject({ width: 640, height: 320 });
    const [picture] = await pixels(play(loop!, 1));
    expect(picture!.map((pixel) => (isRed(pixel) ? 'red' : isBlack(pixel) ? 'black' : pixel.join()))).toEqual([
      'black',
      'red',
      'red',
      'black',
    ]);
  });

  it('shows black if the source left no keyframe', async () => {
    const video = { init: videoInit(), keyframe: undefined, frameRate: 10 };
    const [loop] = await encoder.encode({ video, audio: undefined, image: undefined }, silent);
    expect(loop!.init).toMatchObject({ width: 1280, height: 720 });
    const [picture] = await pixels(play(loop!, 1));
    expect(picture!.every(isBlack)).toBe(true);
  });

  it.each([
    ['mp4a.40.2', 48_000, 2],
    ['mp4a.40.2', 44_100, 1],
    ['mp4a.40.5', 32_000, 6],
    ['mp4a.40.2', 48_000, 7],
    ['opus', 48_000, 2],
  ])('makes silence for %s at %d Hz with %d channels', async (codec, sampleRate, channels) => {
    const source = { ...audioInit(), codec, sampleRate, channels };
    const [loop] = await encoder.encode({ video: undefined, audio: source, image: undefined }, silent);
    const { init, frames } = loop!;
    expect(init).toMatchObject({
      kind: 'audio',
      sampleRate,
      channels: channels === 7 ? 2 : channels,
      timescale: sampleRate,
    });
    expect(init.codec).toBe(codec === 'opus' ? 'opus' : 'mp4a.40.2');
    expect(new Set(frames.map(({ duration }) => duration))).toEqual(new Set([codec === 'opus' ? 960 : 1024]));
    const child = run('ffmpeg', ['-v', 'error', '-xerror', '-i', 'pipe:0', '-f', 's16le', 'pipe:1'], {
      encoding: 'buffer',
    });
    child.child.stdin?.end(play(loop!, 3));
    const { stdout } = await child;
    expect(stdout.length).toBeGreaterThan(0);
    expect(stdout.every((byte) => byte === 0)).toBe(true);
  });

  it('gives one loop for each track of the source', async () => {
    const source = await keyframeOf('red', '64x64');
    const order = { video: { ...source, frameRate: 10 }, audio: audioInit(), image: undefined };
    expect((await encoder.encode(order, silent)).map(({ init }) => init.kind)).toEqual(['video', 'audio']);
  });

  it('says what is wrong with an image or a keyframe', async () => {
    const source = await keyframeOf('red', '64x64');
    const encode = (order: { image?: string; keyframe?: Fragment }): Promise<FrameLoop[]> =>
      encoder.encode({ video: { ...source, frameRate: 10, ...order }, audio: undefined, image: order.image }, silent);
    await expect(encode({ image: path.join(folder, 'none.png') })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(encode({ image: folder })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(encode({ image: import.meta.filename })).rejects.toMatchObject({ code: 'TRANSCODER_FAILED' });
    const broken = { ...source.keyframe, bytes: Buffer.alloc(source.keyframe.bytes.length, 0xee) };
    await expect(encode({ keyframe: broken })).rejects.toMatchObject({ code: 'TRANSCODER_FAILED' });
  });

  it('stops when nobody wants the slate any more', async () => {
    const source = await keyframeOf('red', '64x64');
    const gone = new AbortController();
    const encoding = encoder.encode(
      { video: { ...source, frameRate: 10 }, audio: undefined, image: undefined },
      gone.signal,
    );
    gone.abort();
    await expect(encoding).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
