import { describe, expect, it } from 'vitest';
import { CUTTER_LIMITS, TsCutter, type TsRun } from '../../../src/ingest/pull/ts-cutter.ts';
import { readTsProgram } from '../../../src/ingest/pull/ts-program.ts';
import { seededRandom } from '../../support/fmp4.ts';
import {
  encodeTs,
  patPacket,
  pesPacket,
  pmtPacket,
  probeTs,
  TS_AAC,
  TS_H264,
  TS_PICTURE,
  TS_TONE,
  TS_WRAP_TICKS,
  tsPacket,
} from '../../support/transport-streams.ts';

const BOTH = [...TS_PICTURE, ...TS_TONE, ...TS_H264, ...TS_AAC];

/** Cuts a stream that comes in pieces of a size that fits nothing. */
function cut(bytes: Buffer, pieceBytes = 1_000, cutter = new TsCutter()): { runs: TsRun[]; cutter: TsCutter } {
  const runs: TsRun[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) runs.push(...cutter.push(bytes.subarray(at, at + pieceBytes)));
  return { runs, cutter };
}

/** The stretches that runs make, and why each began. */
function stretches(runs: readonly TsRun[]): { reason: string; bytes: Buffer }[] {
  const found: { reason: string; parts: Buffer[] }[] = [];
  for (const { begins, bytes } of runs) {
    if (begins !== undefined) found.push({ reason: begins.reason, parts: [bytes] });
    else found.at(-1)!.parts.push(bytes);
  }
  return found.map(({ reason, parts }) => ({ reason, bytes: Buffer.concat(parts) }));
}

async function frames(bytes: Buffer): Promise<number> {
  return (await probeTs(bytes, 'v')).length;
}

