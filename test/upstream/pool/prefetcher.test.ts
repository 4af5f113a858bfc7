import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MediaItem } from '../../../src/upstream/pool/media-item.ts';
import type { PooledMedia } from '../../../src/upstream/pool/pooled-media.ts';
import { Prefetcher } from '../../../src/upstream/pool/prefetcher.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/poll.ts';
import { PoolRig } from './pool-rig.ts';

let rig: PoolRig;
let clock: ManualClock;
let prefetcher: Prefetcher;
let isMemoryShort: boolean;
beforeEach(async () => {
  clock = new ManualClock();
  isMemoryShort = false;
  rig = await PoolRig.start({ clock, fetcher: { maxConnections: 8 }, pool: { isMemoryShort: () => isMemoryShort } });
  prefetcher = new Prefetcher({ pool: rig.pool, fetcher: rig.fetcher, ahead: 3, clock, idleMs: 60_000 });
});
afterEach(async () => {
  await prefetcher.close();
  await rig.close();
});

/** A playlist that lists the segments from `first` to `last`. */
function playlist(first: number, last: number, token = ''): MediaItem[] {
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const name = String(first + index);
    return rig.item(name, { path: `/${name}${token}` });
  });
}

function ask(index: number, viewer = 'anna'): PooledMedia {
  return prefetcher.ask(rig.item(String(index)), { viewer });
}

/** Asks for something, reads it and lets go of it. */
async function play(index: number, viewer?: string): Promise<void> {
  const media = ask(index, viewer);
  await media.whole();
  media.release();
}

/** Paths that were asked for, once nothing goes on any more. */
async function settled(): Promise<string> {
  await until('nothing to go on', async () => {
    await turn();
    return rig.pool.stats.inFlight === 0;
  });
  return rig.paths.map((path) => path.slice(1)).join(' ');
}

