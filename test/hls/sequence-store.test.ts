import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SequenceStore } from '../../src/hls/sequence-store.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/poll.ts';

let folder: string;
let file: string;
let clock: ManualClock;

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'sequences-'));
  file = path.join(folder, 'state', 'sequences.json');
  clock = new ManualClock();
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const open = (maxBroadcasts?: number): Promise<SequenceStore> =>
  SequenceStore.open({ file, clock, logger: silentLogger, ...(maxBroadcasts !== undefined && { maxBroadcasts }) });

/** What a killed process would have left at this moment. */
async function onDisk(): Promise<Record<string, [number, number]>> {
  const text = await readFile(file, 'utf8').catch(() => '{"broadcasts":{}}');
  return (JSON.parse(text) as { broadcasts: Record<string, [number, number]> }).broadcasts;
}

describe('SequenceStore', () => {
  it('goes on exactly after a clean end', async () => {
    const store = await open();
    expect(store.get('live/demo')).toBeUndefined();
    store.use('live/demo', { nextMsn: 17, discontinuities: 2 });
    store.end('live/demo', { nextMsn: 18, discontinuities: 2 });
    await store.close();
    expect((await open()).get('live/demo')).toEqual({ nextMsn: 18, discontinuities: 2 });
  });

  it('goes on above every number that was used after a kill at any moment', async () => {
    const store = await open();
    let written = 0;
    for (let msn = 1; msn < 1_000; msn += 1) {
      store.use('live/demo', { nextMsn: msn, discontinuities: Math.floor(msn / 4) });
      if (msn % 50 !== 0) continue;
      // Several segments a second, for as long as a write takes.
      const used = { nextMsn: msn, discontinuities: Math.floor(msn / 4) };
      await until('the reservation to be written', async () => {
        clock.advance(1_000);
        const { 'live/demo': [nextMsn, discontinuities] = [0, 0] } = await onDisk();
        written = nextMsn;
        return nextMsn >= used.nextMsn && discontinuities >= used.discontinuities;
      });
    }
    expect(written).toBeGreaterThan(950);
    const next = (await open()).get('live/demo');
    expect(next?.nextMsn).toBeGreaterThanOrEqual(950);
    expect(next?.discontinuities).toBeGreaterThanOrEqual(237);
    await store.close();
  });

  it('writes at most once a second, whatever happens', async () => {
    const store = await open();
    store.use('live/0', { nextMsn: 1, discontinuities: 0 });
    await until('the first write', async () => Object.keys(await onDisk()).length === 1);
    await until('the pause after it', () => clock.pending === 1);
    for (let index = 1; index < 100; index += 1) store.use(`live/${index}`, { nextMsn: 1, discontinuities: 0 });
    expect(Object.keys(await onDisk())).toHaveLength(1);
    expect(clock.pending).toBe(1);
    clock.advance(1_000);
    await until('the second write', async () => Object.keys(await onDisk()).length === 100);
    await store.close();
    expect(clock.pending).toBe(0);
  });

  it('does not write while the reservation lasts', async () => {
    const store = await open();
    store.use('live/demo', { nextMsn: 1, discontinuities: 0 });
    await until('the first write', async () => (await onDisk())['live/demo'] !== undefined);
    await until('the pause after it', () => clock.pending === 1);
    clock.advance(1_000);
    await until('the writer to rest', () => clock.pending === 0);
    const before = await readFile(file, 'utf8');
    for (let msn = 2; msn < 100; msn += 1) store.use('live/demo', { nextMsn: msn, discontinuities: 0 });
    expect(clock.pending).toBe(0);
    expect(await readFile(file, 'utf8')).toBe(before);
    await store.close();
  });

  it('remembers a bounded number of broadcasts, those that changed last', async () => {
    const store = await open(3);
    for (const name of ['a', 'b', 'c', 'd']) store.end(`live/${name}`, { nextMsn: 5, discontinuities: 0 });
    await store.close();
    const again = await open(3);
    expect(['a', 'b', 'c', 'd'].filter((name) => again.get(`live/${name}`))).toEqual(['b', 'c', 'd']);
  });

  it.each(['', '{', 'null', '{"version":1,"broadcasts":{"live/demo":[-1,0]}}', '{"version":2,"broadcasts":{}}'])(
    'begins anew with a file that says %j',
    async (text) => {
      file = path.join(folder, 'sequences.json');
      await writeFile(file, text);
      const store = await open();
      expect(store.get('live/demo')).toBeUndefined();
      store.end('live/demo', { nextMsn: 3, discontinuities: 1 });
      await store.close();
      expect((await open()).get('live/demo')).toEqual({ nextMsn: 3, discontinuities: 1 });
    },
  );

  it('takes any name of a broadcast', async () => {
    const store = await open();
    const names = ['__proto__', 'constructor', 'live/é"\n', '123'];
    for (const name of names) store.end(name, { nextMsn: 7, discontinuities: 1 });
    await store.close();
    const again = await open();
    expect(names.filter((name) => again.get(name)?.nextMsn === 7)).toEqual(names);
  });

  it('goes on without its file when that cannot be written, and says so', async () => {
    const store = await open();
    await writeFile(path.join(folder, 'state'), 'in the way');
    store.use('live/demo', { nextMsn: 3, discontinuities: 1 });
    await store.close();
    expect(store.get('live/demo')).toEqual({ nextMsn: 3, discontinuities: 1 });
  });
});
