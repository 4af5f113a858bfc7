import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { RtmpServer, type RtmpServerOptions } from '../../../src/ingest/rtmp/rtmp-server.ts';
import { isAmf0Object } from '../../../src/media/flv/amf0.ts';
import { systemClock } from '../../../src/util/clock.ts';
import { deferred } from '../../../src/util/deferred.ts';
import { AppError } from '../../../src/util/errors.ts';
import { silentLogger } from '../../../src/util/logger.ts';
import { makeCertificate } from '../../support/rtmp-certificate.ts';
import { RawRtmpClient } from '../../support/rtmp-client.ts';
import { ManualClock } from '../../support/rtmp-clock.ts';
import { RecordingGate } from '../../support/rtmp-gate.ts';
import { type FlvTag, ffmpegPublishArgs, makeFlvClip } from '../../support/rtmp-media.ts';

const cleanUp: (() => unknown)[] = [];
let clip: FlvTag[];

beforeAll(() => {
  clip = makeFlvClip(2);
});

afterEach(async () => {
  for (const task of cleanUp.splice(0).reverse()) await task();
});

interface Running {
  readonly server: RtmpServer;
  readonly gate: RecordingGate;
  readonly port: number;
}

async function start(options: Partial<RtmpServerOptions> = {}): Promise<Running> {
  const gate = new RecordingGate();
  const base = { gate, host: '127.0.0.1', port: 0, logger: silentLogger, clock: systemClock };
  const server = new RtmpServer({ ...base, ...options });
  cleanUp.push(() => server.close());
  const { port } = await server.listen();
  return { server, gate, port };
}

async function publish(port: number, name = 'demo?key=secret', tls = false): Promise<RawRtmpClient> {
  const { client, status } = await RawRtmpClient.publish(port, name, { tls });
  expect(status).toMatchObject({ level: 'status', code: 'NetStream.Publish.Start' });
  cleanUp.push(() => client.destroy());
  return client;
}

function sendClip(client: RawRtmpClient, tags: readonly FlvTag[] = clip, offsetMs = 0): void {
  for (const { type, timestamp, body } of tags) {
    client.send({ type, payload: body, timestamp: (timestamp + offsetMs) % 2 ** 32, streamId: 1 });
  }
}

describe('a real ffmpeg', () => {
  it.each(['rtmp', 'rtmps'] as const)('publishes over %s without losing a frame', async (protocol) => {
    const { gate, port, server } = await start(protocol === 'rtmps' ? { tls: makeCertificate() } : {});
    const url = `${protocol}://127.0.0.1:${port}/live/demo?key=secret`;
    const child = spawn('ffmpeg', ffmpegPublishArgs(url, { seconds: 2 }), { stdio: ['ignore', 'ignore', 'inherit'] });
    const [code] = (await once(child, 'exit')) as [number];
    expect(code).toBe(0);
    const publication = await gate.publication();
    await publication.until(({ ended }) => ended);
    expect(publication.request).toMatchObject({ broadcast: 'live/demo', key: 'secret', protocol });
    const { video, audio } = publication;
    expect(video).toHaveLength(60);
    expect(audio.length).toBeGreaterThanOrEqual(94);
    expect(video[0]!.init).toMatchObject({ kind: 'video', timescale: 90_000 });
    expect(audio[0]!.init).toMatchObject({ kind: 'audio', timescale: 48_000 });
    expect(new Set(video.map(({ init }) => init)).size).toBe(1);
    expect(video.filter(({ frame }) => frame.sync).map(({ frame }) => Math.round(frame.dts / 90_000))).toEqual([0, 1]);
    for (let i = 1; i < video.length; i += 1) {
      const before = video[i - 1]!.frame;
      expect(video[i]!.frame.dts).toBe(before.dts + before.duration);
    }
    expect(video.some(({ frame }) => frame.pts > frame.dts)).toBe(true);
    await vi.waitFor(() => expect(server.connections).toBe(0));
  });

  it('with a wrong key is refused and nothing is published', async () => {
    const { gate, port } = await start();
    const url = `rtmp://127.0.0.1:${port}/live/demo?key=wrong`;
    const child = spawn('ffmpeg', ffmpegPublishArgs(url, { seconds: 1 }), { stdio: 'ignore' });
    const [code] = (await once(child, 'exit')) as [number];
    expect(code).not.toBe(0);
    expect(gate.publications).toEqual([]);
  });
});