describe('Prefetcher', () => {
  it('fetches nothing until somebody asks', async () => {
    prefetcher.update(playlist(0, 9));
    expect([await settled(), prefetcher.stats.active]).toEqual(['', false]);
    await play(4);
    expect([await settled(), prefetcher.stats.active]).toEqual(['4 5 6 7', true]);
  });

  it('goes on with the player, so that it finds everything there', async () => {
    prefetcher.update(playlist(0, 9));
    for (let index = 0; index < 10; index++) {
      await play(index);
      await settled();
    }
    expect(await settled()).toBe('0 1 2 3 4 5 6 7 8 9');
    expect(prefetcher.stats).toMatchObject({ misses: 1, hits: 9, prefetched: 9, wastedBytes: 0 });
  });

  it('fetches one after the other, and nothing while somebody waits for something', async () => {
    rig.hold();
    prefetcher.update(playlist(0, 9));
    const asked = ask(0);
    await asked.ready();
    await turn();
    expect(rig.held).toEqual(['/0']);
    await rig.finish('/0');
    for (const next of ['/1', '/2', '/3']) {
      await rig.isAskedFor(next);
      await turn();
      expect(rig.held).toEqual([next]);
      await rig.finish(next);
    }
    expect(await settled()).toBe('0 1 2 3');
  });

  it('never fetches twice what is asked for while it is fetched ahead', async () => {
    prefetcher.update(playlist(0, 9));
    rig.hold({ only: /[1-9]/ });
    await play(0);
    await rig.isAskedFor('/1');
    const asked = ask(1);
    await turn();
    expect([asked.origin, rig.held]).toEqual(['flight', ['/1']]);
    await rig.finish('/1');
    await asked.whole();
    await rig.isAskedFor('/2');
    expect(rig.paths).toEqual(['/0', '/1', '/2']);
    expect(prefetcher.stats).toMatchObject({ hits: 1, misses: 1, wastedBytes: 0 });
  });

  it('asks for the next one before the one that is waited for has come', async () => {
    prefetcher.update(playlist(0, 9));
    rig.hold({ only: /\/1$/, after: 290_000 });
    await play(0);
    await until('most of it', () => rig.pool.stats.fetchedBytes === rig.bytes.length + 290_000);
    const asked = ask(1);
    await rig.isAskedFor('/2');
    expect([asked.origin, rig.held]).toEqual(['flight', ['/1']]);
    await rig.finish('/1', 290_000);
    await asked.whole();
    expect(await settled()).toBe('0 1 2 3 4');
  });

  it('gives up at a seek what nobody will want, and starts with what was asked for at once', async () => {
    prefetcher.update(playlist(0, 30));
    rig.hold({ only: /\/1$/ });
    await play(0);
    await rig.isAskedFor('/1');
    await until('a part of it', () => rig.pool.stats.fetchedBytes === rig.bytes.length + 1_000);
    const asked = ask(20);
    await until('the fetch to end', () => rig.held.length === 0);
    await asked.whole();
    expect(await settled()).toBe('0 1 20 21 22 23');
    expect(prefetcher.stats.wastedBytes).toBe(1_000);
  });

  it('does not give up what has nearly come', async () => {
    prefetcher.update(playlist(0, 30));
    const most = Math.ceil(0.7 * rig.bytes.length);
    rig.hold({ only: /\/1$/, after: most });
    await play(0);
    await until('most of it', () => rig.pool.stats.fetchedBytes === rig.bytes.length + most);
    await play(20);
    await turn();
    expect(rig.held).toEqual(['/1']);
    await rig.finish('/1', most);
    expect(await settled()).toBe('0 1 20 21 22 23');
  });

  it('does not give up at a seek what another player will want', async () => {
    prefetcher.update(playlist(0, 30));
    rig.hold({ only: /\/1$/ });
    await play(0, 'anna');
    await rig.isAskedFor('/1');
    await play(20, 'ben');
    await turn();
    expect(rig.held).toEqual(['/1']);
    await rig.finish('/1');
    expect(await settled()).toBe('0 1 20 21 2 22 3 23');
  });

  it('forgets a player that has asked for nothing for 10 s', async () => {
    prefetcher.update(playlist(0, 10));
    await play(10);
    clock.advance(9_999);
    prefetcher.update(playlist(0, 11));
    expect([await settled(), prefetcher.stats.viewers]).toEqual(['10 11', 1]);
    clock.advance(1);
    prefetcher.update(playlist(0, 12));
    expect([await settled(), prefetcher.stats.viewers]).toEqual(['10 11', 0]);
    clock.advance(49_999);
    expect(prefetcher.stats.active).toBe(true);
    clock.advance(1);
    expect(prefetcher.stats.active).toBe(false);
  });

  it('never goes beyond the edge of a live playlist, and on as it grows', async () => {
    prefetcher.update(playlist(0, 2));
    await play(1);
    expect(await settled()).toBe('1 2');
    await play(2);
    prefetcher.update(playlist(1, 3));
    expect(await settled()).toBe('1 2 3');
    prefetcher.update(playlist(2, 5));
    expect(await settled()).toBe('1 2 3 4 5');
  });

  it('goes on from the start of a playlist that has left a player behind', async () => {
    prefetcher.update(playlist(0, 5));
    await play(0);
    await settled();
    prefetcher.update(playlist(10, 15));
    expect(await settled()).toBe('0 1 2 3 10 11 12');
  });

  it('fetches from the newest address what was never fetched, and nothing anew because of an address', async () => {
    prefetcher.update(playlist(0, 2, '?token=1'));
    await play(0);
    expect(await settled()).toBe('0?token=1 1?token=1 2?token=1');
    prefetcher.update(playlist(0, 4, '?token=2'));
    await play(1);
    expect(await settled()).toBe('0?token=1 1?token=1 2?token=1 3?token=2 4?token=2');
  });

  it('leaves alone for a second what cannot be fetched ahead, and then tries again', async () => {
    rig.server.trick = ({ url }, response) => (url === '/1' ? void response.writeHead(404).end() : false);
    prefetcher.update(playlist(0, 9));
    await play(0);
    expect(await settled()).toBe('0 1 2 3');
    prefetcher.update(playlist(0, 9));
    expect(await settled()).toBe('0 1 2 3');
    rig.server.trick = () => false;
    clock.advance(1_000);
    prefetcher.update(playlist(0, 9));
    expect(await settled()).toBe('0 1 2 3 1');
  });

  it('waits with what may be wanted when all connections are taken by what is', async () => {
    await prefetcher.close();
    await rig.close();
    rig = await PoolRig.start({ clock, fetcher: { maxConnections: 1 } });
    prefetcher = new Prefetcher({ pool: rig.pool, fetcher: rig.fetcher, ahead: 3, clock, idleMs: 60_000 });
    prefetcher.update(playlist(0, 30));
    rig.hold({ only: /\/1$/ });
    await play(0, 'anna');
    await rig.isAskedFor('/1');
    await play(20, 'ben');
    await until('the fetch to be given up', () => !rig.held.includes('/1') || rig.paths.length > 3);
    expect(rig.paths.slice(0, 3)).toEqual(['/0', '/1', '/20']);
    expect(rig.failures[0]).toMatch(/\/1: it was aborted/);
  });

  it('fetches nothing ahead while the process is short of memory, but what is asked for', async () => {
    prefetcher.update(playlist(0, 9));
    isMemoryShort = true;
    clock.advance(1_000);
    await play(2);
    expect(await settled()).toBe('2');
    isMemoryShort = false;
    clock.advance(1_000);
    await play(3);
    expect(await settled()).toBe('2 3 4 5 6');
  });

  it('does not look ahead of what the playlist does not list', async () => {
    prefetcher.update(playlist(0, 9));
    await play(77);
    const key = prefetcher.ask(rig.item('key', { kind: 'key' }));
    await key.settled;
    expect(await settled()).toBe('77 key');
    expect(prefetcher.stats.viewers).toBe(0);
  });

  it('fetches nothing ahead of players if it is told so', async () => {
    const none = new Prefetcher({ pool: rig.pool, fetcher: rig.fetcher, ahead: 0, clock, idleMs: 60_000 });
    none.update(playlist(0, 9));
    await none.ask(rig.item('0')).whole();
    expect(await settled()).toBe('0');
    await none.close();
  });

  it('ends what it fetches ahead when it is closed, but nothing that somebody waits for', async () => {
    prefetcher.update(playlist(0, 9));
    rig.hold({ only: /[1-9]/ });
    await play(0);
    await rig.isAskedFor('/1');
    await prefetcher.close();
    await until('the fetch to end', () => rig.held.length === 0);
    const asked = ask(5);
    await rig.finish('/5');
    await asked.whole();
    expect(await settled()).toBe('0 1 5');
    expect(prefetcher.stats.active).toBe(false);
  });
});
