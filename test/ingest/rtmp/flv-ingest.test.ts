import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FlvIngest } from '../../../src/ingest/rtmp/flv-ingest.ts';
import { encodeAmf0 } from '../../../src/media/flv/amf0.ts';
import { AppError } from '../../../src/util/errors.ts';
import { silentLogger } from '../../../src/util/logger.ts';
import { RecordedPublication } from '../../support/rtmp-gate.ts';
import { type FlvTag, makeFlvClip } from '../../support/rtmp-media.ts';

let clip: FlvTag[];
let avcC: Buffer;
let otherAvcC: Buffer;
let publication: RecordedPublication;
let ingest: FlvIngest;

const ASC = Buffer.from('1190', 'hex');
const OBS_ASC = Buffer.from('119056e500', 'hex');
const DATA = Buffer.from([0, 0, 0, 1, 9]);
const int24 = (value: number): Buffer => {
  const out = Buffer.alloc(3);
  out.writeIntBE(value, 0, 3);
  return out;
};

beforeAll(() => {
  const isConfig = ({ type, body }: FlvTag): boolean => type === 9 && body[1] === 0;
  clip = makeFlvClip(1);
  avcC = clip.find(isConfig)!.body.subarray(5);
  otherAvcC = makeFlvClip(1, '426x240').find(isConfig)!.body.subarray(5);
});

beforeEach(() => {
  publication = new RecordedPublication({
    broadcast: 'live/demo',
    key: 'secret',
    protocol: 'rtmp',
    remote: '127.0.0.1:1',
    disconnect: () => undefined,
  });
  ingest = new FlvIngest(publication, 5, silentLogger);
});

function config(bytes = avcC, ms = 0): void {
  ingest.message('video', ms, Buffer.concat([Buffer.from([0x17, 0, 0, 0, 0]), bytes]), ms);
}

function video(ms: number, options: { cts?: number; key?: boolean; nowMs?: number } = {}): void {
  const { cts = 0, key = false, nowMs = ms } = options;
  ingest.message('video', ms, Buffer.concat([Buffer.from([key ? 0x17 : 0x27, 1]), int24(cts), DATA]), nowMs);
}

function audioConfig(bytes = ASC): void {
  ingest.message('audio', 0, Buffer.concat([Buffer.from([0xaf, 0]), bytes]), 0);
}

function audio(ms: number): void {
  ingest.message('audio', ms, Buffer.concat([Buffer.from([0xaf, 1]), DATA]), ms);
}

const dtsOf = (kind: 'video' | 'audio'): number[] => publication[kind].map(({ frame }) => frame.dts);

describe('video', () => {
  it('keeps the publisher’s milliseconds exactly, with signed composition times', () => {
    config();
    video(0, { cts: 66, key: true });
    video(33, { cts: -33 });
    video(67, { cts: 0 });
    ingest.flush();
    expect(publication.video.map(({ frame }) => frame)).toEqual([
      { dts: 0, pts: 5940, duration: 2970, sync: true, data: DATA },
      { dts: 2970, pts: 0, duration: 3060, sync: false, data: DATA },
      { dts: 6030, pts: 6030, duration: 3060, sync: false, data: DATA },
    ]);
    expect(publication.video[0]!.init).toMatchObject({ kind: 'video', timescale: 90_000, width: 320, height: 180 });
  });

  it('before the sequence header is dropped and counted', () => {
    video(0, { key: true });
    video(33);
    config(avcC, 66);
    video(66, { key: true });
    ingest.flush();
    expect(dtsOf('video')).toEqual([5940]);
    expect(ingest.stats).toEqual({ droppedFrames: 2, badMessages: 0 });
  });

  it('keeps its init object as long as the sequence header is the same', () => {
    config();
    video(0, { key: true });
    config();
    video(33);
    config(otherAvcC);
    video(67, { key: true });
    video(100);
    ingest.flush();
    const inits = publication.video.map(({ init }) => init);
    expect(inits[1]).toBe(inits[0]);
    expect(inits[2]).not.toBe(inits[0]);
    expect(inits[3]).toBe(inits[2]);
    expect(inits[2]).toMatchObject({ width: 426, height: 240 });
    expect(publication.video[1]!.frame.duration).toBe(2970);
  });

  it('that follows a sequence header which cannot be used is dropped', () => {
    config();
    video(0, { key: true });
    config(Buffer.from([9, 9, 9]));
    video(33);
    ingest.flush();
    expect(dtsOf('video')).toEqual([0]);
    expect(ingest.stats).toEqual({ droppedFrames: 1, badMessages: 1 });
  });

  it('does not hold a stalled publisher’s last frame back', () => {
    config();
    video(0, { key: true, nowMs: 1000 });
    video(40, { nowMs: 1040 });
    ingest.flush(1040);
    expect(dtsOf('video')).toEqual([0]);
    ingest.flush(1041);
    expect(publication.video[1]!.frame).toMatchObject({ dts: 3600, duration: 3600 });
    video(2540, { nowMs: 6000 });
    ingest.flush();
    expect(dtsOf('video')).toEqual([0, 3600, 2540 * 90]);
  });

  it('has positive durations whatever the timestamps do', () => {
    config();
    const hour = 3_600_000;
    for (const ms of [0, 40, 40, 40, 80, hour, hour + 40, 20, 60, 2 ** 31 + 70]) video(ms, { key: ms === 0 });
    ingest.flush();
    expect(publication.video).toHaveLength(10);
    for (const { frame } of publication.video) {
      expect(frame.duration).toBeGreaterThan(0);
      expect(frame.duration).toBeLessThanOrEqual(900_000);
    }
    expect(dtsOf('video').slice(0, 8)).toEqual([0, 3600, 3601, 3602, 7200, hour * 90, (hour + 40) * 90, 1800]);
  });

  it('goes on forwards when the timestamps wrap', () => {
    config();
    for (const ms of [2 ** 32 - 40, 0, 40]) video(ms, { key: true });
    ingest.flush();
    expect(dtsOf('video')).toEqual([(2 ** 32 - 40) * 90, 2 ** 32 * 90, (2 ** 32 + 40) * 90]);
  });

  it('takes a declared frame rate from the metadata when the decoder set-up has none', () => {
    ingest.message('data', 0, encodeAmf0('@setDataFrame', 'onMetaData', { width: 9, height: 9, framerate: 25 }), 0);
    const vpcC = Buffer.from('001f800202020000', 'hex');
    ingest.message('video', 0, Buffer.concat([Buffer.from([0x90]), Buffer.from('vp09'), vpcC]), 0);
    ingest.message('video', 0, Buffer.concat([Buffer.from([0x93]), Buffer.from('vp09'), DATA]), 0);
    ingest.flush();
    expect(publication.video[0]!.init).toMatchObject({ width: 9, height: 9, frameRate: 25 });
  });

  it('of tracks other than 0 stays out', () => {
    config();
    video(0, { key: true });
    const track = (id: number): Buffer => Buffer.concat([Buffer.from([id, 0, 0, DATA.length]), DATA]);
    const both = Buffer.concat([Buffer.from([0xa6, 0x13]), Buffer.from('avc1'), track(1), track(0)]);
    ingest.message('video', 33, both, 33);
    ingest.flush();
    expect(dtsOf('video')).toEqual([0, 2970]);
  });
});