describe('a publisher that speaks as OBS does', () => {
  it('publishes: its commands, its chunk size and its AudioSpecificConfig of five bytes', async () => {
    const { gate, port } = await start();
    const client = await RawRtmpClient.open(port);
    cleanUp.push(() => client.destroy());
    await client.handshake();
    const flashVer = 'FMLE/3.0 (compatible; FMSc/1.0)';
    await client.connect('live', { supportsGoAway: true, flashVer, swfUrl: 'rtmp://127.0.0.1/live' });
    client.command('releaseStream', 2, null, 'demo?key=secret');
    client.command('FCPublish', 3, null, 'demo?key=secret');
    await client.createStream();
    client.command('publish', 5, null, 'demo?key=secret&clientConfigId=7', 'live');
    expect(await client.status()).toMatchObject({ code: 'NetStream.Publish.Start' });
    const config = Buffer.from('af00119056e500', 'hex');
    const tags = clip.map((tag) => (tag.type === 8 && tag.body[1] === 0 ? { ...tag, body: config } : tag));
    sendClip(client, tags);
    await client.end();
    const publication = await gate.publication();
    await publication.until(({ ended }) => ended);
    expect(publication.video).toHaveLength(60);
    expect(publication.audio[0]!.init).toMatchObject({ codec: 'mp4a.40.2', sampleRate: 48_000, channels: 2 });
  });
});

describe('the answer to connect', () => {
  it('offers the Enhanced RTMP capabilities to everyone', async () => {
    const { port } = await start();
    const client = await RawRtmpClient.open(port);
    cleanUp.push(() => client.destroy());
    await client.handshake();
    const [, transaction, properties, information] = await client.connect('live');
    expect(transaction).toBe(1);
    for (const part of [properties, information]) {
      expect(isAmf0Object(part) && part).toMatchObject({
        capsEx: 6,
        fourCcList: ['avc1', 'hvc1', 'av01', 'vp09', 'mp4a', 'Opus'],
        videoFourCcInfoMap: { avc1: 5, hvc1: 5, av01: 5, vp09: 5 },
        audioFourCcInfoMap: { mp4a: 5, Opus: 5 },
      });
    }
    expect(information).toMatchObject({ code: 'NetConnection.Connect.Success' });
  });
});

describe('authorization', () => {
  it.each([
    ['a wrong key', 'demo?key=wrong', 'NetStream.Publish.Denied'],
    ['no key', 'demo', 'NetStream.Publish.Denied'],
    ['a bad name', 'a/../b?key=secret', 'NetStream.Publish.Rejected'],
  ])('answers %s by its status and then cuts the connection', async (_what, name, code) => {
    const clock = new ManualClock();
    const { gate, port } = await start({ clock });
    const { client, status } = await RawRtmpClient.publish(port, name);
    expect(status).toMatchObject({ level: 'error', code });
    client.socket.pause();
    sendClip(client);
    clock.advance(500);
    client.socket.resume();
    await client.closed;
    expect(gate.publications).toEqual([]);
  });

  it('answers a second publisher of a broadcast by BadName, and its media goes nowhere', async () => {
    const { gate, port } = await start();
    await publish(port);
    const { client, status } = await RawRtmpClient.publish(port, 'demo?key=secret');
    expect(status).toMatchObject({ level: 'error', code: 'NetStream.Publish.BadName' });
    sendClip(client);
    await client.closed;
    expect((await gate.publication()).frames).toEqual([]);
  });

  it('does not tell a client what went wrong inside', async () => {
    const { gate, port } = await start();
    const answer = deferred();
    gate.hold = answer.promise;
    answer.reject(new Error('database password is hunter2'));
    const { status } = await RawRtmpClient.publish(port, 'demo?key=secret');
    expect(status).toMatchObject({ code: 'NetStream.Publish.Rejected', description: 'Internal error.' });
  });

  it('comes before any media, and what was sent meanwhile is not lost', async () => {
    const { gate, port } = await start();
    const answer = deferred();
    gate.hold = answer.promise;
    const client = await RawRtmpClient.open(port);
    cleanUp.push(() => client.destroy());
    await client.handshake();
    await client.connect('live');
    client.command('publish', 5, null, 'demo?key=secret');
    sendClip(client);
    await gate.requested();
    await client.flushed();
    expect(gate.publications).toEqual([]);
    answer.resolve();
    const publication = await gate.publication();
    await publication.until(({ video }) => video.length === 60);
  });

  it('that comes too late ends the publication at once', async () => {
    const clock = new ManualClock();
    const { gate, port } = await start({ clock });
    const answer = deferred();
    gate.hold = answer.promise;
    const client = await RawRtmpClient.open(port);
    await client.handshake();
    await client.connect('live');
    client.command('publish', 5, null, 'demo?key=secret');
    await gate.requested();
    clock.advance(10_000);
    await client.closed;
    answer.resolve();
    const publication = await gate.publication();
    await publication.until(({ ended }) => ended);
  });
});

