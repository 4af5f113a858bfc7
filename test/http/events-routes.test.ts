import { once } from 'node:events';
import http from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PackagedBroadcast } from '../../src/http/deps.ts';
import { changes, type WatchedBroadcast } from '../../src/http/broadcast-events.ts';
import { listenHttp } from '../../src/http/server.ts';
import { ADMIN, HttpFixture } from '../support/http-fixture.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/poll.ts';

const rung = (name: string, state: 'starting' | 'playable' | 'withheld') => ({ name, state, codecs: [] });
const live = (...renditions: WatchedBroadcast['renditions']): WatchedBroadcast => ({
  name: 'live/a',
  state: 'live',
  renditions,
});

describe('changes between two looks', () => {
  it.each([
    ['nothing', [live(rung('x', 'playable'))], [live(rung('x', 'playable'))], []],
    ['a broadcast that begins', [], [live()], ['broadcast-live']],
    ['one that waits', [live()], [{ ...live(), state: 'waiting' as const }], ['broadcast-waiting']],
    ['one that returns', [{ ...live(), state: 'waiting' as const }], [live()], ['broadcast-live']],
    ['one that ends', [live()], [{ ...live(), state: 'ended' as const }], ['broadcast-ended']],
    ['one that is gone at once', [live()], [], ['broadcast-ended']],
    ['one that is forgotten after its end', [{ ...live(), state: 'ended' as const }], [], []],
    ['a rung that is added', [live()], [live(rung('x', 'starting'))], ['rendition-added x']],
    [
      'a rung that can be played',
      [live(rung('x', 'starting'))],
      [live(rung('x', 'playable'))],
      ['rendition-playable x'],
    ],
    ['both at once', [live()], [live(rung('x', 'playable'))], ['rendition-added x', 'rendition-playable x']],
    ['one that is withheld', [live(rung('x', 'playable'))], [live(rung('x', 'withheld'))], ['rendition-withheld x']],
    ['one that is removed', [live(rung('x', 'playable'))], [live()], ['rendition-removed x']],
  ])('tell %s', (_what, before, after, expected) => {
    const told = changes(before, after).map(({ type, rendition }) => [type, rendition].join(' ').trim());
    expect(told).toEqual(expected);
  });
});

describe('server-sent events', () => {
  let fixture: HttpFixture;
  let port: number;
  let broadcasts: PackagedBroadcast[];
  const clock = new ManualClock();
  const open: http.ClientRequest[] = [];
  beforeEach(async () => {
    broadcasts = [];
    fixture = await HttpFixture.create({ clock, origin: { describe: () => broadcasts } });
    ({ port } = await listenHttp(fixture.app, { host: '127.0.0.1', port: 0 }));
  });
  afterEach(async () => {
    open.splice(0).forEach((request) => request.destroy());
    await fixture.close();
  });

  async function listen(): Promise<{
    text: () => string;
    status: number | undefined;
    request: http.ClientRequest;
    type: unknown;
  }> {
    const request = http.get({ port, path: '/api/v1/events', headers: ADMIN, agent: false });
    open.push(request);
    request.on('error', () => undefined);
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    response.on('error', () => undefined);
    return { text: () => text, status: response.statusCode, request, type: response.headers['content-type'] };
  }

  it('begin with what is, go on with what changes, and keep the line busy', async () => {
    broadcasts = [{ broadcast: 'live/a', renditions: [rung('720p', 'playable')], warnings: [] }];
    const { text, type } = await listen();
    expect(type).toBe('text/event-stream');
    await until('the beginning', () => text().includes('connected'));
    expect(text()).toContain('event: rendition-playable\ndata: {"broadcast":"live/a","rendition":"720p"}\n\n');
    broadcasts = [{ broadcast: 'live/a', renditions: [], warnings: [] }];
    clock.advance(500);
    await until('the change', () => text().includes('event: rendition-removed\n'));
    expect(text()).not.toContain('heartbeat');
    clock.advance(15_000);
    await until('a heartbeat', () => text().includes(': heartbeat\n\n'));
  });

  it('go to a limited number of clients, and places are given back', async () => {
    const clients = await Promise.all(Array.from({ length: 100 }, () => listen()));
    expect(clients.every(({ status }) => status === 200)).toBe(true);
    expect((await listen()).status).toBe(429);
    clients[0]!.request.destroy();
    await until('a place', async () => (await listen()).status === 200);
  });

  it('do not keep the server from closing', async () => {
    await listen();
    await fixture.app.close();
  });
});