describe('audio', () => {
  it('counts samples from its first timestamp, whatever the rounding', () => {
    audioConfig(OBS_ASC);
    for (const ms of [66, 87, 109, 130, 151]) audio(ms);
    const first = 66 * 48;
    expect(dtsOf('audio')).toEqual([0, 1, 2, 3, 4].map((i) => first + i * 1024));
    expect(publication.audio[0]!.frame).toEqual({ dts: first, pts: first, duration: 1024, sync: true, data: DATA });
    expect(publication.audio[0]!.init).toMatchObject({ kind: 'audio', timescale: 48_000, sampleRate: 48_000 });
  });

  it('follows the timestamps over a gap of more than 50 ms, and not over less', () => {
    audioConfig();
    audio(0);
    audio(70);
    audio(170);
    expect(dtsOf('audio')).toEqual([0, 1024, 170 * 48]);
  });

  it('waits for the clock when more samples come than time passes', () => {
    audioConfig();
    for (let i = 0; i < 100; i += 1) audio(i * 20);
    const dts = dtsOf('audio');
    const last = dts.at(-1)!;
    expect(Math.abs(last - 99 * 20 * 48)).toBeLessThanOrEqual(0.05 * 48_000 + 1024);
    expect(ingest.stats.droppedFrames).toBe(100 - dts.length);
    expect(dts.every((value, i) => i === 0 || value > dts[i - 1]!)).toBe(true);
  });

  it('steps back and an hour forwards with the publisher', () => {
    audioConfig();
    for (const ms of [5000, 5021, 0, 21, 3_600_000]) audio(ms);
    expect(dtsOf('audio')).toEqual([240_000, 241_024, 0, 1024, 172_800_000]);
  });

  it('may start late, without a sequence header it is dropped', () => {
    config();
    video(0, { key: true });
    audio(10);
    audioConfig();
    audio(2000);
    expect(dtsOf('audio')).toEqual([96_000]);
    expect(ingest.stats.droppedFrames).toBe(1);
  });

  it('is anchored anew when its set-up changes', () => {
    audioConfig();
    audio(0);
    audioConfig(Buffer.from('1210', 'hex'));
    audio(1000);
    expect(publication.audio[1]!.init).toMatchObject({ timescale: 44_100 });
    expect(publication.audio[1]!.frame).toMatchObject({ dts: 44_100, duration: 1024 });
  });

  it('in Opus has the duration that the packet tells', () => {
    const head = Buffer.concat([Buffer.from('OpusHead'), Buffer.from('01023801' + '80bb0000' + '000000', 'hex')]);
    const opus = (packetType: number, ms: number, body: Buffer): void =>
      ingest.message('audio', ms, Buffer.concat([Buffer.from([0x90 | packetType]), Buffer.from('Opus'), body]), ms);
    opus(0, 0, head);
    opus(1, 0, Buffer.from([0xfc, 1]));
    opus(1, 20, Buffer.from([0xfd, 1]));
    opus(1, 60, Buffer.from([0xfc, 1]));
    expect(publication.audio.map(({ frame }) => [frame.dts, frame.duration])).toEqual([
      [0, 960],
      [960, 1920],
      [2880, 960],
    ]);
  });
});

describe('messages that are no use', () => {
  it('are tolerated: empty ones, other codecs, unknown data', () => {
    for (const type of ['audio', 'video', 'data'] as const) ingest.message(type, 0, Buffer.alloc(0), 0);
    ingest.message('audio', 0, Buffer.from([0x2f, 1, 2]), 0);
    ingest.message('video', 0, Buffer.from([0x22, 1, 2]), 0);
    ingest.message('data', 0, encodeAmf0('onTextData', { text: 'x' }), 0);
    expect(ingest.stats).toEqual({ droppedFrames: 0, badMessages: 0 });
  });

  it('are counted when they are broken, and too many of them are an error', () => {
    for (let i = 0; i < 5; i += 1) ingest.message('video', 0, Buffer.from([0x17]), 0);
    expect(ingest.stats.badMessages).toBe(5);
    expect(() => ingest.message('data', 0, Buffer.from([0xff]), 0)).toThrow(AppError);
  });
});