describe('the end of a publisher', () => {
  it('that says so flushes the last frame', async () => {
    const { gate, port } = await start();
    const client = await publish(port);
    sendClip(
      client,
      clip.filter(({ body }) => body[0] !== 0x17 || body[1] !== 2),
    );
    await client.end();
    const publication = await gate.publication();
    await publication.until(({ ended }) => ended);
    expect(publication.video).toHaveLength(60);
  });

  it('whose connection is reset ends the publication', async () => {
    const { gate, port } = await start();
    const client = await publish(port);
    sendClip(client);
    await (await gate.publication()).until(({ video }) => video.length > 0);
    client.socket.resetAndDestroy();
    await (await gate.publication()).until(({ ended }) => ended);
  });

  it('that vanishes without a FIN comes after the idle timeout, not after 4 s', async () => {
    const clock = new ManualClock();
    const { gate, port } = await start({ clock });
    const client = await publish(port);
    sendClip(client);
    const publication = await gate.publication();
    await publication.until(({ video }) => video.length === 60);
    clock.advance(4000);
    expect(publication.ended).toBe(false);
    clock.advance(10_750);
    expect(publication.ended).toBe(false);
    clock.advance(250);
    expect(publication.ended).toBe(true);
    await client.closed;
  });

  it('comes also if it sends bytes, but no media', async () => {
    const clock = new ManualClock();
    const { gate, port } = await start({ clock });
    const client = await publish(port);
    for (let pings = 1; pings <= 15; pings += 1) {
      client.send({ type: 4, payload: Buffer.from([0, 6, 0, 0, 0, pings]) });
      await client.messageOfType(4, pings);
      clock.advance(1000);
    }
    expect((await gate.publication()).ended).toBe(true);
    await client.closed;
  });

  it('is at once when it is kicked, whether or not it reads', async () => {
    const { gate, port } = await start();
    const client = await publish(port);
    sendClip(client);
    const publication = await gate.publication();
    await publication.until(({ video }) => video.length > 0);
    publication.request.disconnect(new AppError('GONE', 'kicked'));
    expect(publication.ended).toBe(true);
    await client.closed;
  });

  it('that froze for 4 s does not come: it goes on and no frame is missing', async () => {
    const clock = new ManualClock();
    const { gate, port } = await start({ clock });
    const client = await publish(port);
    sendClip(client, clip.slice(0, 60));
    const publication = await gate.publication();
    const half = clip.slice(0, 60).filter(({ type }) => type === 9).length - 1;
    await publication.until(({ video }) => video.length === half - 1);
    clock.advance(4000);
    expect(publication.video).toHaveLength(half);
    sendClip(client, clip.slice(60));
    await publication.until(({ video }) => video.length === 60);
  });
});

describe('a connection that does not publish', () => {
  it('is cut after 10 s', async () => {
    const clock = new ManualClock();
    const { server, port } = await start({ clock });
    const client = await RawRtmpClient.open(port);
    await client.handshake();
    clock.advance(9750);
    await client.connect('live');
    clock.advance(250);
    await client.closed;
    await vi.waitFor(() => expect(server.connections).toBe(0));
  });

  it('over the limit is refused, and there is room again afterwards', async () => {
    const { server, port } = await start({ limits: { maxConnections: 2 } });
    const first = await RawRtmpClient.open(port);
    const second = await RawRtmpClient.open(port);
    await first.handshake();
    await second.handshake();
    const third = await RawRtmpClient.open(port);
    await third.closed;
    first.destroy();
    await vi.waitFor(() => expect(server.connections).toBe(1));
    await publish(port);
    second.destroy();
  });

  it('over TLS without a handshake does not keep close() waiting', async () => {
    const { server, port } = await start({ tls: makeCertificate() });
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const closed = once(socket, 'close');
    await server.close();
    await closed;
  });
});

describe('a server', () => {
  it('tells a taken port by an error', async () => {
    const { port } = await start();
    await expect(start({ port })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('closes by ending every publication, and waits', async () => {
    const { server, gate, port } = await start();
    const client = await publish(port);
    await Promise.all([server.close(), server.close()]);
    expect((await gate.publication()).ended).toBe(true);
    expect(server.connections).toBe(0);
    await client.closed;
    await expect(RawRtmpClient.open(port)).rejects.toThrow();
    await expect(server.listen()).rejects.toThrow(AppError);
  });

  it('shares nothing with another one in the process', async () => {
    const one = await start();
    const other = await start();
    await publish(one.port);
    await publish(other.port);
    await one.server.close();
    expect((await other.gate.publication()).ended).toBe(false);
  });

  it('acknowledges every 5 MB', async () => {
    const { port } = await start();
    const client = await publish(port);
    client.setChunkSize(65_536);
    const frame = Buffer.concat([Buffer.from([0x27, 1, 0, 0, 0]), Buffer.alloc(1_000_000)]);
    for (let i = 0; i < 11; i += 1) client.video(i * 33, frame);
    const { payload } = await client.messageOfType(3, 2);
    expect(payload.readUInt32BE()).toBeGreaterThanOrEqual(10_000_000);
  });

  it('takes a burst of 80 MB at once without losing a frame', async () => {
    const { gate, port } = await start();
    const client = await publish(port);
    client.setChunkSize(65_536);
    sendClip(client, clip.slice(0, 6));
    const frame = Buffer.concat([Buffer.from([0x27, 1, 0, 0, 0]), Buffer.alloc(530_000, 1)]);
    const before = clip.slice(0, 6).filter(({ type, body }) => type === 9 && body[1] === 1).length;
    for (let i = 0; i < 150; i += 1) client.video(1000 + Math.round((i * 1000) / 30), frame);
    const publication = await gate.publication();
    await publication.until(({ video }) => video.length === before + 149);
    expect(publication.video.at(-1)!.frame.data).toHaveLength(530_000);
  });
});
