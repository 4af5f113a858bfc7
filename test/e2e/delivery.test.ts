import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { hlsRoutes } from '../../src/http/hls-routes.ts';
import { listenHttp } from '../../src/http/server.ts';
import { FfmpegPublisher } from '../support/ffmpeg-publisher.ts';
import { audioFrames, audioInit, videoFrames, videoInit } from '../support/hls-fragments.ts';
import { HlsStage } from '../support/hls-stage.ts';
import { HttpFixture } from '../support/http-fixture.ts';
import { LiveServer } from '../support/live-server.ts';
import { connectByteReader } from '../support/byte-reader.ts';
import { collectGarbage } from '../support/memory.ts';
import { until } from '../support/poll.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

describe('HTTPS', () => {
  it('carries a low-latency broadcast over one HTTP/2 connection', async () => {
    const server = await LiveServer.start({ settings: 'httpsPort = 0\nselfSigned = true' });
    ends.push(() => server.close());
    const publisher = new FfmpegPublisher({ url: server.rtmpUrl('demo'), bFrames: 0 });
    ends.push(() => publisher.kill());
    await server.variants('demo', 3);
    const session = http2.connect(server.app.httpsUrl!, { rejectUnauthorized: false });
    ends.push(() => session.destroy());
    const get = async (path: string) => {
      const stream = session.request({ ':path': path });
      const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
      return { headers, body: Buffer.concat((await stream.toArray()) as Buffer[]) };
    };

    const folder = '/hls/live/demo/240p/';
    let text = (await get(`${folder}video.m3u8`)).body.toString();
    for (let round = 0; round < 6; round += 1) {
      const hint = /PRELOAD-HINT:TYPE=PART,URI="([^"]+)"/.exec(text)?.[1] ?? 'none';
      const [playlist, part] = await Promise.all([
        get(`${folder}video.m3u8?${nextPosition(text)}`),
        get(folder + hint),
      ]);
      expect([playlist.headers[':status'], part.headers[':status']]).toEqual([200, 200]);
      expect(playlist.headers['cache-control']).toBe('max-age=9');
      expect(part.body.toString('latin1', 4, 8)).toMatch(/moof|styp/);
      text = playlist.body.toString();
      expect(text).toContain(`#EXT-X-PART:`);
      expect(text).toContain(hint);
    }
    expect(session.alpnProtocol).toBe('h2');
  });
});

describe('requests that wait', () => {
  const query = 'video.m3u8?_HLS_msn=5&_HLS_part=2';

  /** A broadcast that stands still before that part, and where it is served. */
  async function standStill(): Promise<{ stage: HlsStage; port: number; play: (from: number, to: number) => void }> {
    const stage = new HlsStage();
    const fixture = await HttpFixture.create({ playback: (app) => hlsRoutes(app, { origin: stage.origin }) });
    ends.push(
      () => stage.origin.close(),
      () => fixture.close(),
    );
    const [source, rung, aac] = [videoInit(), videoInit({ bytes: Buffer.from('rung init') }), audioInit()];
    stage.open('source', source);
    stage.open('720p', rung);
    stage.open('audio', aac);
    const keyframes = Array.from({ length: 20 }, (_, index) => 2 * index);
    const play = (from: number, to: number): void =>
      stage.play({
        source: videoFrames({ init: source, from, to, keyframes }),
        '720p': videoFrames({ init: rung, from, to, keyframes, lateMs: 50 }),
        audio: audioFrames({ init: aac, from, to }),
      });
    play(0, 10.2);
    const { port } = await listenHttp(fixture.app, { host: '127.0.0.1', port: 0 });
    return { stage, port, play };
  }

  it('leave nothing behind when 10,000 of them are aborted', async () => {
    const { stage, port, play } = await standStill();
    const round = async (count: number): Promise<void> => {
      const sockets = Array.from({ length: count }, () => {
        const socket = net.connect(port, '127.0.0.1');
        socket.on('error', () => undefined);
        socket.write(`GET /hls/live/demo/720p/${query} HTTP/1.1\r\nHost: a\r\n\r\n`);
        return socket;
      });
      await until('all to wait', () => stage.origin.waitingRequests === count);
      for (const socket of sockets) socket.destroy();
      await until('none to wait', () => stage.origin.waitingRequests === 0);
    };
    const heldBytes = (): number => {
      collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    await round(2_000);
    const before = heldBytes();
    for (let count = 0; count < 4; count += 1) await round(2_000);
    await until('the memory to be free', () => heldBytes() - before < 1_000_000, 10_000);
    const next = fetch(`http://127.0.0.1:${port}/hls/live/demo/720p/${query}`);
    await until('it to wait', () => stage.origin.waitingRequests === 1);
    play(10.2, 12.1);
    expect((await next).status).toBe(200);
  });

  it('are answered though their client reads a byte at a time', async () => {
    const { stage, port, play } = await standStill();
    let text = '';
    const socket = connectByteReader(port, { pauseMs: 0, onByte: (byte) => (text += byte) });
    ends.push(() => socket.destroy());
    socket.write(`GET /hls/live/demo/720p/${query} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    await until('it to wait', () => stage.origin.waitingRequests === 1);
    play(10.2, 12.1);
    await once(socket, 'close');
    expect(text).toMatch(/^HTTP\/1\.1 200 [^]*#EXT-X-RENDITION-REPORT[^\n]*\n$/);
  });

  it('are told apart from those that nobody may wait for', async () => {
    const { stage, port } = await standStill();
    const ask = async (search: string): Promise<number> =>
      (await fetch(`http://127.0.0.1:${port}/hls/live/demo/720p/video.m3u8?${search}`)).status;
    expect(await ask('_HLS_msn=3')).toBe(200);
    expect(await ask('_HLS_msn=3&_HLS_part=99')).toBe(200);
    expect(await ask('_HLS_msn=99')).toBe(400);
    expect(await ask('_HLS_msn=5&_HLS_part=99')).toBe(400);
    expect(await ask('_HLS_part=1')).toBe(400);
    expect(stage.origin.waitingRequests).toBe(0);
    const late = ask('_HLS_msn=5&_HLS_part=2');
    await until('it to wait', () => stage.origin.waitingRequests === 1);
    const expiry = setInterval(() => stage.clock.advance(1_000), 20);
    expect(await late.finally(() => clearInterval(expiry))).toBe(503);
    expect(await ask('')).toBe(200);
  });
});

/** The query that waits for what a playlist does not have yet. */
function nextPosition(text: string): string {
  const uris = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const parts = text.slice(text.lastIndexOf(uris.at(-1) ?? '')).split('#EXT-X-PART:').length - 1;
  const msn = Number(/MEDIA-SEQUENCE:(\d+)/.exec(text)?.[1]) + uris.length;
  return `_HLS_msn=${msn}&_HLS_part=${parts}`;
}
