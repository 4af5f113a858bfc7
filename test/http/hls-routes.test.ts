import { gunzipSync } from 'node:zlib';
import fastify, { type FastifyInstance, type LightMyRequestResponse } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { parseByteRange } from '../../src/http/byte-range.ts';
import { hlsRoutes } from '../../src/http/hls-routes.ts';
import { audioFrames, audioInit, videoFrames, videoInit } from '../support/hls-fragments.ts';
import { HlsStage } from '../support/hls-stage.ts';

const video = videoInit();
const rung = videoInit({ bytes: Buffer.from('rung init') });
const aac = audioInit();

let app: FastifyInstance | undefined;
afterEach(async () => app?.close());

/** A server with a broadcast `live/demo` that has a rung `720p` and audio. */
async function serve(seconds = 10.5): Promise<{ stage: HlsStage; get: Get; app: FastifyInstance }> {
  const stage = new HlsStage();
  stage.open('source', video);
  stage.open('720p', rung);
  stage.open('audio', aac);
  stage.play({
    source: videoFrames({ init: video, to: seconds }),
    '720p': videoFrames({ init: rung, to: seconds, lateMs: 50 }),
    audio: audioFrames({ init: aac, to: seconds }),
  });
  const server = fastify();
  app = server;
  await server.register(hlsRoutes, { origin: stage.origin });
  const get: Get = (url, headers = {}, method = 'GET') => server.inject({ method, url, headers });
  return { stage, get, app: server };
}

type Get = (
  url: string,
  headers?: Record<string, string>,
  method?: 'GET' | 'HEAD' | 'OPTIONS' | 'POST',
) => Promise<LightMyRequestResponse>;

/** Path of a file that the playlist of `720p` names. */
async function fileOf(get: Get, pattern: RegExp): Promise<string> {
  const { body } = await get('/hls/live/demo/720p/video.m3u8');
  return `/hls/live/demo/720p/${pattern.exec(body)?.[0] ?? 'none'}`;
}

const SEGMENT = /video-\w+-2\.m4s/;
const INIT = /video-\w+-init-0\.mp4/;

describe('playlists over HTTP', () => {
  it('are served with their type, for a short time, to every origin', async () => {
    const { get } = await serve();
    for (const path of ['index.m3u8', '720p/video.m3u8', 'audio/audio.m3u8']) {
      const { statusCode, headers, body } = await get(`/hls/live/demo/${path}`);
      expect([statusCode, headers['content-type']]).toEqual([200, 'application/vnd.apple.mpegurl']);
      expect(headers['cache-control']).toBe('max-age=1');
      expect(headers['access-control-allow-origin']).toBe('*');
      expect(headers['access-control-expose-headers']).toContain('Content-Range');
      expect(body.startsWith('#EXTM3U\n')).toBe(true);
    }
  });

  it('are compressed for those who take it', async () => {
    const { get } = await serve();
    const plain = await get('/hls/live/demo/720p/video.m3u8');
    expect(plain.headers['content-encoding']).toBeUndefined();
    const gzip = await get('/hls/live/demo/720p/video.m3u8', { 'accept-encoding': 'br, gzip;q=0.8' });
    expect(gzip.headers['content-encoding']).toBe('gzip');
    expect(gzip.headers.vary).toBe('accept-encoding');
    expect(gunzipSync(gzip.rawPayload).toString()).toBe(plain.body);
    const refused = await get('/hls/live/demo/720p/video.m3u8', { 'accept-encoding': 'gzip;q=0' });
    expect(refused.headers['content-encoding']).toBeUndefined();
  });

  it('are answered with 304 to a client that has this version', async () => {
    const { get } = await serve();
    const { headers } = await get('/hls/live/demo/720p/video.m3u8');
    const again = await get('/hls/live/demo/720p/video.m3u8', { 'if-none-match': `"x", ${headers.etag}` });
    expect([again.statusCode, again.body]).toEqual([304, '']);
    expect(again.headers['access-control-allow-origin']).toBe('*');
  });

  it('tolerate query parameters that nobody knows', async () => {
    const { get } = await serve();
    expect((await get('/hls/live/demo/720p/video.m3u8?token=a&_HLS_msn=3')).statusCode).toBe(200);
  });

  it('count who asks for them as viewers', async () => {
    const { get, stage } = await serve();
    await get('/hls/live/demo/720p/video.m3u8', { 'user-agent': 'one' });
    await get('/hls/live/demo/audio/audio.m3u8', { 'user-agent': 'one' });
    await get('/hls/live/demo/720p/video.m3u8', { 'user-agent': 'two' });
    await get('/hls/live/none/720p/video.m3u8', { 'user-agent': 'two' });
    expect(stage.origin.viewers.count('live/demo')).toBe(2);
    expect(stage.origin.viewers.count('live/none')).toBe(0);
  });
});

