import Rtmp from 'node-media-server/src/protocol/rtmp.js';
import { describe, expect, it } from 'vitest';
import { GUARDED_METHODS, GuardedRtmp, type MediaType } from '../../../src/ingest/rtmp/guarded-rtmp.ts';
import { DEFAULT_RTMP_LIMITS, type RtmpLimits } from '../../../src/ingest/rtmp/rtmp-limits.ts';
import { encodeAmf0 } from '../../../src/media/flv/amf0.ts';
import { AppError } from '../../../src/util/errors.ts';
import { basicHeader, chunksOf } from '../../support/rtmp-client.ts';

interface Harness {
  readonly rtmp: GuardedRtmp;
  readonly media: { type: MediaType; timestampMs: number; payload: Buffer }[];
  readonly output: Buffer[];
  readonly finished: string[];
  readonly requests: string[];
  feed(...parts: Buffer[]): void;
}

const HANDSHAKE = Buffer.concat([Buffer.from([3]), Buffer.alloc(3072)]);
const command = (name: string, ...args: (string | number | null | object)[]): Buffer =>
  chunksOf({ type: 20, payload: encodeAmf0(name, 1, ...(args as string[])), streamId: 1 }, 128);
const CONNECT = command('connect', { app: 'live', tcUrl: 'rtmp://h/live' });
const PUBLISH = command('publish', null, 'demo?key=k');
const video = (timestamp: number, payload: Buffer, cid = 6): Buffer =>
  chunksOf({ type: 9, payload, timestamp, cid, streamId: 1 }, 128);

function harness(limits: Partial<RtmpLimits> = {}): Harness {
  const media: Harness['media'] = [];
  const output: Buffer[] = [];
  const finished: string[] = [];
  const requests: string[] = [];
  const rtmp = new GuardedRtmp(
    {
      output: (bytes) => output.push(bytes),
      publishRequested: (app, name) => requests.push(`${app}/${name}`),
      media: (type, timestampMs, payload) => media.push({ type, timestampMs, payload }),
      finished: (why) => finished.push(why),
    },
    { ...DEFAULT_RTMP_LIMITS, ...limits },
  );
  return { rtmp, media, output, finished, requests, feed: (...parts) => void rtmp.parserData(Buffer.concat(parts)) };
}

function publishing(limits: Partial<RtmpLimits> = {}): Harness {
  const it = harness(limits);
  it.feed(HANDSHAKE, CONNECT, PUBLISH);
  it.rtmp.accept();
  return it;
}

describe('the protocol library', () => {
  it.each([...GUARDED_METHODS, 'parserData', 'chunkMessageHeaderRead', 'sendACK', 'sendStatusMessage'] as const)(
    'has the method %s that is relied on',
    (name) => {
      expect(Rtmp.prototype[name]).toBeTypeOf('function');
    },
  );

  it('calls the guards: every one of them is overridden', () => {
    for (const name of GUARDED_METHODS) expect(GuardedRtmp.prototype[name]).not.toBe(Rtmp.prototype[name]);
  });
});

