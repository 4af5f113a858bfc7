import { once } from 'node:events';
import http from 'node:http';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { LightMyRequestResponse } from 'fastify';
import { Value } from 'typebox/value';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listenHttp } from '../../src/http/server.ts';
import { ProgressReply, SessionReply } from '../../src/http/vod-schemas.ts';
import { silentLogger } from '../../src/util/logger.ts';
import type { SessionView } from '../../src/vod/session/session-view.ts';
import { subtitleFacts } from '../support/fake-vod.ts';
import { ADMIN, HttpFixture } from '../support/http-fixture.ts';
import { until } from '../support/poll.ts';
import { VodSessionsRig } from '../support/vod-sessions-rig.ts';

let rig: VodSessionsRig;
let fixture: HttpFixture;
const logged: object[] = [];

beforeEach(async () => {
  logged.length = 0;
  rig = await VodSessionsRig.open({ maxSessions: 3 });
  rig.vod.add('a', { subtitles: [subtitleFacts({ language: 'en', title: 'English' })] });
  const logger = { ...silentLogger, error: (fields: object) => void logged.push(fields) };
  fixture = await HttpFixture.create({ vod: rig.sessions, clock: rig.clock, logger });
});
afterEach(async () => {
  await fixture.close();
  await rig.close();
});

type Method = 'GET' | 'POST' | 'DELETE' | 'HEAD' | 'OPTIONS';

function api(method: Method, route: string, body?: object): Promise<LightMyRequestResponse> {
  return fixture.app.inject({ method, url: `/api/v1/${route}`, headers: ADMIN, ...(body && { payload: body }) });
}

/** As a player, without any token. */
function play(url: string, headers: Record<string, string> = {}, method: Method = 'GET') {
  return fixture.app.inject({ method, url, headers });
}

async function start(source = 'a', request: object = {}): Promise<SessionView> {
  return (await api('POST', 'vod', { source, ...request })).json<SessionView>();
}

describe('sessions over REST', () => {
  it('are started, listed, shown and stopped', async () => {
    const session = await start('a', { user: 'ann', positionMs: 3_000 });
    expect(session).toMatchObject({ source: 'a', user: 'ann', state: 'active', positionMs: 3_000 });
    expect(Value.Check(SessionReply, session)).toBe(true);
    expect((await api('GET', 'vod')).json()).toEqual([session]);
    expect((await api('GET', `vod/${session.id}`)).json()).toEqual(session);
    expect((await api('DELETE', `vod/${session.id}`)).json()).toMatchObject({ statusCode: 409, code: 'BUSY' });
    expect((await api('DELETE', `vod/${session.id}?force=true`)).statusCode).toBe(204);
    expect((await api('GET', `vod/${session.id}`)).json()).toMatchObject({ statusCode: 410, code: 'GONE' });
    expect((await api('GET', 'vod')).json()).toEqual([]);
  });

  it('are kept by heartbeats', async () => {
    const { id } = await start();
    rig.clock.advance(20_000);
    expect((await api('POST', `vod/${id}/heartbeat`)).json()).toEqual({ positionMs: 0 });
    rig.clock.advance(20_000);
    expect((await api('POST', `vod/${id}/heartbeat`, { positionMs: 7_000 })).json()).toEqual({ positionMs: 7_000 });
    expect((await api('GET', `vod/${id}`)).json()).toMatchObject({ state: 'active', positionMs: 7_000 });
    rig.clock.advance(40_000);
    expect((await api('GET', `vod/${id}`)).json()).toMatchObject({ state: 'idle' });
  });

  it.each([
    [{}, 400, "must have required property 'source'"],
    [{ source: '' }, 400, '"source"'],
    [{ source: 'x'.repeat(5_000) }, 400, '"source"'],
    [{ source: 'a', extra: 1 }, 400, 'unknown field "extra"'],
    [{ source: 'a', audio: -1 }, 400, '"audio"'],
    [{ source: 'a', audio: '0' }, 400, '"audio"'],
    [{ source: 'a', subtitles: 'on' }, 400, '"subtitles"'],
    [{ source: 'a', subtitles: { burn: 0, x: 1 } }, 400, '"subtitles"'],
    [{ source: 'a', user: '' }, 400, '"user"'],
    [{ source: 'a', positionMs: 1.5 }, 400, '"positionMs"'],
    [{ source: 'a', audio: 3 }, 400, 'there is no audio track 3; the source has 0 (de'],
    [{ source: 'nothing' }, 404, 'there is no file "nothing"'],
  ])('are refused for %j', async (body, statusCode, message) => {
    const answer = await api('POST', 'vod', body);
    expect(answer.json()).toMatchObject({ statusCode });
    expect(answer.json<{ message: string }>().message).toContain(message);
  });

  it('are refused beyond the limits', async () => {
    for (const user of ['ann', 'bob', 'eve']) await start('a', { user });
    expect((await api('POST', 'vod', { source: 'b' })).json()).toMatchObject({
      ...{ statusCode: 429, code: 'LIMIT_REACHED' },
      message: '3 sessions are active already, and 3 may be (vod.maxSessions); try again when one of them has ended',
    });
  });

  it('are for admins only', async () => {
    const { id } = await start();
    const routes = ['vod', `vod/${id}`, `vod/${id}/progress`];
    for (const route of routes) expect((await play(`/api/v1/${route}`)).statusCode).toBe(401);
    for (const route of ['vod', `vod/${id}/heartbeat`]) {
      expect((await play(`/api/v1/${route}`, {}, 'POST')).statusCode).toBe(401);
    }
    expect((await play(`/api/v1/vod/${id}`, {}, 'DELETE')).statusCode).toBe(401);
  });

  it('tell how far they are encoded', async () => {
    const { id } = await start('b', { fill: true });
    rig.vod.handle('720p')!.encoded = 3;
    const progress = (await api('GET', `vod/${id}/progress`)).json<object>();
    expect(Value.Check(ProgressReply, progress)).toBe(true);
    expect(progress).toMatchObject({ id, state: 'running', segments: 8, encoded: 3 });
  });

  it('do not show their ids in the log', async () => {
    const { id } = await start();
    Object.assign(rig.vod.deps, {
      segmentTicks: () => {
        throw new Error('a fault');
      },
    });
    expect((await play(`/vod/${id}/720p/index.m3u8?x=1`)).statusCode).toBe(500);
    expect(logged).toMatchObject([{ url: '/vod/…/720p/index.m3u8', reason: 'a fault' }]);
  });
});

