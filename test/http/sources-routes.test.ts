import { once } from 'node:events';
import http from 'node:http';
import type { LightMyRequestResponse } from 'fastify';
import { Value } from 'typebox/value';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listenHttp } from '../../src/http/server.ts';
import { PrefetchReply, SourceReply } from '../../src/http/source-schemas.ts';
import type { SourceView } from '../../src/sources/source-view.ts';
import { ADMIN, HttpFixture } from '../support/http-fixture.ts';
import { until } from '../support/poll.ts';
import { SourcesRig } from '../support/sources-rig.ts';

let rig: SourcesRig;
let fixture: HttpFixture;

beforeEach(async () => {
  rig = await SourcesRig.open({
    entries: [{ name: 'fixed', mode: 'relay', url: 'http://127.0.0.1/x', onDemand: true }],
    limits: { maxSources: 3 },
  });
  fixture = await HttpFixture.create({
    ...{ sources: rig.sources, clock: rig.clock },
    sourceFigures: () => ({
      ...rig.sources.figures(),
      upstream: { upstreams: 1, playlists: 2, playlistLoads: 3, errors: 4, activePrefetchers: 5 },
      pool: {
        ...{ hits: 6, misses: 7, prefetched: 8, wastedBytes: 9, fetchedBytes: 10, retries: 11, failures: 12 },
        ...{ bytes: 13, diskBytes: 14 },
      },
    }),
  });
});
afterEach(async () => {
  await fixture.close();
  await rig.close();
});

function api(method: 'GET' | 'POST' | 'DELETE', route: string, body?: object): Promise<LightMyRequestResponse> {
  return fixture.app.inject({ method, url: `/api/v1/${route}`, headers: ADMIN, ...(body && { payload: body }) });
}

const tv = { name: 'tv', mode: 'ladder', url: 'http://u:secret@127.0.0.1/tv.m3u8?secret=1' };

describe('remote sources over REST', () => {
  it('are registered, listed, shown and forgotten, without their secrets', async () => {
    const added = await api('POST', 'sources', { ...tv, headers: { Cookie: 'secret' }, userAgent: 'secret' });
    expect(added.statusCode).toBe(201);
    expect(added.headers.location).toBe('/api/v1/sources/tv');
    await rig.advance(1);
    rig.run('tv').live({ address: 'http://127.0.0.1/tv.m3u8', lastError: 'it answered 503', counters: { bytes: 1 } });
    const shown = (await api('GET', 'sources/tv')).json<SourceView>();
    expect(shown).toMatchObject({ name: 'tv', state: 'live', viewers: 2, playlist: '/hls/live/tv/index.m3u8' });
    const list = await api('GET', 'sources');
    expect(list.json()).toEqual([rig.sources.view('fixed'), shown]);
    expect(Value.Check(SourceReply, shown)).toBe(true);
    expect(added.body + list.body).not.toContain('secret');
    expect((await api('DELETE', 'sources/tv')).statusCode).toBe(204);
    expect((await api('GET', 'sources/tv')).json()).toMatchObject({ statusCode: 404, code: 'NOT_FOUND' });
    expect((await api('DELETE', 'sources/tv')).statusCode).toBe(404);
  });

  it.each([
    [{}, 400, "must have required property 'name'"],
    [{ ...tv, name: '../x' }, 400, '"name"'],
    [{ ...tv, name: 'x'.repeat(65) }, 400, '"name"'],
    [{ ...tv, mode: 'copy' }, 400, '"mode"'],
    [{ ...tv, url: 'http://a b' }, 400, '"url"'],
    [{ ...tv, urls: [] }, 400, '"urls"'],
    [{ ...tv, urls: Array<string>(11).fill('http://127.0.0.1/') }, 400, '"urls"'],
    [{ ...tv, headers: { 'a\r\nb': 'c' } }, 400, 'header'],
    [{ ...tv, headers: { a: 'b\r\nc' } }, 400, 'headers'],
    [{ ...tv, maxConnections: 0 }, 400, '"maxConnections"'],
    [{ ...tv, extra: 1 }, 400, 'unknown field "extra"'],
    [{ ...tv, urls: ['http://127.0.0.1/'] }, 400, 'source "tv": name either "url" or "urls"'],
    [{ ...tv, url: 'http://10.0.0.1/secret?secret' }, 403, 'an operator may allow it in "allowPrivate"'],
    [{ ...tv, url: 'rtsp://u:secret@10.0.0.1/' }, 403, 'pull.allowHosts'],
    [{ ...tv, name: 'fixed' }, 409, 'there is a source "fixed" already'],
  ])('are refused for %j', async (body, statusCode, message) => {
    const answer = await api('POST', 'sources', body);
    expect(answer.json()).toMatchObject({ statusCode });
    expect(answer.json<{ message: string }>().message).toContain(message);
    expect(answer.body).not.toMatch(/u:secret|\?secret/);
    expect(rig.sources.list()).toHaveLength(1);
  });

  it('have a limit, and those of the configuration stay', async () => {
    for (const name of ['a', 'b']) await api('POST', 'sources', { ...tv, name, onDemand: true });
    expect((await api('POST', 'sources', tv)).json()).toMatchObject({ statusCode: 429, code: 'LIMIT_REACHED' });
    expect((await api('DELETE', 'sources/fixed')).json()).toMatchObject({
      statusCode: 409,
      message: 'source "fixed" is in the configuration; remove it there and restart',
    });
  });

  it('are for admins only', async () => {
    for (const [method, url] of [
      ['GET', 'sources'],
      ['POST', 'sources'],
      ['GET', 'sources/fixed'],
      ['DELETE', 'sources/fixed'],
    ] as const) {
      expect((await fixture.app.inject({ method, url: `/api/v1/${url}`, payload: tv })).statusCode).toBe(401);
    }
  });

  it('tell how well what is fetched ahead serves', async () => {
    const answer = (await api('GET', 'prefetch')).json<object>();
    expect(answer).toEqual({
      ...{ active: 5, hits: 6, misses: 7, prefetched: 8, wastedBytes: 9, fetchedBytes: 10, retries: 11, failures: 12 },
      ...{ memoryBytes: 13, diskBytes: 14, upstreams: 1, playlists: 2 },
    });
    expect(Value.Check(PrefetchReply, answer)).toBe(true);
  });

  it('tell at once what happens to them', async () => {
    const { port } = await listenHttp(fixture.app, { host: '127.0.0.1', port: 0 });
    const request = http.get({ port, path: '/api/v1/events', headers: ADMIN });
    const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
    let text = '';
    answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    await until('what is', () => text.includes('event: source-idle\ndata: {"source":"fixed"}'));
    await api('POST', 'sources', tv);
    await rig.advance(1);
    rig.run('tv').tell({ state: 'waiting', lastError: 'it answered 503', address: 'http://127.0.0.1/tv.m3u8' });
    await until('what happens', () =>
      text.includes('event: source-waiting\ndata: {"source":"tv","reason":"it answered 503"}'),
    );
    expect(text).toContain('event: source-added\ndata: {"source":"tv"}');
    request.destroy();
    await rig.sources.remove('tv');
  });
});
