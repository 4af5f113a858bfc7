import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { DEFAULT_RTMP_LIMITS } from '../../../src/ingest/rtmp/rtmp-limits.ts';
import { RtmpServer } from '../../../src/ingest/rtmp/rtmp-server.ts';
import { encodeAmf0 } from '../../../src/media/flv/amf0.ts';
import { systemClock } from '../../../src/util/clock.ts';
import { silentLogger } from '../../../src/util/logger.ts';
import { basicHeader, chunksOf, RawRtmpClient } from '../../support/rtmp-client.ts';
import { RecordingGate } from '../../support/rtmp-gate.ts';
import { type FlvTag, ffmpegPublishArgs, makeFlvClip } from '../../support/rtmp-media.ts';
import { heldBufferBytes } from '../../support/memory.ts';

const MIB = 1024 * 1024;
const gate = new RecordingGate();
let server: RtmpServer;
let port: number;
let clip: FlvTag[];
let victim: RawRtmpClient;
let victimFrames: number;
let names = 0;

beforeAll(async () => {
  clip = makeFlvClip(1);
  server = new RtmpServer({ gate, host: '127.0.0.1', port: 0, logger: silentLogger, clock: systemClock });
  ({ port } = await server.listen());
  ({ client: victim } = await RawRtmpClient.publish(port, 'victim?key=secret'));
  for (const { type, timestamp, body } of clip) victim.send({ type, timestamp, payload: body, streamId: 1 });
  const publication = await gate.publication(0);
  await publication.until(({ video }) => video.length === 30);
  victimFrames = publication.frames.length;
});

afterEach(async () => {
  const { client, status } = await RawRtmpClient.publish(port, `good-${(names += 1)}?key=secret`);
  expect(status.code).toBe('NetStream.Publish.Start');
  const publication = gate.publications.at(-1)!;
  for (const { type, timestamp, body } of clip) client.send({ type, timestamp, payload: body, streamId: 1 });
  await publication.until(({ video }) => video.length === 30);
  await client.end();
  expect(gate.publications[0]).toMatchObject({ ended: false });
  expect(gate.publications[0]!.frames).toHaveLength(victimFrames);
  expect(heldBufferBytes()).toBeLessThan(200 * MIB);
});

afterAll(async () => {
  const child = spawn('ffmpeg', ffmpegPublishArgs(`rtmp://127.0.0.1:${port}/live/after?key=secret`, { seconds: 1 }));
  const [code] = (await once(child, 'exit')) as [number];
  expect(code).toBe(0);
  expect(gate.publications.at(-1)!.video).toHaveLength(30);
  await server.close();
});

/** A client that has shaken hands. */
async function open(): Promise<RawRtmpClient> {
  const client = await RawRtmpClient.open(port);
  await client.handshake();
  return client;
}

/** A client that has connected to the app. */
async function connected(): Promise<RawRtmpClient> {
  const client = await open();
  await client.connect('live');
  return client;
}

/** A client that publishes. */
async function publisher(): Promise<RawRtmpClient> {
  return (await RawRtmpClient.publish(port, `attacker-${(names += 1)}?key=secret`)).client;
}

const nested = (depth: number): Buffer =>
  Buffer.concat(Array.from({ length: depth }, () => Buffer.from([3, 0, 1, 97])));
const VIDEO = Buffer.from([0x27, 1, 0, 0, 0, 1, 2, 3]);

