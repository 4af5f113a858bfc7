import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import { box } from '../../../src/media/cmaf/box-writer.ts';
import { AppError } from '../../../src/util/errors.ts';
import { encodeFmp4, H264, seededRandom, splitFmp4, TEST_PICTURE, TEST_TONE } from '../../support/fmp4.ts';
import { startWsServer, WsPublisher } from '../../support/ws-publisher.ts';

let recorded: Buffer;

beforeAll(async () => {
  recorded = await encodeFmp4([...TEST_PICTURE, ...TEST_TONE, ...H264, '-c:a', 'libopus'], { seconds: 2 });
});

describe('a WebSocket publisher', () => {
  it('publishes a stream cut anywhere, and its broadcast ends with the connection', async () => {
    await using server = await startWsServer();
    const publisher = await WsPublisher.ready(server.url());
    expect(publisher.messages).toEqual([{ type: 'ready', broadcast: 'live/demo' }]);
    const random = seededRandom(7);
    for (let at = 0; at < recorded.length;) {
      const end = at + 1 + (random() % 9_000);
      await publisher.send(recorded.subarray(at, end));
      at = end;
    }
    await publisher.end();
    const publication = await server.gate.publication();
    await publication.until(({ ended }) => ended);
    expect(publication.video).toHaveLength(50);
    expect(publication.audio.length).toBeGreaterThan(90);
    expect(publication.request).toMatchObject({ broadcast: 'live/demo', protocol: 'ws', remote: '127.0.0.1' });
    await expect.poll(() => server.ingest.connections).toBe(0);
  });

  it('loses nothing that it sent before it was told that it may', async () => {
    await using server = await startWsServer();
    let admit = (): void => undefined;
    server.gate.hold = new Promise((resolve) => (admit = resolve));
    const publisher = new WsPublisher(server.url());
    await once(publisher.socket, 'open');
    await publisher.send(recorded);
    publisher.socket.close();
    await server.gate.requested();
    admit();
    const publication = await server.gate.publication();
    await publication.until(({ ended }) => ended);
    expect(publication.video).toHaveLength(50);
  });

  it('is not read while too much of what it sent waits', async () => {
    await using server = await startWsServer({ maxWaitingBytes: 1024 * 1024 });
    let admit = (): void => undefined;
    server.gate.hold = new Promise((resolve) => (admit = resolve));
    const publisher = new WsPublisher(server.url());
    await once(publisher.socket, 'open');
    const padding = box('free', Buffer.alloc(1_000_000));
    for (let count = 0; count < 60; count += 1) publisher.socket.send(padding);
    publisher.socket.send(recorded);
    await server.gate.requested();
    server.gate.hold = undefined;
    const other = await WsPublisher.ready(server.url('live/other'));
    await other.send(recorded);
    await (await server.gate.publication()).until(({ video }) => video.length === 50);
    expect(publisher.socket.bufferedAmount).toBeGreaterThan(20_000_000);
    admit();
    await (await server.gate.publication(1)).until(({ video }) => video.length === 50);
  });

  it('may be ffmpeg piped through a small client, with one fragment a frame', async () => {
    await using server = await startWsServer();
    const publisher = await WsPublisher.ready(server.url());
    const output = ['-t', '1', '-f', 'mp4', '-movflags', 'empty_moov+default_base_moof+frag_every_frame', 'pipe:1'];
    const ffmpeg = spawn('ffmpeg', ['-v', 'error', ...TEST_PICTURE, ...TEST_TONE, ...H264, '-c:a', 'aac', ...output]);
    for await (const chunk of ffmpeg.stdout) await publisher.send(chunk as Buffer);
    await publisher.end();
    const publication = await server.gate.publication();
    await publication.until(({ ended }) => ended);
    expect(publication.video).toHaveLength(25);
    expect(publication.audio.length).toBeGreaterThan(45);
    expect(publication.audio[0]?.init.codec).toBe('mp4a.40.2');
  });

  it('may change its init in mid-stream', async () => {
    await using server = await startWsServer();
    const other = await encodeFmp4(['-f', 'lavfi', '-i', 'testsrc2=size=160x90:rate=25', ...H264], { seconds: 1 });
    const publisher = await WsPublisher.ready(server.url());
    await publisher.send(recorded);
    await publisher.send(other);
    const publication = await server.gate.publication();
    await publication.until(({ video }) => video.length === 75);
    expect(publication.video.at(-1)?.init).toMatchObject({ width: 160, height: 90 });
  });

  it('is told its counters every two seconds', async () => {
    await using server = await startWsServer();
    const publisher = await WsPublisher.ready(server.url());
    await publisher.send(recorded);
    const publication = await server.gate.publication();
    await publication.until(({ video }) => video.length === 50);
    server.clock.advance(2_000);
    expect(await publisher.message('stats')).toMatchObject({
      frames: publication.frames.length,
      droppedFrames: 0,
      waitingBytes: 0,
    });
  });

  it('is pinged, and its own pings are answered', async () => {
    await using server = await startWsServer();
    const publisher = await WsPublisher.ready(server.url());
    const pinged = once(publisher.socket, 'ping');
    server.clock.advance(5_000);
    await pinged;
    const ponged = once(publisher.socket, 'pong');
    publisher.socket.ping('hello');
    expect(String((await ponged)[0])).toBe('hello');
  });
});

