import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readMatroskaIndex } from '../../../src/vod/source/matroska-index.ts';
import { readMp4Index } from '../../../src/vod/source/mp4-index.ts';
import { readEndTicks, readPacketIndex } from '../../../src/vod/source/packet-pass.ts';
import { type VideoIndex, VideoIndexBuilder } from '../../../src/vod/source/video-index.ts';
import { bytesOf, film, H264, PICTURE, SOUND, sourceOf } from '../../support/films.ts';

let folder: string;
let regular: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-index-'));
  regular = await film(folder, ...PICTURE, ...SOUND, '-t', '9', ...H264, '-c:a', 'aac', 'regular.mp4');
});

afterAll(() => rm(folder, { recursive: true }));

/** What all packets tell. */
async function packetsOf(file: string, streamIndex = 0): Promise<VideoIndex> {
  const input = await (await sourceOf(file)).openInput();
  const index = await readPacketIndex({ binaryPath: 'ffprobe', input, streamIndex, timeoutMs: 15_000 });
  return index!;
}

async function mp4(file: string, trackId = 1): Promise<VideoIndex | undefined> {
  const bytes = await bytesOf(file);
  try {
    return await readMp4Index(bytes, trackId);
  } finally {
    await bytes.close();
  }
}

async function mkv(file: string): Promise<VideoIndex | undefined> {
  const bytes = await bytesOf(file);
  try {
    return await readMatroskaIndex(bytes, 0);
  } finally {
    await bytes.close();
  }
}

/** The same times, but for what ffprobe's six decimals lose. */
function expectSame(index: VideoIndex | undefined, packets: VideoIndex): void {
  const { keyframes, frames, endTicks, reorderTicks, config, ...rest } = index!;
  expect(rest).toEqual({ gopBytes: packets.gopBytes, isClosed: packets.isClosed, hidesFrames: packets.hidesFrames });
  expect(config?.[0]).toBe(1);
  expectNear(keyframes, packets.keyframes);
  expectNear(frames!, packets.frames!);
  expectNear([endTicks!, reorderTicks!], [packets.endTicks!, packets.reorderTicks!]);
}

function expectNear(times: ArrayLike<number>, others: ArrayLike<number>): void {
  expect(times).toHaveLength(others.length);
  const worst = Array.from(times).reduce((most, ticks, index) => Math.max(most, Math.abs(ticks - others[index]!)), 0);
  expect(worst).toBeLessThanOrEqual(1);
}

/** The film with another edit list: duration in ms, and start in the picture's ticks of 1/12288 s. */
async function edited(name: string, durationMs: number, mediaTime: number): Promise<string> {
  const bytes = await readFile(regular);
  const elst = bytes.indexOf('elst');
  bytes.writeUInt32BE(durationMs, elst + 12);
  bytes.writeInt32BE(mediaTime, elst + 16);
  const file = path.join(folder, name);
  await writeFile(file, bytes);
  return file;
}

