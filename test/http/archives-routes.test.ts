import { describe, expect, it } from 'vitest';
import { ADMIN, HttpFixture } from '../support/http-fixture.ts';

describe('recordings', () => {
  const row = {
    id: 'live.demo.20261121T070000Z',
    broadcast: 'live/demo',
    startedAt: '2026-11-21T07:00:00.000Z',
    durationMs: 60_000,
    bytes: 9_000_000,
    renditions: ['720p', 'audio'],
    playlist: '/hls/live/demo/archives/live.demo.20261121T070000Z/index.m3u8',
  };

  it('are listed, and deleted by id', async () => {
    const rows = [row];
    const remove = (id: string) => Promise.resolve(rows.splice(0, id === row.id ? 1 : 0).length > 0);
    const fixture = await HttpFixture.create({ archives: { list: () => rows, delete: remove } });
    const call = (method: 'GET' | 'DELETE', url: string) =>
      fixture.app.inject({ method, url: `/api/v1/${url}`, headers: ADMIN });
    expect((await call('GET', 'archives')).json()).toEqual([row]);
    expect((await call('DELETE', 'archives/other')).json()).toMatchObject({ statusCode: 404, code: 'NOT_FOUND' });
    expect((await call('DELETE', `archives/${row.id}`)).statusCode).toBe(204);
    expect((await call('GET', 'archives')).json()).toEqual([]);
    await fixture.close();
  });

  it('are none where nothing is recorded', async () => {
    const fixture = await HttpFixture.create();
    expect((await fixture.app.inject({ url: '/api/v1/archives', headers: ADMIN })).json()).toEqual([]);
    expect((await fixture.app.inject({ method: 'DELETE', url: '/api/v1/archives/x', headers: ADMIN })).statusCode).toBe(
      404,
    );
    await fixture.close();
  });
});
