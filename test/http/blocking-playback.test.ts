import { once } from 'node:events';
import { mkdtemp, readdir, readlink, rm, truncate, writeFile } from 'node:fs/promises';
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import fastify, { type FastifyInstance, type LightMyRequestResponse } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RenderedPlaylist } from '../../src/hls/rendered-playlist.ts';
import type { ArchivePlayback } from '../../src/http/archive-playback-routes.ts';
import { hlsRoutes } from '../../src/http/hls-routes.ts';
import type { Stills } from '../../src/http/stills-routes.ts';
import { AppError } from '../../src/util/errors.ts';
import { FakeOrigin } from '../support/fake-origin.ts';
import { until } from '../support/poll.ts';

const VIDEO = '/hls/live/demo/720p/video.m3u8';

let app: FastifyInstance | undefined;
let origin: FakeOrigin;
beforeEach(() => void (origin = new FakeOrigin()));
afterEach(async () => app?.close());

type Method = 'GET' | 'HEAD' | 'OPTIONS';
type Get = (url: string, headers?: Record<string, string>, method?: Method) => Promise<LightMyRequestResponse>;

async function serve(more: { archives?: ArchivePlayback; stills?: Stills } = {}): Promise<Get> {
  const server = fastify({ forceCloseConnections: true });
  app = server;
  await server.register(hlsRoutes, { origin, ...more });
  return (url, headers = {}, method = 'GET') => server.inject({ url, headers, method });
}

async function listen(): Promise<number> {
  await serve();
  await app!.listen({ host: '127.0.0.1', port: 0 });
  return (app!.server.address() as AddressInfo).port;
}

const ended = new RenderedPlaylist('#EXTM3U\nvideo-1.m4s\n#EXT-X-ENDLIST\n');
const newer = new RenderedPlaylist('#EXTM3U\nvideo-1.m4s\nvideo-2.m4s\n');

describe('a blocking reload', () => {
  it('is answered when the origin has it, and may be cached while it is of use', async () => {
    const get = await serve();
    const answers = [get(`${VIDEO}?_HLS_msn=2&_HLS_part=1&_HLS_skip=YES`), get(`${VIDEO}?_HLS_msn=2`, {}, 'HEAD')];
    await until('both to wait', () => origin.waiting === 2);
    expect(origin.requests[0]).toMatchObject({
      broadcast: 'live/demo',
      rendition: '720p',
      track: 'video',
      view: { window: 'dvr', skip: true },
      position: { msn: 2, part: 1 },
    });
    origin.wake(newer);
    const [whole, head] = await Promise.all(answers);
    expect([whole?.statusCode, whole?.body]).toEqual([200, newer.plain.toString()]);
    expect([head?.statusCode, head?.body]).toEqual([200, '']);
    expect(whole?.headers['cache-control']).toBe('max-age=9');
    expect(whole?.headers.vary).toBe('accept-encoding');
    expect(whole?.headers['access-control-allow-origin']).toBe('*');
  });

  it('gives the shared bytes of a version to all', async () => {
    const get = await serve();
    const answers = Array.from({ length: 50 }, () => get(`${VIDEO}?_HLS_msn=2`, { 'accept-encoding': 'gzip' }));
    await until('all to wait', () => origin.waiting === 50);
    origin.wake(newer);
    for (const answer of await Promise.all(answers)) {
      expect(gunzipSync(answer.rawPayload).equals(newer.plain)).toBe(true);
    }
  });

  it.each([
    ['UNAVAILABLE', 503, '1'],
    ['BAD_REQUEST', 400, undefined],
    ['NOT_FOUND', 404, undefined],
    ['LIMIT_REACHED', 429, undefined],
  ] as const)('that fails with %s is not cached, and every page may read why', async (code, status, retryAfter) => {
    const get = await serve();
    const answer = get(`${VIDEO}?_HLS_msn=2`);
    await until('it to wait', () => origin.waiting === 1);
    origin.wake(new AppError(code, 'it is so'));
    const { statusCode, headers, body } = await answer;
    expect([statusCode, headers['retry-after']]).toEqual([status, retryAfter]);
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['access-control-allow-origin']).toBe('*');
    expect(headers['access-control-expose-headers']).toContain('Retry-After');
    expect(body).toContain('it is so');
  });

  const WRONG = ['_HLS_msn=a', '_HLS_msn=-1', '_HLS_part=1', '_HLS_msn=1&_HLS_msn=2', '_HLS_skip=maybe', '_HLS_msn='];

  it.each(WRONG)('with %s is refused while the playlist is live', async (query) => {
    const get = await serve();
    const { statusCode, headers } = await get(`${VIDEO}?${query}`);
    expect([statusCode, headers['cache-control']]).toEqual([400, 'no-store']);
    expect(origin.waiting).toBe(0);
  });

  it.each(WRONG)('with %s is answered as if it were not there once the playlist has ended', async (query) => {
    const get = await serve();
    origin.playlist = ended;
    const { statusCode, headers } = await get(`${VIDEO}?${query}`);
    expect([statusCode, headers['cache-control']]).toEqual([200, 'max-age=3']);
  });

  it.each(['', ...WRONG])('with "%s" for a rung that is not there gets 404', async (query) => {
    const get = await serve();
    expect((await get(`/hls/live/demo/none/video.m3u8?${query}`)).statusCode).toBe(404);
  });

  it('never fails into the origin that wakes it', async () => {
    const get = await serve();
    const [bad, good] = [get(`${VIDEO}?_HLS_msn=2&token=%0a`), get(`${VIDEO}?_HLS_msn=2&token=ab`)];
    await until('both to wait', () => origin.waiting === 2);
    origin.wake(newer);
    expect((await bad).statusCode).toBe(400);
    expect((await good).body).toContain('video-2.m4s?token=ab\n');
  });

  it('is forgotten when its HTTP/1.1 client leaves', async () => {
    const port = await listen();
    const requests = Array.from({ length: 20 }, () =>
      http.get({ port, path: `${VIDEO}?_HLS_msn=2`, agent: new http.Agent() }).on('error', () => undefined),
    );
    await until('all to wait', () => origin.waiting === 20);
    for (const request of requests) request.destroy();
    await until('all to be forgotten', () => origin.waiting === 0);
  });

  it('is forgotten when its HTTP/2 client takes it back', async () => {
    const server = fastify({ http2: true });
    await server.register(hlsRoutes, { origin });
    await server.listen({ host: '127.0.0.1', port: 0 });
    const session = http2.connect(`http://127.0.0.1:${(server.server.address() as AddressInfo).port}`);
    const streams = Array.from({ length: 20 }, () => session.request({ ':path': `${VIDEO}?_HLS_msn=2` }));
    await until('all to wait', () => origin.waiting === 20);
    for (const stream of streams) stream.on('error', () => undefined).close(http2.constants.NGHTTP2_CANCEL);
    await until('all to be forgotten', () => origin.waiting === 0);
    const stream = session.request({ ':path': `${VIDEO}?_HLS_msn=2` });
    await until('it to wait', () => origin.waiting === 1);
    origin.wake(newer);
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    expect(headers[':status']).toBe(200);
    session.destroy();
    await server.close();
  });
});

