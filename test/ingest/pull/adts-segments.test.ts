import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { DemuxedFrame } from '../../../src/ingest/fmp4-demuxer.ts';
import { AdtsSegments } from '../../../src/ingest/pull/adts-segments.ts';
import { isPackedAac } from '../../../src/ingest/pull/adts-stream.ts';

const run = promisify(execFile);
const TURN = 2 ** 33;

/** The tag that a packed audio segment begins with. */
function tag(startTicks: number, paddingBytes = 0): Buffer {
  const owner = Buffer.from('com.apple.streaming.transportStreamTimestamp\0', 'latin1');
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(startTicks));
  const frame = Buffer.alloc(10);
  frame.write('PRIV', 0, 'latin1');
  frame.writeUInt32BE(owner.length + 8, 4);
  const body = Buffer.concat([frame, owner, time, Buffer.alloc(paddingBytes)]);
  const header = Buffer.from([0x49, 0x44, 0x33, 4, 0, 0, 0, 0, 0, 0]);
  for (let index = 0; index < 4; index += 1) header[9 - index] = (body.length >> (7 * index)) & 0x7f;
  return Buffer.concat([header, body]);
}

/** ADTS frames of a tone. */
async function tone(seconds: number, rate = 48_000): Promise<Buffer[]> {
  const input = ['-f', 'lavfi', '-i', `sine=sample_rate=${rate}:duration=${seconds}`];
  const options = { encoding: 'buffer', maxBuffer: 1 << 24 } as const;
  const { stdout } = await run('ffmpeg', ['-v', 'error', ...input, '-c:a', 'aac', '-f', 'adts', 'pipe:1'], options);
  const frames: Buffer[] = [];
  for (let at = 0; at < stdout.length; at += frames.at(-1)!.length) {
    frames.push(stdout.subarray(at, at + ((stdout.readUIntBE(at + 3, 3) >> 5) & 0x1fff)));
  }
  return frames;
}

function rig() {
  const frames: DemuxedFrame[] = [];
  const legs: number[] = [];
  const segments = new AdtsSegments({
    kinds: ['audio'],
    begin: () => Promise.resolve(void legs.push(frames.length)),
    push: (more) => void frames.push(...more),
  });
  const feed = async (bytes: Buffer, breaks = false, stepBytes = 1_000): Promise<void> => {
    segments.beginSegment({ breaks, init: undefined, durationMs: 1_000 });
    for (let at = 0; at < bytes.length; at += stepBytes) await segments.push(bytes.subarray(at, at + stepBytes));
    await segments.endSegment();
  };
  return { frames, legs, feed };
}

const times = (frames: readonly DemuxedFrame[]): number[] => frames.map(({ frame }) => frame.dts);
const sounds = await tone(1);

describe('AdtsSegments', () => {
  it('reads frames with the time of their tag, however the bytes are cut', async () => {
    const { frames, legs, feed } = rig();
    await feed(Buffer.concat([tag(900_000), ...sounds]), false, 7);
    expect(legs).toEqual([0]);
    expect(frames).toHaveLength(sounds.length);
    expect(times(frames).slice(0, 3)).toEqual([480_000, 481_024, 482_048]);
    expect(frames[0]!.init).toMatchObject({ kind: 'audio', codec: 'mp4a.40.2', timescale: 48_000, channels: 1 });
    expect(frames[5]!.frame.data.equals(sounds[5]!.subarray(7))).toBe(true);
  });

  it('goes on where the segment before ended, whatever rounding its tag has', async () => {
    const { frames, legs, feed } = rig();
    await feed(Buffer.concat([tag(0), ...sounds.slice(0, 10)]));
    await feed(Buffer.concat([tag(19_150), ...sounds.slice(10, 12)]));
    expect(times(frames).slice(9)).toEqual([9_216, 10_240, 11_264]);
    expect(legs).toEqual([0]);
  });

  it('keeps holes, and begins a leg at a jump or a break', async () => {
    const { frames, legs, feed } = rig();
    await feed(Buffer.concat([tag(0), sounds[0]!]));
    await feed(Buffer.concat([tag(90_000), sounds[1]!]));
    await feed(Buffer.concat([tag(9_000_000), sounds[2]!]));
    await feed(Buffer.concat([tag(9_001_920), sounds[3]!]), true);
    expect(times(frames)).toEqual([0, 48_000, 4_800_000, 4_801_024]);
    expect(legs).toEqual([0, 2, 3]);
  });

  it('goes on over the turn of the clock', async () => {
    const { frames, legs, feed } = rig();
    await feed(Buffer.concat([tag(TURN - 90_000), sounds[0]!]));
    await feed(Buffer.concat([tag(90_000), sounds[1]!]));
    expect(frames[1]!.frame.dts - frames[0]!.frame.dts).toBe(96_000);
    expect(legs).toEqual([0]);
  });

  it('forgets the end of a segment that was cut off', async () => {
    const { frames, feed } = rig();
    await feed(Buffer.concat([tag(0), sounds[0]!, sounds[1]!.subarray(0, 50)]));
    await feed(Buffer.concat([tag(3_840), sounds[2]!]));
    expect(times(frames)).toEqual([0, 1_024]);
  });

  it('refuses other sound, and tags over the limit', async () => {
    const { feed } = rig();
    await expect(feed(Buffer.concat([tag(0), Buffer.alloc(100, 0x0b)]))).rejects.toMatchObject({ code: 'BAD_MEDIA' });
    await expect(feed(Buffer.concat([tag(0, 2 << 20), sounds[0]!]))).rejects.toThrow(/ID3 tag of \d+ bytes/);
    expect(isPackedAac(Buffer.from([0xff, 0xfb, 0x90, 0]))).toBe(false);
  });
});
