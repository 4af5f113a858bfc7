import { once } from 'node:events';
import http from 'node:http';
import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hlsRoutes } from '../../src/http/hls-routes.ts';
import type { OnDemand } from '../../src/http/on-demand.ts';
import { type Deferred, deferred } from '../../src/util/deferred.ts';
import { AppError } from '../../src/util/errors.ts';
import { videoFrames, videoInit } from '../support/hls-fragments.ts';
import { HlsStage } from '../support/hls-stage.ts';
import { until } from '../support/poll.ts';

const init = videoInit();
let app: FastifyInstance;
let stage: HlsStage;
let begun: Deferred<string | undefined>;
let demands: AbortSignal[];
const used: string[] = [];

beforeEach(async () => {
  stage = new HlsStage();
  used.length = 0;
  demands = [];
  begun = deferred();
  const demand: OnDemand = {
    use: (broadcast) => {
      used.push(broadcast);
      return broadcast === 'live/demo' && demands.length === 0;
    },
    demand: (_broadcast, signal) => {
      demands.push(signal);
      return begun.promise;
    },
  };
  app = fastify();
  app.setErrorHandler<AppError>((error, _request, reply) => reply.code(error.statusCode).send(error.message));
  await app.register(hlsRoutes, { origin: stage.origin, demand });
});
afterEach(() => app.close());

describe('a broadcast on demand', () => {
  it('has its playlist once it has begun', async () => {
    const answer = app.inject('/hls/live/demo/index.m3u8?dvr=0');
    await until('the demand', () => demands.length === 1);
    stage.open('source', init);
    stage.open('720p', init);
    stage.play({ source: videoFrames({ init, to: 6.5 }), '720p': videoFrames({ init, to: 6.5, lateMs: 50 }) });
    begun.resolve(undefined);
    expect((await answer).body).toContain('#EXT-X-STREAM-INF');
    expect((await app.inject('/hls/live/demo/720p/video.m3u8')).statusCode).toBe(200);
    expect(demands).toHaveLength(1);
    expect(used).toEqual(['live/demo', 'live/demo']);
  });

  it('that is played elsewhere leads there', async () => {
    begun.resolve('/vod/1/index.m3u8');
    const { statusCode, headers } = await app.inject('/hls/live/demo/index.m3u8');
    expect([statusCode, headers.location]).toEqual([307, '/vod/1/index.m3u8']);
    expect(headers).toMatchObject({ 'access-control-allow-origin': '*', 'cache-control': 'no-store' });
  });

  it('that cannot begin says why, to pages of every origin', async () => {
    begun.reject(new AppError('UNAVAILABLE', 'nobody answers'));
    const { statusCode, headers, body } = await app.inject('/hls/live/demo/index.m3u8');
    expect([statusCode, body]).toEqual([503, 'nobody answers']);
    expect(headers).toMatchObject({ 'access-control-allow-origin': '*', 'retry-after': '1' });
  });

  it('does not begin for media, pictures, or what is no playback', async () => {
    for (const path of ['source/video-x-1.m4s', 'thumbnail.jpg', 'index.mpd']) {
      expect((await app.inject(`/hls/live/demo/${path}`)).statusCode).toBe(404);
    }
    expect((await app.inject('/hls/live/other/index.m3u8')).statusCode).toBe(404);
    expect((await app.inject({ method: 'OPTIONS', url: '/hls/live/demo/index.m3u8' })).statusCode).toBe(204);
    expect(demands).toHaveLength(0);
  });

  it('is told when the client that waited has gone', async () => {
    await app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = app.server.address() as { port: number };
    const request = http.get({ port, path: '/hls/live/demo/index.m3u8' });
    request.on('error', () => undefined);
    const signal = await until('the demand', () => demands[0]);
    const gone = once(signal, 'abort');
    request.destroy();
    await gone;
    begun.reject(new AppError('GONE', 'the client has gone'));
  });
});