describe('a part that is not whole yet', () => {
  it('sends nothing, not even a head, before it is', async () => {
    const port = await listen();
    const request = http.get({ port, path: '/hls/live/demo/720p/video-x-p2.m4s', agent: false });
    let answered = false;
    request.on('response', () => (answered = true));
    await until('it to wait', () => origin.waiting === 1);
    expect([answered, request.socket?.bytesRead]).toEqual([false, 0]);
    origin.wake({ contentType: 'video/mp4', bytes: Buffer.from('part') });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    const [bytes] = (await once(response, 'data')) as [Buffer];
    expect([bytes.toString(), response.headers['content-length']]).toEqual(['part', '4']);
    expect(response.headers['cache-control']).toMatch(/^max-age=\d+, immutable$/);
  });

  it('is not cached as missing when it never comes', async () => {
    const get = await serve();
    const answer = get('/hls/live/demo/720p/video-x-p2.m4s');
    await until('it to wait', () => origin.waiting === 1);
    origin.wake(new AppError('NOT_FOUND', 'it never came'));
    expect([(await answer).statusCode, (await answer).headers['cache-control']]).toEqual([404, 'no-store']);
  });
});

describe('a token', () => {
  it('goes to the children of playlists, in every encoding', async () => {
    const get = await serve();
    const plain = await get(`${VIDEO}?token=s%2Fx`);
    expect(plain.body).toBe('#EXTM3U\nvideo-1.m4s?token=s%2Fx\n');
    const gzip = await get('/hls/live/demo/index.m3u8?token=s%2Fx', { 'accept-encoding': 'gzip' });
    expect(gunzipSync(gzip.rawPayload).toString()).toBe(plain.body);
    expect(plain.headers.etag).not.toBe((await get(VIDEO)).headers.etag);
    const again = await get(`${VIDEO}?token=s%2Fx`, { 'if-none-match': String(plain.headers.etag) });
    expect(again.statusCode).toBe(304);
    expect((await get(`${VIDEO}?token=%00`)).statusCode).toBe(400);
  });
});