describe('a WebSocket publisher is refused', () => {
  it.each([
    ['a wrong key', 'live/demo', '?key=wrong', 'UNAUTHORIZED', 4401],
    ['no key', 'live/demo', '', 'UNAUTHORIZED', 4401],
    ['a bad name', 'live/UPPER', '?key=secret', 'BAD_REQUEST', 4400],
    ['a name that is badly encoded', 'live/%zz', '?key=secret', 'BAD_REQUEST', 4400],
  ])('with %s', async (_name, path, query, code, closeCode) => {
    await using server = await startWsServer();
    const publisher = new WsPublisher(server.url(path, query));
    expect(await publisher.message('error')).toMatchObject({ code });
    expect(await publisher.closed).toBe(closeCode);
    expect(server.gate.publications).toEqual([]);
    expect(JSON.stringify(publisher.messages)).not.toMatch(/secret|wrong"/);
  });

  it('while another one has the broadcast', async () => {
    await using server = await startWsServer();
    await WsPublisher.ready(server.url());
    const second = new WsPublisher(server.url());
    expect(await second.message('error')).toMatchObject({ code: 'BUSY' });
    expect(await second.closed).toBe(4409);
  });

  it('above the limit of connections, before the handshake', async () => {
    await using server = await startWsServer({ maxConnections: 1 });
    const first = await WsPublisher.ready(server.url());
    expect(await new WsPublisher(server.url('live/other')).closed).toBe(1006);
    await first.end();
    await expect.poll(() => server.ingest.connections).toBe(0);
    await WsPublisher.ready(server.url('live/other'));
  });

  it('on another path, by whoever owns the HTTP server', async () => {
    await using server = await startWsServer();
    expect(await new WsPublisher(server.url().replace('/ingest/', '/other/')).closed).toBe(1006);
    expect(server.gate.requests).toEqual([]);
  });
});

describe('a WebSocket publisher is cut off', () => {
  it.each<[string, () => Buffer | string, string, number]>([
    ['that sends something else than fMP4', () => Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'BAD_MEDIA', 4400],
    ['whose init is damaged', () => Buffer.from(recorded).fill(0xff, 400, 500), 'BAD_MEDIA', 4400],
    ['that sends text', () => 'hello', 'BAD_REQUEST', 4400],
  ])('%s', async (_name, make, code, closeCode) => {
    await using server = await startWsServer();
    const publisher = await WsPublisher.ready(server.url());
    const publication = await server.gate.publication();
    await publisher.send(make());
    expect(await publisher.message('error')).toMatchObject({ code });
    expect(await publisher.closed).toBe(closeCode);
    expect(publication.ended).toBe(true);
    await WsPublisher.ready(server.url());
  });

  it('whose message is over the limit; one at the limit is taken', async () => {
    await using server = await startWsServer({ maxMessageBytes: recorded.length });
    const publisher = await WsPublisher.ready(server.url());
    const publication = await server.gate.publication();
    await publisher.send(recorded);
    await publication.until(({ video }) => video.length === 50);
    await publisher.send(Buffer.alloc(recorded.length + 1));
    expect(await publisher.closed).toBe(1009);
    await publication.until(({ ended }) => ended);
  });

  it('that sends no init within 10 s, whatever else it sends', async () => {
    await using server = await startWsServer();
    const publisher = await WsPublisher.ready(server.url());
    await publisher.send(recorded.subarray(0, 100));
    server.clock.advance(9_750);
    expect(publisher.messages.map(({ type }) => type)).not.toContain('error');
    server.clock.advance(250);
    expect((await publisher.message('error')).message).toMatch(/init.*10 s/);
    expect(await publisher.closed).toBe(4410);
  });

  it('that says nothing for 15 s', async () => {
    await using server = await startWsServer();
    const publisher = await WsPublisher.ready(server.url());
    await publisher.send(recorded);
    await (await server.gate.publication()).until(({ video }) => video.length === 50);
    server.clock.advance(14_750);
    expect(publisher.messages.map(({ type }) => type)).not.toContain('error');
    server.clock.advance(250);
    expect((await publisher.message('error')).message).toMatch(/15 s/);
    expect(await publisher.closed).toBe(4410);
  });

  it('that dribbles bytes without ever completing a fragment', async () => {
    await using server = await startWsServer();
    const publisher = await WsPublisher.ready(server.url());
    const { init, fragments } = splitFmp4(recorded);
    await publisher.send(Buffer.concat([init, fragments[0]!]));
    await (await server.gate.publication()).until(({ video }) => video.length === 25);
    server.clock.advance(250);
    for (let at = 0; at < 3; at += 1) {
      await publisher.send(fragments[1]!.subarray(at, at + 1));
      const ponged = once(publisher.socket, 'pong');
      publisher.socket.ping();
      await ponged;
      server.clock.advance(10_000);
    }
    expect((await publisher.message('error')).message).toMatch(/fragment.*30 s/);
  });

  it('by an admin, at once', async () => {
    await using server = await startWsServer();
    const publisher = await WsPublisher.ready(server.url());
    const publication = await server.gate.publication();
    publication.request.disconnect(new AppError('GONE', 'ended by an admin'));
    expect(publication.ended).toBe(true);
    expect(await publisher.message('error')).toMatchObject({ code: 'GONE', message: 'ended by an admin' });
    expect(await publisher.closed).toBe(4410);
  });

  it('even if it never answers the close frame', async () => {
    await using server = await startWsServer();
    const publisher = await WsPublisher.ready(server.url());
    publisher.socket.pause();
    const publication = await server.gate.publication();
    publication.request.disconnect(new AppError('GONE', 'ended by an admin'));
    expect(server.ingest.connections).toBe(1);
    server.clock.advance(1_250);
    await expect.poll(() => server.ingest.connections).toBe(0);
    publisher.socket.terminate();
  });
});

describe('the WebSocket ingest', () => {
  it('survives peers that vanish at any moment', async () => {
    await using server = await startWsServer();
    for (const bytes of [0, 10, 700, 30_000]) {
      const publisher = await WsPublisher.ready(server.url());
      await publisher.send(recorded.subarray(0, bytes));
      publisher.socket.terminate();
      await expect.poll(() => server.ingest.connections).toBe(0);
    }
    expect(server.gate.publications.every(({ ended }) => ended)).toBe(true);
    await WsPublisher.ready(server.url());
  });

  it('refuses an upgrade that is no WebSocket handshake', async () => {
    await using server = await startWsServer();
    const { port, pathname } = new URL(server.url());
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(`GET ${pathname} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
    expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 400/);
    expect(server.ingest.connections).toBe(0);
    socket.destroy();
  });

  it('cuts all publishers off when it closes, waits for them, and takes no more', async () => {
    await using server = await startWsServer();
    const publishers = await Promise.all(['live/a', 'live/b'].map((name) => WsPublisher.ready(server.url(name))));
    const closing = server.ingest.close();
    expect(server.ingest.close()).toBe(closing);
    for (const publisher of publishers) {
      expect(await publisher.message('error')).toMatchObject({ code: 'UNAVAILABLE' });
      expect(await publisher.closed).toBe(1013);
    }
    await closing;
    expect(server.ingest.connections).toBe(0);
    expect(server.clock.pending).toBe(0);
    expect(server.gate.publications.every(({ ended }) => ended)).toBe(true);
    expect(await new WsPublisher(server.url()).closed).toBe(1006);
  });
});
