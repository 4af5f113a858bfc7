import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AppError } from '../../src/util/errors.ts';
import { SourcesRig } from '../support/sources-rig.ts';

let rig: SourcesRig;

beforeEach(async () => {
  rig = await SourcesRig.open();
});
afterEach(() => rig.close());

const { signal } = new AbortController();
const types = () => rig.events.map(({ type }) => type.replace('source-', ''));
const state = () => rig.sources.list()[0]?.state;

/** A source on demand that is asked for: what is awaited is only its start. */
async function demanded(): Promise<{ demand: Promise<string | undefined> }> {
  await rig.add({ name: 'tv', onDemand: true });
  const demand = rig.sources.demand('live/tv', signal);
  demand.catch(() => undefined);
  await rig.advance(1);
  return { demand };
}

describe('a source that is always on', () => {
  beforeEach(async () => {
    await rig.add({ name: 'tv' });
    await rig.advance(1);
  });

  it('tells how it is doing, and what went wrong', () => {
    rig.run('tv').live({ address: 'http://127.0.0.1/a', counters: { bytes: 5 } });
    rig.run('tv').tell({ state: 'waiting', lastError: 'it answered 503' });
    rig.run('tv').tell({ state: 'live', failovers: 1, address: 'http://127.0.0.1/b' });
    expect(rig.sources.view('tv')).toMatchObject({
      ...{ state: 'live', failovers: 1, address: 'http://127.0.0.1/b' },
      ...{ lastError: { message: 'it answered 503' }, counters: { starts: 1, bytes: 5 } },
    });
    expect(types()).toEqual(['added', 'starting', 'live', 'waiting', 'failover', 'live']);
    expect(rig.events[3]).toEqual({ type: 'source-waiting', source: 'tv', reason: 'it answered 503' });
    expect(rig.events[4]).toMatchObject({ reason: 'it answered 503', address: 'http://127.0.0.1/b' });
  });

  it('is started again after failures, later each time, for ever', async () => {
    const delays: number[] = [];
    for (let failures = 1; failures <= 9; failures += 1) {
      rig.run('tv').over({ state: 'failed', lastError: 'nobody answers', counters: { errors: 1 }, failovers: 1 });
      await rig.advance(0, 1);
      await rig.advance(1);
      expect(state()).toBe('failed');
      let waitedMs = 0;
      for (; rig.runs.length === failures; waitedMs += 250) await rig.advance(250);
      delays.push(waitedMs);
    }
    expect(delays[0]).toBeLessThanOrEqual(1_000);
    expect(delays[2]).toBeGreaterThan(delays[0]!);
    expect(delays.at(-1)).toBeGreaterThan(44_000);
    expect(delays.at(-1)).toBeLessThanOrEqual(60_250);
    expect(rig.sources.view('tv')).toMatchObject({ failovers: 9, counters: { errors: 9, starts: 10 } });
    expect(rig.ended).toEqual([]);
  });

  it('lets nobody wait for a start that is further away than anybody waits', async () => {
    await rig.add({ name: 'relayed', mode: 'relay' });
    await rig.advance(1);
    const asked: string[] = [];
    for (let failures = 1; failures <= 6; failures += 1) {
      rig.run('relayed').over({ state: 'failed', lastError: 'it is no playlist' });
      await rig.advance(1);
      const answer = rig.sources.relay('relayed', signal).then(
        () => 'played',
        (thrown: unknown) => (thrown as AppError).message,
      );
      await rig.advance(1);
      asked.push(await Promise.race([answer, Promise.resolve('waits')]));
      await rig.advance(40_000, 1_000);
    }
    // The pauses are 1, 2, 4, 8, 16 and 32 s, less up to a quarter.
    expect(asked.slice(0, 4)).toEqual(['waits', 'waits', 'waits', 'waits']);
    expect(asked[5]).toContain('source "relayed" has nothing to play at present (failed)');
  });

  it('ends its broadcast at its end, and only looks from then on whether it is live again', async () => {
    rig.run('tv').live();
    rig.run('tv').over({ state: 'ended' });
    await rig.advance(1);
    expect(state()).toBe('ended');
    expect(rig.ended).toEqual(['live/tv']);
    await rig.advance(60_000);
    expect(rig.run('tv').request.liveOnly).toBe(true);
    rig.run('tv').over({ state: 'ended' });
    await rig.advance(1);
    await rig.advance(60_000);
    rig.run('tv').live();
    expect(types()).toEqual(['added', 'starting', 'live', 'ended', 'live']);
  });

  it('is a film once it turns out to be one, and that is known for a while', async () => {
    rig.run('tv').over({ state: 'film', film: { playlist: '/vod/1/index.m3u8', watch: '/watch/vod/1' } });
    await rig.advance(1);
    expect(rig.sources.view('tv')).toMatchObject({
      ...{ state: 'film', playlist: '/vod/1/index.m3u8', watch: '/watch/vod/1' },
    });
    expect(rig.sources.use('live/tv')).toBe(true);
    expect(await rig.sources.demand('live/tv', signal)).toBe('/vod/1/index.m3u8');
    expect(rig.runs).toHaveLength(1);
    await rig.advance(60_000);
    const demand = rig.sources.demand('live/tv', signal);
    await rig.advance(1);
    rig.run('tv').over({ state: 'film', film: { playlist: '/vod/2/index.m3u8', watch: '/watch/vod/2' } });
    expect(await demand).toBe('/vod/2/index.m3u8');
    expect(rig.runs).toHaveLength(2);
  });

  it('tells nothing of a fault of the server itself', async () => {
    await rig.sources.remove('tv');
    const broken = { name: 'tv', mode: 'ladder', url: 'http://127.0.0.1/x' } as const;
    rig.runs.push = () => {
      throw new TypeError('x is not a function');
    };
    await rig.sources.add(broken);
    await rig.advance(1);
    expect(rig.sources.view('tv')).toMatchObject({
      ...{ state: 'failed', lastError: { message: 'the server failed to run it; its log says why' } },
    });
    expect(JSON.stringify(rig.logged)).toContain('x is not a function');
  });
});