describe('media on disk', () => {
  const content = Buffer.alloc(300_000, 'abcdefg');
  const url = '/hls/live/demo/720p/video-x-1.m4s';
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-media-'));
    file = path.join(folder, 'video-x-1.m4s');
    await writeFile(file, content);
    origin.files.set('video-x-1.m4s', { contentType: 'video/mp4', path: file, size: content.length });
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const openFiles = async (): Promise<number> => {
    const descriptors = await readdir('/proc/self/fd', { withFileTypes: true });
    const targets = await Promise.all(descriptors.map(({ name }) => readlink(`/proc/self/fd/${name}`).catch(() => '')));
    return targets.filter((target) => target.startsWith(folder)).length;
  };

  it('is sent whole, in ranges, and as a head only', async () => {
    const get = await serve();
    const whole = await get(url);
    expect([whole.statusCode, whole.rawPayload.equals(content)]).toEqual([200, true]);
    expect(whole.headers).toMatchObject({
      'content-length': '300000',
      'content-type': 'video/mp4',
      'accept-ranges': 'bytes',
    });
    const part = await get(url, { range: 'bytes=100000-200000' });
    expect([part.statusCode, part.headers['content-range']]).toEqual([206, 'bytes 100000-200000/300000']);
    expect(part.rawPayload.equals(content.subarray(100_000, 200_001))).toBe(true);
    const head = await get(url, {}, 'HEAD');
    expect([head.statusCode, head.body, head.headers['content-length']]).toEqual([200, '', '300000']);
    expect((await get(url, { range: 'bytes=300000-' })).statusCode).toBe(416);
    expect((await get(url, { 'if-none-match': '"video-x-1.m4s"' })).statusCode).toBe(304);
    expect(await openFiles()).toBe(0);
  });

  it.each([
    ['has gone', () => rm(file)],
    ['is shorter than it was', () => truncate(file, 1000)],
  ])('is answered with 404 if it %s', async (_what, harm) => {
    const get = await serve();
    await harm();
    const { statusCode, headers } = await get(url);
    expect([statusCode, headers['cache-control'], headers.etag]).toEqual([404, 'no-store', undefined]);
    expect(headers['content-type']).toContain('json');
    expect(await openFiles()).toBe(0);
  });

  it('ends with a broken connection, never with other bytes, if it is cut while it is sent', async () => {
    const size = 50_000_000;
    await truncate(file, size);
    origin.files.set('video-x-1.m4s', { contentType: 'video/mp4', path: file, size });
    const port = await listen();
    const request = http.get({ port, path: url, agent: false });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    await truncate(file, 0);
    let received = 0;
    response.on('data', (bytes: Buffer) => (received += bytes.length));
    const [error] = (await once(response, 'error')) as [Error];
    expect(error.message).toBe('aborted');
    expect(received).toBeLessThan(size);
    await until('the file to be closed', async () => (await openFiles()) === 0);
  });

  it('is closed when the client leaves', async () => {
    const size = 50_000_000;
    await truncate(file, size);
    origin.files.set('video-x-1.m4s', { contentType: 'video/mp4', path: file, size });
    const port = await listen();
    const request = http.get({ port, path: url, agent: false });
    request.on('error', () => undefined);
    await once(request, 'response');
    expect(await openFiles()).toBe(1);
    request.destroy();
    await until('the file to be closed', async () => (await openFiles()) === 0);
  });
});