describe('a publisher', () => {
  it('has its media handed out once accepted, what it sent before included', () => {
    const { rtmp, feed, media, requests } = harness();
    feed(HANDSHAKE, CONNECT, PUBLISH, video(5, Buffer.from('early')));
    expect(requests).toEqual(['live/demo?key=k']);
    expect(media).toEqual([]);
    rtmp.accept();
    feed(video(38, Buffer.from('late')));
    expect(media).toEqual([
      { type: 'video', timestampMs: 5, payload: Buffer.from('early') },
      { type: 'video', timestampMs: 38, payload: Buffer.from('late') },
    ]);
  });

  it('has nothing handed out when it is rejected', () => {
    const { rtmp, feed, media } = harness();
    feed(HANDSHAKE, CONNECT, PUBLISH, video(5, Buffer.from('early')));
    rtmp.reject('NetStream.Publish.Denied', 'no');
    rtmp.accept();
    expect(media).toEqual([]);
  });

  it('may be cut anywhere by the network', () => {
    const whole = Buffer.concat([
      HANDSHAKE,
      CONNECT,
      PUBLISH,
      video(7, Buffer.alloc(300, 1)),
      video(40, Buffer.alloc(9, 2)),
    ]);
    const { rtmp, media } = harness();
    for (const byte of whole) rtmp.parserData(Buffer.from([byte]));
    rtmp.accept();
    expect(media.map(({ timestampMs, payload }) => [timestampMs, payload.length])).toEqual([
      [7, 300],
      [40, 9],
    ]);
  });

  it('may use extended timestamps, also in continuation chunks', () => {
    const { feed, media } = publishing();
    feed(
      video(0xfffffe, Buffer.alloc(300, 1)),
      video(0xffffff, Buffer.alloc(300, 2)),
      video(0x1000020, Buffer.alloc(5, 3)),
    );
    expect(media.map(({ timestampMs, payload }) => [timestampMs, payload.length, payload.at(-1)])).toEqual([
      [0xfffffe, 300, 1],
      [0xffffff, 300, 2],
      [0x1000020, 5, 3],
    ]);
  });

  it('may wrap its timestamps by a delta', () => {
    const { feed, media } = publishing();
    const delta = Buffer.concat([basicHeader(1, 6), Buffer.from([0, 0, 33, 0, 0, 1, 9]), Buffer.from('b')]);
    feed(video(2 ** 32 - 10, Buffer.from('a')), delta, basicHeader(3, 6), Buffer.from('c'));
    expect(media.map(({ timestampMs }) => timestampMs)).toEqual([2 ** 32 - 10, 23, 56]);
  });

  it('may use chunk streams of two and three header bytes without mixing them up', () => {
    const { feed, media } = publishing();
    for (const cid of [64, 319, 320, 1000, 65_599]) feed(video(1, Buffer.from(`${cid}`), cid));
    expect(media.map(({ payload }) => payload.toString())).toEqual(['64', '319', '320', '1000', '65599']);
  });

  it('may interleave the chunks of two messages', () => {
    const { feed, media } = publishing();
    const a = video(1, Buffer.alloc(200, 1), 6);
    const b = chunksOf({ type: 8, payload: Buffer.alloc(150, 2), timestamp: 2 }, 128);
    feed(a.subarray(0, 140), b.subarray(0, 140), a.subarray(140), b.subarray(140));
    expect(media.map(({ type, payload }) => [type, payload.length, new Set(payload).size])).toEqual([
      ['video', 200, 1],
      ['audio', 150, 1],
    ]);
  });

  it('may abort a message', () => {
    const { feed, media } = publishing();
    const abort = chunksOf({ type: 2, payload: Buffer.from([0, 0, 0, 6]) }, 128);
    feed(video(1, Buffer.alloc(200, 1)).subarray(0, 140), abort, video(2, Buffer.from('next')));
    expect(media).toMatchObject([{ timestampMs: 2, payload: Buffer.from('next') }]);
  });

  it('has a ping answered', () => {
    const { feed, output } = publishing();
    feed(chunksOf({ type: 4, payload: Buffer.from([0, 6, 1, 2, 3, 4]) }, 128));
    expect(output.at(-1)!.subarray(-6)).toEqual(Buffer.from([0, 7, 1, 2, 3, 4]));
  });

  it('owns no memory of a message that was handed out', () => {
    const { feed, media, rtmp } = publishing();
    feed(video(1, Buffer.from('first')), video(2, Buffer.from('other')));
    expect(media.map(({ payload }) => payload.toString())).toEqual(['first', 'other']);
    expect(rtmp.parserPacket.payload).toHaveLength(0);
  });

  it('finishes by deleteStream', () => {
    const { feed, finished } = publishing();
    feed(command('deleteStream', null, 1));
    expect(finished).toHaveLength(1);
  });
});