describe('media over HTTP', () => {
  it('is served with its type and may be kept for ever', async () => {
    const { get } = await serve();
    for (const pattern of [SEGMENT, INIT]) {
      const { statusCode, headers, rawPayload } = await get(await fileOf(get, pattern));
      expect([statusCode, headers['content-type']]).toEqual([200, 'video/mp4']);
      expect(headers['cache-control']).toBe('max-age=84, immutable');
      expect(headers['content-length']).toBe(String(rawPayload.length));
      expect(headers['accept-ranges']).toBe('bytes');
    }
    const audio = /audio-\w+-2\.m4s/.exec((await get('/hls/live/demo/audio/audio.m3u8')).body)?.[0] ?? '';
    expect((await get(`/hls/live/demo/audio/${audio}`)).headers['content-type']).toBe('audio/mp4');
  });

  it('answers HEAD without the bytes', async () => {
    const { get } = await serve();
    const path = await fileOf(get, SEGMENT);
    const [whole, head] = [await get(path), await get(path, {}, 'HEAD')];
    expect([head.statusCode, head.body]).toEqual([200, '']);
    expect(head.headers['content-length']).toBe(whole.headers['content-length']);
  });

  it('gives a single range', async () => {
    const { get } = await serve();
    const path = await fileOf(get, SEGMENT);
    const whole = (await get(path)).rawPayload;
    const part = await get(path, { range: 'bytes=10-19' });
    expect([part.statusCode, part.headers['content-range']]).toEqual([206, `bytes 10-19/${whole.length}`]);
    expect(part.rawPayload).toEqual(whole.subarray(10, 20));
    expect((await get(path, { range: 'bytes=-5' })).rawPayload).toEqual(whole.subarray(-5));
    expect((await get(path, { range: 'bytes=10-19', 'if-range': '"other"' })).statusCode).toBe(200);
    expect((await get(path, { range: 'bytes=0-1,4-5' })).statusCode).toBe(200);
  });

  it('refuses a range behind the end', async () => {
    const { get } = await serve();
    const path = await fileOf(get, SEGMENT);
    const size = (await get(path)).rawPayload.length;
    const answer = await get(path, { range: `bytes=${size}-` });
    expect([answer.statusCode, answer.headers['content-range']]).toEqual([416, `bytes */${size}`]);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['access-control-allow-origin']).toBe('*');
  });

  it('is answered with 304 to a client that has it', async () => {
    const { get } = await serve();
    const path = await fileOf(get, SEGMENT);
    const { headers } = await get(path);
    expect((await get(path, { 'if-none-match': String(headers.etag) })).statusCode).toBe(304);
  });

  it('is gone with 404 once it has expired', async () => {
    const { get, stage } = await serve(6.5);
    const path = await fileOf(get, SEGMENT);
    stage.play({
      source: videoFrames({ init: video, from: 6.5, to: 60, keyframes: [8, ...evens(10, 60)] }),
      '720p': videoFrames({ init: rung, from: 6.5, to: 60, keyframes: [8, ...evens(10, 60)], lateMs: 50 }),
    });
    const answer = await get(path);
    expect(answer.statusCode).toBe(404);
    expect(answer.headers['cache-control']).toBe('no-store');
  });
});

describe('failures over HTTP', () => {
  const UNKNOWN = [
    '/hls',
    '/hls/',
    '/hls/live',
    '/hls/live/demo',
    '/hls/live/demo/',
    '/hls/live/none/index.m3u8',
    '/hls/live/demo/9999p/video.m3u8',
    '/hls/live/demo/720p/audio.m3u8',
    '/hls/live/demo/720p/other.m3u8',
    '/hls/live/demo/720p/video-x-1.m4s',
    '/hls/live/demo/720p/video-.m4s',
    '/hls/live/demo/source/video.m3u8',
    '/hls/live/demo/720p/extra/video.m3u8',
    `/hls/live/demo/720p/video-${'9'.repeat(80)}.m4s`,
    '/hls/../../../etc/passwd',
    '/hls/live/demo/720p/..%2f..%2f..%2fetc%2fpasswd',
    '/hls/live/demo/%2e%2e/%2e%2e/etc/passwd',
    '/hls/live/demo/720p/video-%00.m4s',
    '/hls/__proto__/constructor/index.m3u8',
    '/hls/live/demo/__proto__/video.m3u8',
  ];

  it.each(UNKNOWN)('answers 404 with CORS, uncached, to %s', async (path) => {
    const { get } = await serve(4.5);
    const { statusCode, headers, body } = await get(path);
    expect(statusCode).toBe(404);
    if (!path.startsWith('/hls/..')) {
      expect(headers['access-control-allow-origin']).toBe('*');
      expect(headers['cache-control']).toBe('no-store');
      expect(JSON.parse(body)).toMatchObject({ statusCode: 404, error: 'Not Found', code: 'NOT_FOUND' });
    }
  });

  it('answers other methods with 404 and CORS', async () => {
    const { get } = await serve(4.5);
    const { statusCode, headers } = await get('/hls/live/demo/index.m3u8', {}, 'POST');
    expect([statusCode, headers['access-control-allow-origin']]).toEqual([404, '*']);
  });

  it('answers a preflight request', async () => {
    const { get } = await serve(4.5);
    const { statusCode, headers } = await get('/hls/live/demo/index.m3u8', { origin: 'http://a' }, 'OPTIONS');
    expect(statusCode).toBe(204);
    expect(headers['access-control-allow-origin']).toBe('*');
    expect(headers['access-control-allow-headers']).toContain('Range');
  });
});

describe('parseByteRange', () => {
  it.each([
    ['bytes=0-0', { first: 0, last: 0 }],
    ['bytes=5-', { first: 5, last: 99 }],
    ['bytes=5-1000', { first: 5, last: 99 }],
    ['bytes=-10', { first: 90, last: 99 }],
    ['bytes=-1000', { first: 0, last: 99 }],
    ['bytes=100-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=9-5', undefined],
    ['bytes=-', undefined],
    ['bytes=a-b', undefined],
    ['items=0-5', undefined],
    ['bytes=0-1,3-4', undefined],
    [undefined, undefined],
  ] as const)('reads %s', (header, range) => {
    expect(parseByteRange(header, 100)).toEqual(range);
  });
});

function evens(from: number, to: number): number[] {
  return Array.from({ length: (to - from) / 2 + 1 }, (_, index) => from + 2 * index);
}