describe('playback of files', () => {
  it('begins with a page, playlists and media, which any page may load', async () => {
    const { id, playlist } = await start();
    const info = await play(`/vod/${id}`);
    expect(info.json()).toEqual({ id, title: 'a', durationMs: 11_500, positionMs: 0, playlist });
    expect(info.headers['cache-control']).toBe('no-store');
    const multivariant = await play(playlist);
    expect(multivariant.headers).toMatchObject({
      ...{ 'content-type': 'application/vnd.apple.mpegurl', 'cache-control': 'private, max-age=10' },
      'access-control-allow-origin': '*',
    });
    expect(multivariant.body).toMatch(
      /NAME="English",LANGUAGE="en".*URI="subtitles-0\/index.m3u8"[^]*\n720p\/index.m3u8\n/,
    );
    const media = (await play(`/vod/${id}/720p/index.m3u8`)).body;
    const [segment = ''] = /^seg-2.*$/m.exec(media) ?? [];
    const answer = await play(`/vod/${id}/720p/${segment}`);
    expect(answer.body).toBe('720p 2');
    expect(answer.headers).toMatchObject({
      ...{ 'content-type': 'video/mp4', 'cache-control': 'max-age=86400, immutable', 'accept-ranges': 'bytes' },
      'access-control-allow-origin': '*',
    });
    const subtitles = await play(`/vod/${id}/subtitles-0/seg-0.vtt`);
    expect(subtitles.headers).toMatchObject({
      'content-type': 'text/vtt; charset=utf-8',
      'cache-control': 'max-age=60',
    });
  });

  it('sends parts, lengths, and nothing twice', async () => {
    const { id } = await start();
    const url = `/vod/${id}/720p/seg-1.m4s`;
    const part = await play(url, { range: 'bytes=0-3' });
    expect([part.statusCode, part.body, part.headers['content-range']]).toEqual([206, '720p', 'bytes 0-3/6']);
    expect((await play(url, { range: 'bytes=9-' })).statusCode).toBe(416);
    const head = await play(url, {}, 'HEAD');
    expect([head.statusCode, head.headers['content-length'], head.body]).toEqual([200, '6', '']);
    const etag = String((await play(url)).headers.etag);
    expect((await play(url, { 'if-none-match': etag })).statusCode).toBe(304);
    expect((await play(url, { range: 'bytes=0-3', 'if-range': '"another"' })).statusCode).toBe(200);
    const list = await play(`/vod/${id}/index.m3u8`);
    expect((await play(`/vod/${id}/index.m3u8`, { 'if-none-match': String(list.headers.etag) })).statusCode).toBe(304);
  });

  it('tells another encode of the same length apart from no other file, but from another length', async () => {
    const { id } = await start();
    const etags = await Promise.all(
      ['seg-0.m4s', 'seg-1.m4s', 'init.mp4'].map(async (file) => (await play(`/vod/${id}/720p/${file}`)).headers.etag),
    );
    expect(new Set(etags).size).toBe(3);
  });

  it.each([
    ['/vod/AAAAAAAAAAAAAAAAAAAAAA/index.m3u8', 404],
    ['/vod/ID/nothing/index.m3u8', 404],
    ['/vod/ID/720p/seg-9.m4s', 404],
    ['/vod/ID/720p/seg-01.m4s', 404],
    ['/vod/ID/720p/..%2f..%2fsecret', 404],
    ['/vod/ID/720p/seg-0.m4s?v=old', 410],
    ['/vod/ID/720p/seg-0.m4s?v=a%0ab', 400],
    ['/vod/ID/720p/seg-0.m4s?v=1&v=2', 400],
    ['/vod/ID/nothing', 404],
    [`/vod/${'x'.repeat(300)}/index.m3u8`, 414],
    ['/vod/%00/index.m3u8', 404],
    ['/vod/%ff/index.m3u8', 400],
  ])('answers %s with %d, readable for any page and cached by nobody', async (url, status) => {
    const { id } = await start();
    const answer = await play(url.replace('ID', id));
    expect(answer.statusCode).toBe(status);
    expect(answer.headers).toMatchObject({ 'cache-control': 'no-store', 'access-control-allow-origin': '*' });
    expect(answer.json()).toMatchObject({ statusCode: status });
  });

  it('takes heartbeats of pages elsewhere', async () => {
    const { id } = await start();
    const url = `/vod/${id}/heartbeat`;
    const preflight = await play(
      url,
      { origin: 'https://elsewhere', 'access-control-request-method': 'POST' },
      'OPTIONS',
    );
    expect(preflight.statusCode).toBe(204);
    expect(preflight.headers['access-control-allow-methods']).toContain('POST');
    expect((await play(url, {}, 'POST')).json()).toEqual({ positionMs: 0 });
    const told = await fixture.app.inject({ method: 'POST', url, payload: { positionMs: 4_000 } });
    expect(told.json()).toEqual({ positionMs: 4_000 });
    for (const payload of [{ positionMs: -1 }, { positionMs: 'x' }, { x: 1 }, [1]]) {
      expect((await fixture.app.inject({ method: 'POST', url, payload })).statusCode).toBe(400);
    }
  });

  it('ends with a session that was stopped, and says so', async () => {
    const { id } = await start();
    await api('DELETE', `vod/${id}?force=true`);
    const answer = await play(`/vod/${id}/720p/seg-0.m4s`);
    expect(answer.json()).toMatchObject({
      statusCode: 410,
      message: expect.stringContaining('it was stopped') as string,
    });
  });

  it('answers media that is gone from the disk, or is not whole, with 404', async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-media-'));
    const file = path.join(folder, 'seg-0.m4s');
    await writeFile(file, 'a segment');
    const { id } = await start();
    await play(`/vod/${id}/720p/init.mp4`);
    rig.vod.handle('720p')!.segment = () => Promise.resolve({ contentType: 'video/mp4', path: file, size: 9 });
    expect((await play(`/vod/${id}/720p/seg-0.m4s`)).body).toBe('a segment');
    await truncate(file, 5);
    expect((await play(`/vod/${id}/720p/seg-0.m4s`)).statusCode).toBe(404);
    await rm(folder, { recursive: true });
    expect((await play(`/vod/${id}/720p/seg-0.m4s`)).statusCode).toBe(404);
  });

  it('says when to ask again for what is not ready in time', async () => {
    const { id } = await start();
    await play(`/vod/${id}/720p/init.mp4`);
    rig.vod.handle('720p')!.stalls = true;
    const answer = play(`/vod/${id}/720p/seg-0.m4s`);
    await until('the wish', () => rig.vod.handle('720p')!.asked.length === 1);
    rig.clock.advance(25_000);
    expect(await answer).toMatchObject({ statusCode: 503 });
    expect((await answer).headers).toMatchObject({ 'retry-after': '1', 'cache-control': 'no-store' });
    expect(logged).toEqual([]);
  });
});