describe('TsCutter', () => {
  it('passes a stream without a break on as one stretch, from its tables and first keyframe on', async () => {
    const bytes = await encodeTs(BOTH);
    for (const pieceBytes of [100, 1_000, 65_536]) {
      const { runs, cutter } = cut(bytes, pieceBytes);
      const [only, ...more] = stretches(runs);
      expect(more).toEqual([]);
      expect(only!.reason).toBe('start');
      expect(await frames(only!.bytes)).toBe(50);
      expect(readTsProgram(only!.bytes.subarray(0, 2_000))).toMatchObject({ video: { codec: 'h264' } });
      expect(cutter.mediaMs).toBe(49 * 40);
    }
  });

  it('begins in mid-stream with the next keyframe', async () => {
    const bytes = await encodeTs(BOTH, { seconds: 3 });
    const { runs } = cut(bytes.subarray(Math.floor(bytes.length / 6)));
    const [only] = stretches(runs);
    const probed = await probeTs(only!.bytes, 'v');
    expect(probed).toHaveLength(50);
    expect(probed[0]!.pts).toBe((await probeTs(bytes, 'v'))[25]!.pts);
  });

  it('begins anew where times jump back or far forwards, but not over a hole or the wrap of the clock', async () => {
    const at = (startS: number): Promise<Buffer> => encodeTs(BOTH, { seconds: 1, startS });
    const [first, hole, jump, back] = await Promise.all([at(10), at(20), at(60), at(10)]);
    const { runs, cutter } = cut(Buffer.concat([first, hole, jump, back]));
    const found = stretches(runs);
    expect(found.map(({ reason }) => reason)).toEqual(['start', 'times', 'times']);
    expect(await Promise.all(found.map(({ bytes }) => frames(bytes)))).toEqual([50, 25, 25]);
    expect(cutter.mediaMs).toBe(10_000 + 3 * 24 * 40);
    const wrapping = await encodeTs(BOTH, { startS: TS_WRAP_TICKS / 90_000 - 1 });
    expect(stretches(cut(wrapping).runs)).toHaveLength(1);
  });

  it('begins anew where the program changes', async () => {
    const first = await encodeTs(BOTH, { seconds: 1 });
    const hevc = ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none:keyint=25'];
    const second = await encodeTs([...TS_PICTURE, ...TS_TONE, ...hevc, ...TS_AAC], { seconds: 1, startS: 11 });
    const lower = ['-f', 'lavfi', '-i', 'sine=sample_rate=44100'];
    const third = await encodeTs([...TS_PICTURE, ...lower, ...hevc, ...TS_AAC], { seconds: 3, startS: 12 });
    const { runs } = cut(Buffer.concat([first, second, third]));
    const found = stretches(runs);
    expect(found.map(({ reason }) => reason)).toEqual(['start', 'program', 'program']);
    expect(found.map(({ bytes }) => readTsProgram(bytes)?.video?.codec)).toEqual(['h264', 'h265', 'h265']);
  });

  it('waits for a stream that is listed for a second of media, and goes on without it', async () => {
    const silent = await encodeTs([...TS_PICTURE, ...TS_H264], { seconds: 3 });
    const pat = patPacket([[1, 0x1000]]);
    const streams = [
      { type: 0x1b, pid: 0x100 },
      { type: 0x0f, pid: 0x1ff },
    ];
    const tables = Buffer.concat([pat, pmtPacket(0x1000, 1, streams)]);
    const media: Buffer[] = [];
    for (let start = 0; start < silent.length; start += 188) {
      const packet = silent.subarray(start, start + 188);
      if ((packet.readUInt16BE(1) & 0x1fff) === 0x100) media.push(packet);
    }
    const { runs } = cut(Buffer.concat([tables, ...media]));
    const [only, ...more] = stretches(runs);
    expect(more).toEqual([]);
    expect(runs[0]!.begins!.program).toMatchObject({ video: { pid: 0x100 }, audio: undefined });
    expect(await frames(only!.bytes)).toBe(75);
    // It comes after all.
    const { runs: both } = cut(Buffer.concat([tables, ...media, pesPacket(0x1ff), ...media]));
    expect(stretches(both).map(({ reason }) => reason)).toEqual(['start', 'program']);
  });

  it('begins anew, at a keyframe, when it is told to', async () => {
    const bytes = await encodeTs(BOTH, { seconds: 3 });
    const { runs, cutter } = cut(bytes.subarray(0, bytes.length / 2));
    cutter.restart();
    runs.push(...cut(bytes.subarray(bytes.length / 2), 1_000, cutter).runs);
    const found = stretches(runs);
    expect(found.map(({ reason }) => reason)).toEqual(['start', 'times']);
    expect(await frames(found[1]!.bytes)).toBe(25);
  });

  it('finds the packets again after other bytes', async () => {
    const bytes = await encodeTs(BOTH);
    const middle = Math.floor(bytes.length / 376) * 188;
    const broken = Buffer.concat([bytes.subarray(0, middle), Buffer.alloc(777, 0x20), bytes.subarray(middle)]);
    const [only, ...more] = stretches(cut(broken).runs);
    expect(more).toEqual([]);
    expect(await frames(only!.bytes)).toBe(50);
    expect(only!.bytes.length % 188).toBe(0);
  });

  it('says soon that something is no transport stream, or has nothing to play', () => {
    const limit = CUTTER_LIMITS.maxHeldBytes;
    const html = Buffer.alloc(limit + 2_000, '<html>G');
    expect(() => cut(html)).toThrow(/no MPEG transport stream/);
    const tables = [patPacket([[1, 0x1000]]), pmtPacket(0x1000, 1, [{ type: 0x15, pid: 0x200 }])];
    const data = Array.from({ length: limit / 188 + 2 }, () => tsPacket(0x200, Buffer.alloc(1)));
    expect(() => cut(Buffer.concat([...tables, ...data]))).toThrow(/no MPEG transport stream/);
    expect(() => cut(Buffer.concat([...tables, ...data.slice(0, 1_000)]))).not.toThrow();
  });

  it('survives damage anywhere', async () => {
    const bytes = await encodeTs(BOTH, { seconds: 1 });
    const random = seededRandom(11);
    for (let left = 60; left > 0; left -= 1) {
      const damaged = Buffer.from(bytes);
      for (let flips = 100; flips > 0; flips -= 1) damaged[random() % damaged.length] = random() & 0xff;
      for (const { bytes: run } of cut(damaged, 5_000).runs) expect(run.length % 188).toBe(0);
    }
  });
});
