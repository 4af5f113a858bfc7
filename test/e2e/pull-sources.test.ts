import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SourceView } from '../../src/sources/source-view.ts';
import { fetchMultivariant } from '../support/hls-client.ts';
import { LiveServer, PASSTHROUGH_LADDER } from '../support/live-server.ts';
import { until } from '../support/poll.ts';
import { makeMedia } from '../support/upstream/made-media.ts';
import { ScriptedChannel } from '../support/upstream/scripted-channel.ts';
import { UpstreamServer } from '../support/upstream/upstream-server.ts';

/** A whole server that pulls from another one, over REST and as players see it. */
describe('remote sources', () => {
  let upstream: UpstreamServer;
  let server: LiveServer;
  let channel: ScriptedChannel;

  beforeAll(async () => {
    upstream = await UpstreamServer.start();
    const media = await makeMedia({ seconds: 80 });
    channel = new ScriptedChannel(upstream, '/tv', [{ name: 'v0', media }]).advance(6).run();
    const film = await makeMedia({ seconds: 6 });
    new ScriptedChannel(upstream, '/film', [{ name: 'v0', media: film }]).end();
    server = await LiveServer.start({
      ladder: PASSTHROUGH_LADDER,
      publish: { graceMs: 30_000 },
      settings: `
allowPrivate = ["127.0.0.0/8"]
pull.idleMs = 5000
pull.maxPerUser = 1
[[sources]]
name = "configured"
mode = "relay"
onDemand = true
url = "${channel.url}"
`,
    });
  });
  afterAll(async () => {
    channel.stop();
    await server.close();
    await upstream.close();
  });

  const add = (entry: object): Promise<Response> => server.api('POST', 'sources', entry);
  const view = async (name: string): Promise<SourceView> =>
    (await (await server.api('GET', `sources/${name}`)).json()) as SourceView;
  const get = (path: string): Promise<Response> => fetch(`${server.app.httpUrl}${path}`, { redirect: 'manual' });

  it('begin with their first viewer and end after the last, at once', async () => {
    const url = `${channel.url}?token=secret`;
    expect((await add({ name: 'tv', mode: 'ladder', url, onDemand: true, user: 'ann' })).status).toBe(201);
    expect(upstream.requests(/^\/tv/)).toHaveLength(0);
    expect((await get('/hls/live/tv/thumbnail.jpg')).status).toBe(404);
    expect((await view('tv')).state).toBe('idle');

    const [answer, other] = await Promise.all([get('/hls/live/tv/index.m3u8'), get('/hls/live/tv/index.m3u8?dvr=0')]);
    expect([answer.status, other.status]).toEqual([200, 200]);
    expect(await answer.text()).toContain('#EXT-X-STREAM-INF');
    const live = await until('the source to be live', async () => {
      const found = await view('tv');
      return found.state === 'live' && found;
    });
    expect(live).toMatchObject({ address: upstream.url('/tv/index.m3u8'), counters: { starts: 1 } });
    expect(JSON.stringify(live)).not.toContain('secret');
    const broadcasts = (await (await server.api('GET', 'broadcasts')).json()) as object[];
    expect(broadcasts).toMatchObject([{ name: 'live/tv', state: 'live', publisher: { protocol: 'pull' } }]);

    await until('nobody to have watched for a while', async () => (await view('tv')).state === 'idle');
    await until('the broadcast to have ended', async () => {
      const [broadcast] = (await (await server.api('GET', 'broadcasts')).json()) as { state: string }[];
      expect(broadcast?.state).not.toBe('waiting');
      return broadcast?.state === 'ended' || broadcast === undefined;
    });
    const again = await fetchMultivariant(server.multivariantUrl('tv'));
    expect(await (await fetch(again!.variants[0]!.url)).text()).not.toContain('#EXT-X-ENDLIST');
    expect(await view('tv')).toMatchObject({ counters: { starts: 2 } });
  });

  it('of a user make room for one another, also as relays', async () => {
    await add({ name: 'relayed', mode: 'relay', url: channel.url, onDemand: true, user: 'ann' });
    const answer = await get('/relay/relayed/index.m3u8');
    expect(answer.status).toBe(200);
    expect(await answer.text()).not.toContain(String(upstream.port));
    expect((await view('tv')).state).toBe('idle');
    expect((await view('relayed')).state).toBe('live');
    expect((await add({ name: 'always', mode: 'relay', url: channel.url, user: 'ann' })).status).toBe(201);
    await until('the other to have made room', async () => (await view('relayed')).state === 'idle');
    expect(await (await get('/relay/relayed/index.m3u8')).json()).toMatchObject({
      ...{ statusCode: 429, message: expect.stringContaining('pull.maxPerUser') as string },
    });
    expect((await server.api('DELETE', 'sources/always')).status).toBe(204);
  });

  it('that cannot be played tell admins why, and viewers that', async () => {
    await add({ name: 'nothing', mode: 'ladder', url: upstream.url('/nothing.m3u8'), onDemand: true });
    const answer = await get('/hls/live/nothing/index.m3u8');
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([503, '*']);
    expect(await answer.text()).not.toContain(String(upstream.port));
    const { state, lastError } = await view('nothing');
    expect([state, lastError?.message]).toEqual(['failed', expect.stringContaining('404')]);
  });

  it('that are recordings play as films', async () => {
    await add({ name: 'film', mode: 'ladder', url: upstream.url('/film/index.m3u8'), recorded: 'film' });
    const film = await until('the film', async () => {
      const found = await view('film');
      return found.state === 'film' && found;
    });
    expect(film.watch).toMatch(/^\/watch\/vod\//);
    const moved = await get('/hls/live/film/index.m3u8');
    expect([moved.status, moved.headers.get('location')]).toEqual([307, film.playlist]);
    expect(await (await get(film.playlist)).text()).toContain('#EXT-X-STREAM-INF');
  });

  it('are there again after a restart', async () => {
    await server.restart();
    const names = ((await (await server.api('GET', 'sources')).json()) as SourceView[]).map(({ name }) => name);
    expect(names).toEqual(['configured', 'tv', 'relayed', 'nothing', 'film']);
    expect((await get('/relay/relayed/index.m3u8')).status).toBe(200);
    const [, ...added] = names;
    for (const name of added) expect((await server.api('DELETE', `sources/${name}`)).status).toBe(204);
    expect((await get('/relay/relayed/index.m3u8')).status).toBe(404);
    const metrics = await (await server.api('GET', '../../metrics')).text();
    expect(metrics).toContain('laddercast_source_state{state="live"} 0');
  });

  it('of the configuration play, and are not deleted over REST', async () => {
    expect(await view('configured')).toMatchObject({ from: 'config', state: 'idle' });
    expect((await get('/relay/configured/index.m3u8')).status).toBe(200);
    expect((await server.api('DELETE', 'sources/configured')).status).toBe(409);
    expect(await view('configured')).toMatchObject({ state: 'live', counters: { starts: 1 } });
  });
});