describe('over a real connection', () => {
  let port: number;
  const open: http.ClientRequest[] = [];
  beforeEach(async () => {
    ({ port } = await listenHttp(fixture.app, { host: '127.0.0.1', port: 0 }));
  });
  afterEach(() => {
    open.splice(0).forEach((request) => request.destroy());
  });

  function get(url: string, headers: Record<string, string> = {}): http.ClientRequest {
    const request = http.get({ port, path: url, headers, agent: false });
    request.on('error', () => undefined);
    open.push(request);
    return request;
  }

  async function follow(id: string) {
    const request = get(`/api/v1/vod/${id}/progress`, { ...ADMIN, accept: 'text/event-stream' });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    let text = '';
    let ended = false;
    response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    response.on('end', () => (ended = true)).on('error', () => undefined);
    return { request, response, text: () => text, ended: () => ended };
  }

  it('a session is started by a request with a body', async () => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/vod`, {
      ...{ method: 'POST', headers: { ...ADMIN, 'content-type': 'application/json' }, body: '{"source":"a"}' },
    });
    expect(response.status).toBe(200);
    const { id } = (await response.json()) as SessionView;
    const beat = await fetch(`http://127.0.0.1:${port}/vod/${id}/heartbeat`, { method: 'POST' });
    expect(await beat.json()).toEqual({ positionMs: 0 });
  });

  it('a wish ends with its client, without a word in the log', async () => {
    const { id } = await start();
    await play(`/vod/${id}/720p/init.mp4`);
    const handle = rig.vod.handle('720p')!;
    const withdrawn: number[] = [];
    handle.segment = (index, signal) => {
      handle.asked.push(index);
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          withdrawn.push(index);
          reject(new Error('withdrawn'));
        });
      });
    };
    const request = get(`/vod/${id}/720p/seg-1.m4s`);
    await until('the wish', () => handle.asked.length === 1);
    request.destroy();
    await until('the end of the wish', () => withdrawn.length === 1);
    expect(logged).toEqual([]);
    expect((await play(`/vod/${id}/720p/init.mp4`)).statusCode).toBe(200);
  });

  it('progress is told when it changes, until the session ends', async () => {
    const { id } = await start('b', { fill: true });
    const { text, ended, response } = await follow(id);
    expect(response.headers).toMatchObject({ 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const told = () =>
      [...text().matchAll(/event: progress\ndata: (.*)\n\n/g)].map(([, data]) => JSON.parse(data!) as object);
    await until('the first', () => told().length === 1);
    rig.clock.advance(5_000);
    rig.vod.handle('720p')!.encoded = 2;
    rig.clock.advance(500);
    await until('the second', () => told().length === 2);
    expect(told()).toMatchObject([{ encoded: 0 }, { encoded: 2, state: 'running' }]);
    await api('DELETE', `vod/${id}?force=true`);
    rig.clock.advance(500);
    await until('the end', ended);
    expect(text()).toContain('event: end\ndata: {"reason":"the session has ended: it was stopped; start a new one"}');
    expect(told()).toHaveLength(2);
  });

  it('progress is followed by a bounded number of clients, and by none that went', async () => {
    const { id } = await start('b', { fill: true });
    const clients = await Promise.all(Array.from({ length: 100 }, () => follow(id)));
    expect((await api('GET', `vod/${id}/progress`)).statusCode).toBe(200);
    const refused = await follow(id);
    expect(refused.response.statusCode).toBe(429);
    clients.forEach(({ request }) => request.destroy());
    await until('the end of all', () => rig.clock.pending < 10);
    expect((await follow(id)).response.statusCode).toBe(200);
  });
});