describe('recordings', () => {
  const archives: ArchivePlayback = {
    find: (id) => (id === 'rec.1' ? { broadcast: 'live/demo' } : undefined),
    multivariant: (_, span) => Promise.resolve(new RenderedPlaylist(`#EXTM3U\n# ${span?.startMs ?? 'all'}\n`)),
    mediaPlaylist: (_, rendition, track) => Promise.resolve(new RenderedPlaylist(`#EXTM3U\n# ${rendition} ${track}\n`)),
    iframes: () => Promise.resolve(new RenderedPlaylist('#EXTM3U\n# iframes\n')),
    media: (_, __, file) =>
      file === 'video-x-1.m4s'
        ? Promise.resolve({ contentType: 'video/mp4', bytes: Buffer.from('media') })
        : Promise.reject(new AppError('NOT_FOUND', 'no such file')),
  };
  const root = '/hls/live/demo/archives/rec.1';

  it.each([
    ['index.m3u8', '#EXTM3U\n# all\n'],
    ['clip.m3u8?start=1970-01-01T00:00:01Z&end=1970-01-01T00:00:02Z', '#EXTM3U\n# 1000\n'],
    ['720p/video.m3u8?_HLS_msn=a', '#EXTM3U\n# 720p video\n'],
    ['720p/iframes.m3u8', '#EXTM3U\n# iframes\n'],
  ])('play %s, for a while', async (file, body) => {
    const get = await serve({ archives });
    const answer = await get(`${root}/${file}`);
    expect([answer.statusCode, answer.body]).toEqual([200, body]);
    expect(answer.headers['cache-control']).toBe('max-age=60');
  });

  it('give their media, which never changes', async () => {
    const get = await serve({ archives });
    const answer = await get(`${root}/720p/video-x-1.m4s`, { range: 'bytes=1-2' });
    expect([answer.statusCode, answer.body]).toEqual([206, 'ed']);
    expect(answer.headers['cache-control']).toBe('max-age=86400, immutable');
  });

  it.each([
    `${root}/720p/video-x-2.m4s`,
    `${root}/720p/other.m3u8`,
    '/hls/live/demo/archives/rec.2/index.m3u8',
    '/hls/live/other/archives/rec.1/index.m3u8',
    '/hls/live/demo/archives/..%2frec.1/index.m3u8',
  ])('answer 404 to %s', async (url) => {
    const get = await serve({ archives });
    const { statusCode, headers } = await get(url);
    expect([statusCode, headers['cache-control']]).toEqual([404, 'no-store']);
    expect(headers['access-control-allow-origin']).toBe('*');
  });
});

describe('pictures', () => {
  const STORYBOARD = 'WEBVTT\n\n00:00:00.000 --> 00:00:10.000\nstoryboard-12.jpg#xywh=0,0,160,90\n';
  const stills: Stills = {
    thumbnail: (broadcast) =>
      broadcast === 'live/demo'
        ? Promise.resolve(Buffer.from('jpeg'))
        : Promise.reject(new AppError('NOT_FOUND', 'none')),
    storyboard: () => Promise.resolve({ vtt: STORYBOARD }),
    sprite: (_, index) => Promise.resolve(Buffer.from(`sheet ${index}`)),
  };

  it.each([
    ['thumbnail.jpg', 'image/jpeg', 'jpeg'],
    ['storyboard.vtt', 'text/vtt; charset=utf-8', STORYBOARD],
    ['storyboard.vtt?token=a%26b', 'text/vtt; charset=utf-8', STORYBOARD.replace('.jpg', '.jpg?token=a%26b')],
    ['storyboard-12.jpg', 'image/jpeg', 'sheet 12'],
  ])('%s is there, for some seconds', async (file, type, body) => {
    const get = await serve({ stills });
    const { statusCode, headers, body: text } = await get(`/hls/live/demo/${file}`);
    expect([statusCode, headers['content-type'], text]).toEqual([200, type, body]);
    expect(headers['cache-control']).toBe('max-age=5');
    const again = await get(`/hls/live/demo/${file}`, { 'if-none-match': String(headers.etag) });
    expect(again.statusCode).toBe(304);
  });

  it.each([
    '/hls/live/none/thumbnail.jpg',
    '/hls/live/demo/storyboard-x.jpg',
    '/hls/live/demo/storyboard-1234567890123456.jpg',
  ])('%s is not there', async (url) => {
    const get = await serve({ stills });
    expect((await get(url)).statusCode).toBe(404);
  });
});

describe('clips', () => {
  it('need both ends', async () => {
    const get = await serve();
    expect((await get('/hls/live/demo/clip.m3u8')).statusCode).toBe(400);
    expect((await get('/hls/live/demo/clip.m3u8?start=x&end=y')).statusCode).toBe(400);
    expect((await get(`${VIDEO}?start=2026-11-21T07:00:00Z`)).statusCode).toBe(400);
  });

  it('are asked of the origin', async () => {
    const asked: unknown[] = [];
    Object.assign(origin, {
      clipMultivariant: (...args: unknown[]) => (asked.push(args), ended),
      clip: (...args: unknown[]) => (asked.push(args), ended),
    });
    const get = await serve();
    const query = 'start=1970-01-01T00:00:01Z&end=1970-01-01T00:00:02Z';
    for (const file of ['clip.m3u8', '720p/video.m3u8', '720p/iframes.m3u8']) {
      expect((await get(`/hls/live/demo/${file}?${query}`)).statusCode).toBe(200);
    }
    const span = { startMs: 1000, endMs: 2000 };
    expect(asked).toEqual([
      ['live/demo', span],
      ['live/demo', '720p', 'video', span],
      ['live/demo', '720p', 'iframes', span],
    ]);
  });
});