describe('limits', () => {
  const announce = (type: number, length: number, cid = 6): Buffer =>
    chunksOf({ type, payload: Buffer.from([1]), length, cid, streamId: 1 }, 128);

  it.each([
    ['video', 9, 1000, { maxMediaBytes: 1000 }],
    ['audio', 8, 1000, { maxMediaBytes: 1000 }],
    ['data', 18, 500, { maxDataBytes: 500 }],
    ['command', 20, 500, { maxCommandBytes: 500 }],
    ['control', 4, 64, { maxControlBytes: 64 }],
  ])('on the size of a %s message are exact', (_what, type, max, limits) => {
    expect(() => publishing(limits).feed(announce(type, max))).not.toThrow();
    expect(() => publishing(limits).feed(announce(type, max + 1))).toThrow(AppError);
  });

  it('allow no media before publish', () => {
    const { feed } = harness();
    expect(() => feed(HANDSHAKE, CONNECT, video(0, Buffer.from('x')))).toThrow(/limit 0/);
  });

  it('on chunk streams are exact', () => {
    const { feed } = publishing({ maxChunkStreams: 5 });
    for (const cid of [6, 7, 8, 9]) feed(video(0, Buffer.from('x'), cid));
    expect(() => feed(video(0, Buffer.from('x'), 10))).toThrow(/more than 5 chunk streams/);
  });

  it('on unfinished messages are exact', () => {
    const { feed } = publishing({ maxPendingBytesPublishing: 3000 });
    feed(video(0, Buffer.alloc(1500), 6).subarray(0, 140), video(0, Buffer.alloc(1500), 8));
    expect(() => feed(video(0, Buffer.alloc(1501), 9))).toThrow(/unfinished/);
  });

  it('on commands are exact', () => {
    const { feed } = publishing({ maxCommands: 4 });
    feed(command('FCPublish', null, 'x'), command('whatever', null));
    expect(() => feed(command('FCPublish', null, 'x'))).toThrow(/more than 4 commands/);
  });

  it('on media that waits for authorization are exact', () => {
    const waiting = harness({ maxHeldMessages: 2 });
    waiting.feed(HANDSHAKE, CONNECT, PUBLISH, video(0, Buffer.from('a')), video(1, Buffer.from('b')));
    expect(() => waiting.feed(video(2, Buffer.from('c')))).toThrow(/before the publish was answered/);
    const large = harness({ maxHeldBytes: 100 });
    large.feed(HANDSHAKE, CONNECT, PUBLISH, video(0, Buffer.alloc(100)));
    expect(() => large.feed(video(1, Buffer.from('c')))).toThrow(/before the publish was answered/);
  });
});

describe('a client that breaks the protocol is refused', () => {
  const chunkSize = (value: number): Buffer => {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(value);
    return chunksOf({ type: 1, payload }, 128);
  };

  it.each([
    ['a chunk size of 0', chunkSize(0)],
    ['a chunk size of 2^31', chunkSize(2 ** 31)],
    ['a chunk size of one byte', chunksOf({ type: 1, payload: Buffer.from([1]) }, 128)],
    ['a continuation of nothing', basicHeader(3, 9)],
    [
      'a new message inside one',
      Buffer.concat([video(0, Buffer.alloc(500)).subarray(0, 140), video(0, Buffer.from('x'))]),
    ],
    ['a second connect', CONNECT],
    ['a second publish', PUBLISH],
    ['an aggregate message', chunksOf({ type: 22, payload: Buffer.from([1]) }, 128)],
    ['a command that is not AMF', chunksOf({ type: 20, payload: Buffer.from([0xff, 1]) }, 128)],
  ])('%s', (_what, bytes) => {
    const { feed } = publishing();
    expect(() => feed(bytes, Buffer.from([0xc6]))).toThrow(AppError);
  });

  it.each([
    ['without an app', command('connect', { tcUrl: 'x' })],
    ['without an object', command('connect')],
    ['that publishes before it connects', PUBLISH],
    ['that publishes without a name', Buffer.concat([CONNECT, command('publish', null)])],
  ])('%s', (_what, bytes) => {
    const { feed } = harness();
    expect(() => feed(HANDSHAKE, bytes)).toThrow(AppError);
  });

  it('that does not speak RTMP, at its first byte', () => {
    expect(() => harness().feed(Buffer.from('GET / HTTP/1.1\r\n\r\n'))).toThrow(/not an RTMP client/);
  });

  it('but connect may come without a tcUrl, and a maximal chunk size is fine', () => {
    const { feed, rtmp } = harness();
    feed(HANDSHAKE, command('connect', { app: 'live' }), chunkSize(0x7fffffff));
    expect(rtmp.inChunkSize).toBe(0xffffff);
  });

  it('and who wants to play is told so', () => {
    const { feed, output, finished } = harness();
    feed(HANDSHAKE, CONNECT, command('play', null, 'demo'));
    expect(output.at(-1)!.toString('latin1')).toContain('NetStream.Play.Failed');
    expect(finished).toHaveLength(1);
  });
});