describe('a source on demand', () => {
  it('does nothing until somebody asks, starts once for all who do, and stops when nobody has for a while', async () => {
    await rig.add({ name: 'tv', onDemand: true });
    await rig.advance(100_000, 10_000);
    expect(rig.runs).toHaveLength(0);
    expect(rig.sources.use('live/other')).toBe(false);
    expect(rig.sources.use('live/tv')).toBe(true);
    expect(rig.runs).toHaveLength(0);
    const demands = [1, 2, 3].map(() => rig.sources.demand('live/tv', signal));
    await rig.advance(5_000, 1_000);
    rig.run('tv').live();
    expect(await Promise.all(demands)).toEqual([undefined, undefined, undefined]);
    expect(rig.runs).toHaveLength(1);
    for (let minutes = 0; minutes < 5; minutes += 1) {
      await rig.advance(50_000, 10_000);
      expect(rig.sources.use('live/tv')).toBe(false);
    }
    await rig.advance(59_000, 1_000);
    expect(state()).toBe('live');
    await rig.advance(2_000, 1_000);
    expect(state()).toBe('idle');
    expect(rig.run('tv').closed).toBeGreaterThan(0);
    expect(rig.ended).toEqual(['live/tv']);
    expect(rig.sources.use('live/tv')).toBe(true);
  });

  it('tells those who wait why there is nothing to play, and goes on trying for them', async () => {
    const { demand } = await demanded();
    rig.run('tv').tell({ state: 'waiting', lastError: 'it answered 503' });
    await rig.advance(15_000, 5_000);
    await expect(demand).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('source "tv" has nothing to play at present (waiting)') as string,
    });
    expect(state()).toBe('waiting');
    const again = rig.sources.demand('live/tv', signal);
    rig.run('tv').live();
    expect(await again).toBeUndefined();
    expect(rig.runs).toHaveLength(1);
  });

  it('that cannot be played says so at once, and is not started again for a moment', async () => {
    const { demand } = await demanded();
    rig.run('tv').over({ state: 'failed', lastError: 'it is no playlist' });
    await expect(demand).rejects.toMatchObject({
      ...{ code: 'UNAVAILABLE', message: expect.stringContaining('at present (failed)') as string },
    });
    await expect(rig.sources.demand('live/tv', signal)).rejects.toMatchObject({
      message: expect.stringContaining('at present (failed)') as string,
    });
    expect(rig.runs).toHaveLength(1);
    await rig.advance(3_000);
    void rig.sources.demand('live/tv', signal).catch(() => undefined);
    await rig.advance(1);
    expect(rig.runs).toHaveLength(2);
  });

  it('that fails while it is watched is started again, and those who ask meanwhile wait for it', async () => {
    const { demand } = await demanded();
    rig.run('tv').live();
    await demand;
    rig.run('tv').over({ state: 'failed', lastError: 'nobody answers' });
    await rig.advance(1);
    expect(rig.sources.use('live/tv')).toBe(true);
    const again = rig.sources.demand('live/tv', signal);
    await rig.advance(1_000, 100);
    expect(rig.runs).toHaveLength(2);
    rig.run('tv').live();
    await rig.advance(400, 200);
    expect(await again).toBeUndefined();
  });

  it('that has come to its end is left alone for a while', async () => {
    const { demand } = await demanded();
    rig.run('tv').live();
    await demand;
    rig.run('tv').over({ state: 'ended' });
    await rig.advance(1);
    expect(rig.ended).toEqual(['live/tv']);
    await expect(rig.sources.demand('live/tv', signal)).rejects.toMatchObject({
      message: expect.stringContaining('at present (ended)') as string,
    });
    await rig.advance(30_000);
    void rig.sources.demand('live/tv', signal).catch(() => undefined);
    await rig.advance(1);
    expect(rig.runs).toHaveLength(2);
    expect(rig.run('tv').request.liveOnly).toBe(false);
  });

  it('lets those go who no longer want it, and goes on for a while', async () => {
    await rig.add({ name: 'tv', onDemand: true });
    const gone = new AbortController();
    const demand = rig.sources.demand('live/tv', gone.signal);
    await rig.advance(1);
    gone.abort();
    await expect(demand).rejects.toMatchObject({ code: 'GONE' });
    expect(state()).toBe('starting');
    await rig.advance(61_000, 1_000);
    expect(state()).toBe('idle');
  });

  it('is stopped under those who wait when it is deleted or the server ends', async () => {
    const { demand } = await demanded();
    await rig.sources.remove('tv');
    await expect(demand).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('deleted') as string,
    });
    await rig.add({ name: 'two', onDemand: true });
    const other = rig.sources.demand('live/two', signal);
    await Promise.all([expect(other).rejects.toMatchObject({ code: 'UNAVAILABLE' }), rig.sources.close()]);
    await expect(rig.add({ name: 'late' })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('a relay', () => {
  it('has a channel once it runs', async () => {
    await rig.add({ name: 'tv', mode: 'relay', onDemand: true });
    expect(rig.sources.view('tv')).toMatchObject({ playlist: '/relay/tv/index.m3u8', watch: '/watch/relay/tv' });
    expect(rig.sources.use('live/tv')).toBe(false);
    const channel = rig.sources.relay('tv', signal);
    await rig.advance(1);
    rig.run('tv').live();
    expect(await channel).toBe('channel of tv');
    expect(await rig.sources.relay('tv', signal)).toBe('channel of tv');
    expect(rig.runs).toHaveLength(1);
    await rig.advance(61_000, 1_000);
    expect(state()).toBe('idle');
    expect(rig.ended).toEqual([]);
  });

  it('is none that a ladder has the name of', async () => {
    await rig.add({ name: 'tv' });
    for (const name of ['tv', 'nothing']) {
      await expect(rig.sources.relay(name, signal)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
  });
});