describe('the server survives', () => {
  it('a connect without a tcUrl, which is no attack at all', async () => {
    const client = await open();
    client.command('connect', 1, { app: 'live' });
    await client.commandNamed('_result');
    client.destroy();
  });

  it.each([
    ['a connect without an object', (client: RawRtmpClient) => client.command('connect', 1)],
    ['AMF garbage after "connect"', (client) => client.send({ type: 20, payload: garbageCommand() })],
    ['AMF nested 15,000 deep', (client) => client.send({ type: 20, payload: deepCommand() })],
    ['AMF nested as deep as the size limit allows', (client) => client.send({ type: 20, payload: deepCommand(4000) })],
    ['a command of 16 MB', (client) => client.send({ type: 20, payload: Buffer.alloc(10), length: 0xffffff })],
    ['a chunk size of 0', (client) => client.setChunkSize(0)],
    ['a chunk stream that starts in the middle', (client) => client.raw(basicHeader(3, 77))],
    ['video before publish', (client) => client.video(0, VIDEO)],
  ] satisfies [string, (client: RawRtmpClient) => void][])('%s', async (_what, attack) => {
    const client = await open();
    client.chunkSize = 128;
    attack(client);
    client.raw(Buffer.alloc(64));
    await client.closed;
  });

  it.each([
    ['a publish without a name', (client: RawRtmpClient) => client.command('publish', 2, null)],
    ['a publish whose name is a number', (client) => client.command('publish', 2, null, 5)],
    ['a play without a name', (client) => client.command('play', 2, null)],
    ['a player that injects media', injectAsPlayer],
    ['1000 commands', (client) => floodCommands(client)],
  ] satisfies [string, (client: RawRtmpClient) => void][])('%s', async (_what, attack) => {
    const client = await connected();
    attack(client);
    await client.closed;
  });

  it('a SetChunkSize with an empty body', async () => {
    const client = await connected();
    client.send({ type: 1, payload: Buffer.alloc(0) });
    await client.createStream();
    client.destroy();
  });

  it('zero-length audio, video and data', async () => {
    const client = await publisher();
    for (const type of [8, 9, 15, 18]) client.send({ type, payload: Buffer.alloc(0), streamId: 1 });
    client.send({ type: 4, payload: Buffer.from([0, 6, 0, 0, 0, 1]) });
    await client.messageOfType(4);
    client.destroy();
  });

  it('garbage in @setDataFrame', async () => {
    const client = await publisher();
    const payload = Buffer.concat([encodeAmf0('@setDataFrame', 'onMetaData'), Buffer.from([0x0c, 255, 255, 255, 255])]);
    client.send({ type: 18, payload, streamId: 1 });
    client.send({ type: 18, payload: nested(10_000), streamId: 1 });
    client.send({ type: 4, payload: Buffer.from([0, 6, 0, 0, 0, 1]) });
    await client.messageOfType(4);
    client.destroy();
  });

  it('a WebSocket or HTTP client', async () => {
    const client = await RawRtmpClient.open(port);
    client.raw(Buffer.from('GET /bad HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'));
    await client.closed;
  });

  it('a publisher with a wrong key that goes on sending', async () => {
    const { client, status } = await RawRtmpClient.publish(port, 'victim?key=wrong');
    expect(status.code).toBe('NetStream.Publish.Denied');
    for (let i = 0; i < 50; i += 1) client.video(i * 33, VIDEO);
    await client.closed;
  });

  it('a second publisher of a live broadcast that goes on sending', async () => {
    const { client, status } = await RawRtmpClient.publish(port, 'victim?key=secret');
    expect(status.code).toBe('NetStream.Publish.BadName');
    for (let i = 0; i < 50; i += 1) client.video(i * 33, VIDEO);
    await client.closed;
  });

  it('two publishes on one connection, neither of which stays locked', async () => {
    const client = await publisher();
    const publication = gate.publications.at(-1)!;
    client.command('publish', 6, null, 'second?key=secret');
    await client.closed;
    await publication.until(({ ended }) => ended);
    expect(gate.requests.at(-1)!.broadcast).not.toBe('live/second');
  });

  it('a bad stream name', async () => {
    for (const name of ['?key=secret', '..?key=secret', 'a\u0000b?key=secret', `${'x'.repeat(5000)}?key=secret`]) {
      const { client, status } = await RawRtmpClient.publish(port, name);
      expect(status.code).toBe('NetStream.Publish.Rejected');
      client.destroy();
    }
  });

  it('4000 chunk streams that announce 16 MB each', async () => {
    const before = heldBufferBytes();
    const client = await publisher();
    for (let cid = 3; cid < 4003; cid += 1) {
      client.raw(chunksOf({ type: 9, payload: Buffer.alloc(1), length: 0xffffff, cid, streamId: 1 }, 128));
    }
    await client.closed;
    expect(heldBufferBytes() - before).toBeLessThan(64 * MIB);
  });

  it('as many unfinished messages as a publisher may have', async () => {
    const before = heldBufferBytes();
    const client = await publisher();
    const largest = { type: 9, payload: Buffer.alloc(4096), length: DEFAULT_RTMP_LIMITS.maxMediaBytes, streamId: 1 };
    for (let cid = 10; cid < 20; cid += 1) client.raw(chunksOf({ ...largest, cid }, 4096));
    await client.closed;
    expect(heldBufferBytes() - before).toBeLessThan(64 * MIB);
  });

  it('1000 idle connections', async () => {
    const before = heldBufferBytes();
    const clients = await Promise.all(Array.from({ length: 1000 }, () => RawRtmpClient.open(port)));
    await vi.waitFor(() => {
      expect(clients.filter(({ socket }) => !socket.destroyed).length).toBeLessThan(DEFAULT_RTMP_LIMITS.maxConnections);
    });
    expect(heldBufferBytes() - before).toBeLessThan(100 * MIB);
    for (const client of clients) client.destroy();
    await vi.waitFor(() => expect(server.connections).toBe(1));
  });

  it('100 connections of random bytes, with and without a handshake', async () => {
    for (let i = 0; i < 10; i += 1) {
      const batch = await Promise.all(
        Array.from({ length: 10 }, async () => (i < 5 ? open() : RawRtmpClient.open(port))),
      );
      for (const client of batch) {
        client.raw(randomBytes(5000));
        client.socket.end();
      }
      await Promise.all(batch.map(({ closed }) => closed));
    }
    await vi.waitFor(() => expect(server.connections).toBe(1));
  });

  it('a publisher of random media, which is cut after its last chance', async () => {
    const client = await publisher();
    const publication = gate.publications.at(-1)!;
    for (let i = 0; i < 2000; i += 1) client.video(i, Buffer.concat([Buffer.from([0x96]), randomBytes(60)]));
    await client.closed;
    await publication.until(({ ended }) => ended);
    expect(publication.frames).toEqual([]);
  });

  it('pings from a client that never reads', async () => {
    const client = await publisher();
    const publication = gate.publications.at(-1)!;
    client.socket.pause();
    const pings = Buffer.concat(
      Array.from({ length: 20_000 }, () => chunksOf({ type: 4, payload: Buffer.from([0, 6, 0, 0, 0, 1]) }, 128)),
    );
    while (!publication.ended) {
      client.raw(pings);
      await Promise.race([client.flushed(), publication.until(({ ended }) => ended)]);
    }
    client.destroy();
  });

  it('a message aborted over and over', async () => {
    const client = await publisher();
    const start = chunksOf({ type: 9, payload: Buffer.alloc(6 * MIB), cid: 9, streamId: 1 }, 4096).subarray(
      0,
      12 + 4096,
    );
    const abort = chunksOf({ type: 2, payload: Buffer.from([0, 0, 0, 9]) }, 4096);
    for (let i = 0; i < 200; i += 1) client.raw(Buffer.concat([start, abort]));
    client.send({ type: 4, payload: Buffer.from([0, 6, 0, 0, 0, 1]) });
    await client.messageOfType(4);
    client.destroy();
  });

  it('an app name with ? and . in it', async () => {
    const client = await open();
    await client.connect('live.x?a=b?c');
    client.command('publish', 5, null, 'demo?key=secret');
    expect((await client.status()).code).toBe('NetStream.Publish.Rejected');
    client.destroy();
  });
});

function garbageCommand(): Buffer {
  return Buffer.concat([encodeAmf0('connect'), Buffer.from([0xff, 0x00, 0xfe, 0x02, 0xff, 0xff])]);
}

function deepCommand(depth = 15_000): Buffer {
  return Buffer.concat([encodeAmf0('connect', 1), nested(depth)]);
}

function injectAsPlayer(client: RawRtmpClient): void {
  client.command('play', 2, null, 'victim');
  for (let i = 0; i < 50; i += 1) client.video(i * 33, VIDEO);
}

function floodCommands(client: RawRtmpClient): void {
  for (let i = 0; i < 1000; i += 1) client.command('FCPublish', i, null, 'x');
}