describe('the index of an MP4', () => {
  it('tells what its packets tell, from a movie box at the end or at the head', async () => {
    const packets = await packetsOf(regular);
    expect(packets.frames).toHaveLength(216);
    expect([...packets.keyframes]).toEqual([0, 180_000, 360_000, 540_000, 720_000]);
    expect(packets).toMatchObject({ endTicks: 810_000, isClosed: true, hidesFrames: false });
    expectSame(await mp4(regular), packets);
    const head = await film(folder, '-i', 'regular.mp4', '-c', 'copy', '-movflags', 'faststart', 'head.mp4');
    expectSame(await mp4(head), packets);
  });

  it('tells irregular keyframes and frame times', async () => {
    const times = "select='not(mod(n,7))+not(mod(n,3))',settb=1/1000";
    const keys = ['-force_key_frames', '0.5,0.7,3.1,3.2,7'];
    const args = [...PICTURE, '-t', '9', '-vf', times, ...H264, ...keys, '-fps_mode', 'vfr', 'irregular.mp4'];
    const file = await film(folder, ...args);
    const packets = await packetsOf(file);
    expect(packets.keyframes).toHaveLength(6);
    expect(new Set(packets.frames!.map((ticks, n) => ticks - packets.frames![n - 1]!)).size).toBeGreaterThan(2);
    expectSame(await mp4(file), packets);
  });

  it('tells a picture that is not the first track, begins late and has no reordering', async () => {
    await film(folder, ...PICTURE, '-t', '5', ...H264, '-bf', '0', 'silent.mp4');
    const inputs = ['-itsoffset', '1.5', '-i', 'silent.mp4', '-i', 'regular.mp4'];
    const file = await film(folder, ...inputs, '-map', '1:a', '-map', '0', '-c', 'copy', 'late.mp4');
    const packets = await packetsOf(file, 1);
    expect(packets.keyframes[0]).toBe(135_000);
    expectSame(await mp4(file, 2), packets);
    expect(await mp4(file, 3)).toBeUndefined();
  });

  it('tells intra-only pictures, which have no list of keyframes', async () => {
    const file = await film(folder, ...PICTURE, '-t', '1', '-c:v', 'mjpeg', 'intra.mp4');
    const packets = await packetsOf(file);
    expect(packets.keyframes).toHaveLength(24);
    const index = await mp4(file);
    expectNear(index!.keyframes, packets.keyframes);
    expect(index!.config).toBeUndefined();
  });

  it.each([
    { name: 'begins between keyframes', durationMs: 9_000, mediaTime: 1_024 + 15_400, hides: true },
    { name: 'begins before the first frame', durationMs: 9_000, mediaTime: 0, hides: true },
    { name: 'ends between keyframes', durationMs: 5_510, mediaTime: 1_024, hides: true },
    { name: 'is a piece of the middle', durationMs: 3_310, mediaTime: 30_000, hides: true },
    { name: 'begins with a keyframe', durationMs: 7_000, mediaTime: 1_024 + 2 * 12_288, hides: false },
  ])('takes account of an edit that $name', async ({ name, durationMs, mediaTime, hides }) => {
    const file = await edited(`${name}.mp4`, durationMs, mediaTime);
    const packets = await packetsOf(file);
    expect(packets.hidesFrames).toBe(hides);
    expect(packets.frames!.length).toBeLessThan(hides ? 216 : 169);
    expectSame(await mp4(file), packets);
  });

  it('leaves to the packets what is fragmented, cut off, or edited in ways of its own', async () => {
    const args = ['-i', 'regular.mp4', '-c', 'copy', '-movflags', 'frag_keyframe+empty_moov', 'fragmented.mp4'];
    const fragmented = await film(folder, ...args);
    expect(await mp4(fragmented)).toBeUndefined();
    expect((await packetsOf(fragmented)).keyframes).toHaveLength(5);
    expect(await mp4(await edited('nothing.mp4', 0, 1_024))).toBeUndefined();
    expect(await mp4(await edited('pause.mp4', 9_000, -1))).toBeUndefined();
    const cut = await film(folder, '-i', 'regular.mp4', '-c', 'copy', '-movflags', 'faststart', 'cut.mp4');
    await truncate(cut, 300_000);
    expect(await mp4(cut)).toBeUndefined();
    const left = await packetsOf(cut);
    expect(left.endTicks).toBeLessThan(810_000);
    expect(left.endTicks).toBeGreaterThan(90_000);
  });
});

describe('the index of a Matroska file', () => {
  it('tells the keyframes that its packets tell, regular or not', async () => {
    const file = await film(folder, '-i', 'regular.mp4', '-c', 'copy', 'regular.mkv');
    const packets = await packetsOf(file);
    const index = await mkv(file);
    expect([...index!.keyframes]).toEqual([...packets.keyframes]);
    expect(index).toMatchObject({ frames: undefined, isClosed: undefined, hidesFrames: false });
    expect(index!.config?.[0]).toBe(1);
    // With the sound that lies between them.
    for (const [at, bytes] of packets.gopBytes.slice(0, -1).entries()) {
      expect(index!.gopBytes[at]).toBeGreaterThan(bytes);
      expect(index!.gopBytes[at]).toBeLessThan(bytes + 30_000);
    }
    const keys = ['-force_key_frames', '0.5,0.7,3.1,3.2,7'];
    const irregular = await film(folder, ...PICTURE, '-t', '9', ...H264, ...keys, 'irregular.mkv');
    expect([...(await mkv(irregular))!.keyframes]).toEqual([...(await packetsOf(irregular)).keyframes]);
  });

  it('is found at the head of the file, too', async () => {
    const args = ['-i', 'regular.mp4', '-c', 'copy', '-cues_to_front', '1', 'front.mkv'];
    expect((await mkv(await film(folder, ...args)))?.keyframes).toHaveLength(5);
  });

  it('is not there without cues, or when the file is cut off', async () => {
    const live = await film(folder, '-i', 'regular.mp4', '-c', 'copy', '-live', '1', 'live.mkv');
    expect(await mkv(live)).toBeUndefined();
    const cut = await film(folder, '-i', 'regular.mp4', '-c', 'copy', '-cues_to_front', '1', 'cut.mkv');
    await truncate(cut, 300_000);
    expect(await mkv(cut)).toBeUndefined();
    expect((await packetsOf(cut)).endTicks).toBeLessThan(810_000);
    await expect(mkv(regular)).rejects.toMatchObject({ code: 'BAD_MEDIA' });
  });
});

describe('the packets of a file', () => {
  it('tell a transport stream that begins late', async () => {
    const args = ['-i', 'regular.mp4', '-c', 'copy', '-output_ts_offset', '37', 'late.ts'];
    const { keyframes, frames, endTicks } = await packetsOf(await film(folder, ...args));
    const first = keyframes[0]!;
    expect(first).toBeGreaterThan(37 * 90_000);
    expect([...keyframes].map((ticks) => ticks - first)).toEqual([0, 180_000, 360_000, 540_000, 720_000]);
    expect(frames).toHaveLength(216);
    expect(endTicks! - first).toBe(810_000);
  });

  it('tell open groups of pictures', async () => {
    const open = ['-x264-params', 'scenecut=0:open-gop=1'];
    const index = await packetsOf(await film(folder, ...PICTURE, '-t', '5', ...H264, ...open, 'open.mp4'));
    expect(index.isClosed).toBe(false);
    expectSame(await mp4(path.join(folder, 'open.mp4')), index);
  });

  it('do not tell when frames are shown if the format has no presentation times', async () => {
    const file = await film(folder, '-i', 'regular.mp4', '-an', '-c', 'copy', 'reordered.avi');
    const input = await (await sourceOf(file)).openInput();
    const pass = { binaryPath: 'ffprobe', input, streamIndex: 0, timeoutMs: 15_000 };
    expect(await readPacketIndex(pass)).toBeUndefined();
  });

  it('tell where a track ends, reading its end only', async () => {
    const input = await (await sourceOf(regular)).openInput();
    const pass = { binaryPath: 'ffprobe', input, timeoutMs: 15_000 };
    expect(await readEndTicks({ ...pass, streamIndex: 0, fromSeconds: 8 })).toBe(810_000);
    expect(await readEndTicks({ ...pass, streamIndex: 7 })).toBeUndefined();
  });
});

describe('VideoIndexBuilder', () => {
  const frame = { durationTicks: 3_600, bytes: 100, isKeyframe: false, isHidden: false };

  it('leaves out what cannot be decoded, and counts the bytes of groups', () => {
    const builder = new VideoIndexBuilder();
    builder.add({ ...frame, ptsTicks: 0 });
    builder.add({ ...frame, ptsTicks: 7_200, isKeyframe: true });
    builder.add({ ...frame, ptsTicks: 3_600 });
    builder.add({ ...frame, ptsTicks: 10_800 });
    expect(builder.build()).toMatchObject({
      keyframes: Float64Array.of(7_200),
      frames: Float64Array.of(7_200, 10_800),
      gopBytes: Float64Array.of(300),
      isClosed: false,
      endTicks: 14_400,
    });
  });

  it('says when there is no keyframe', () => {
    const builder = new VideoIndexBuilder();
    builder.add({ ...frame, ptsTicks: 0 });
    builder.add({ ...frame, ptsTicks: 3_600, isKeyframe: true, isHidden: true });
    expect(() => builder.build()).toThrow(/no keyframe/);
  });

  it('tells keyframes alone of more frames than it may hold', () => {
    const index = (frames: number): VideoIndex => {
      const builder = new VideoIndexBuilder(100);
      for (let n = 0; n < frames; n += 1) builder.add({ ...frame, ptsTicks: n * 3_600, isKeyframe: n % 10 === 0 });
      return builder.build();
    };
    expect(index(100).frames).toHaveLength(100);
    expect(index(101)).toMatchObject({ frames: undefined, reorderTicks: undefined, endTicks: 101 * 3_600 });
    expect(index(101).keyframes).toHaveLength(11);
  });
});
