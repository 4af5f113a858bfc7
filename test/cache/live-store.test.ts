import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LiveStore } from '../../src/cache/live-store.ts';
import { deferred } from '../../src/util/deferred.ts';
import { type Logger, silentLogger } from '../../src/util/logger.ts';

const MB = 1024 * 1024;

let folder: string;
let root: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'live-store-'));
  root = path.join(folder, 'live');
});

afterEach(() => rm(folder, { recursive: true, force: true }));

function openStore(options: Partial<Parameters<typeof LiveStore.open>[0]> = {}): Promise<LiveStore> {
  return LiveStore.open({ root, maxBytes: 100 * MB, maxBroadcastBytes: 100 * MB, logger: silentLogger, ...options });
}

/** A logger that keeps its messages. */
function recordingLogger(): { logger: Logger; messages: string[] } {
  const messages: string[] = [];
  const note = (level: string) => (_: object, message: string) => void messages.push(`${level} ${message}`);
  return { messages, logger: { ...silentLogger, warn: note('warn'), info: note('info') } };
}

async function filesBelow(at: string): Promise<string[]> {
  const entries = await readdir(at, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}

describe('LiveStore', () => {
  it('gives a file from memory while it is being written and from disk afterwards', async () => {
    const written = deferred();
    const store = await openStore({
      writeFile: async (file, bytes) => {
        await written.promise;
        await writeFile(file, bytes);
      },
    });
    const track = store.begin('live/demo').track('720p video');
    const bytes = Buffer.from('segment');
    const done = track.write('video-a-0.m4s', bytes);
    expect(track.find('video-a-0.m4s')).toEqual({ bytes });
    written.resolve();
    const file = await done;
    expect(track.find('video-a-0.m4s')).toEqual({ path: file, size: 7 });
    expect(await readFile(file!, 'utf8')).toBe('segment');
    await store.close();
    expect(await filesBelow(root)).toEqual([]);
    expect(store.stats.bytes).toBe(0);
  });

  it('stays below its root whatever a broadcast or a track is called', async () => {
    const store = await openStore();
    const names = ['../../../etc', '/absolute', '..', '', 'a\0b', 'é'.repeat(300), 'CON', 'live/demo'];
    const files = await Promise.all(
      names.map((name) => store.begin(name).track(name).write('a.m4s', Buffer.from(name))),
    );
    for (const file of files) expect(path.relative(root, file!)).toMatch(/^\d+-[\w~-]+\/0-[\w~-]+\/a\.m4s$/);
    expect(new Set(files).size).toBe(names.length);
    expect((await readdir(folder)).filter((name) => name !== 'live.old')).toEqual(['live']);
    await store.close();
  });

  it.each(['../x.m4s', 'a/b.m4s', '.hidden', '', '..', `${'x'.repeat(300)}.m4s`])(
    'refuses to write %j',
    async (name) => {
      const store = await openStore();
      const track = store.begin('live/demo').track('video');
      expect(() => track.write(name, Buffer.from('x'))).toThrow('plain file name');
      await store.close();
    },
  );

  it('never writes a name twice', async () => {
    const store = await openStore();
    const track = store.begin('live/demo').track('video');
    void track.write('a.m4s', Buffer.from('x'));
    expect(() => track.write('a.m4s', Buffer.from('y'))).toThrow('new');
    await store.close();
  });

  it('keeps a broadcast below its limit: old files are no longer fresh, the oldest go', async () => {
    const store = await openStore({ maxBroadcastBytes: 1000 });
    const life = store.begin('live/demo');
    const video = life.track('video');
    const audio = life.track('audio');
    for (let msn = 0; msn < 10; msn += 1) {
      await video.write(`v-${msn}.m4s`, Buffer.alloc(150));
      await audio.write(`a-${msn}.m4s`, Buffer.alloc(50));
      expect(life.bytes).toBeLessThanOrEqual(1000);
    }
    const msns = [...Array(10).keys()];
    expect(msns.filter((msn) => video.find(`v-${msn}.m4s`) !== undefined)).toEqual([5, 6, 7, 8, 9]);
    expect(msns.filter((msn) => video.isFresh(`v-${msn}.m4s`))).toEqual([7, 8, 9]);
    expect(msns.filter((msn) => audio.isFresh(`a-${msn}.m4s`))).toEqual([6, 7, 8, 9]);
    expect(store.stats.evicted).toBe(10);
    await store.close();
  });

  it('keeps all broadcasts together below a limit; the oldest files of all go', async () => {
    const store = await openStore({ maxBytes: 1000 });
    const [old, fresh] = [store.begin('live/old').track('video'), store.begin('live/new').track('video')];
    for (let msn = 0; msn < 5; msn += 1) await old.write(`${msn}.m4s`, Buffer.alloc(100));
    for (let msn = 0; msn < 8; msn += 1) await fresh.write(`${msn}.m4s`, Buffer.alloc(100));
    expect(store.stats.bytes).toBe(1000);
    expect([0, 1, 2, 3, 4].filter((msn) => old.find(`${msn}.m4s`))).toEqual([3, 4]);
    expect(fresh.find('0.m4s')).toBeDefined();
    expect((await filesBelow(root)).length).toBeLessThanOrEqual(13);
    await store.close();
  });

  it('drops what a slow disk cannot take, counts it, and says so once', async () => {
    const { logger, messages } = recordingLogger();
    const gate = deferred();
    const store = await openStore({
      logger,
      maxQueuedBytes: 250,
      writeFile: async (file, bytes) => {
        await gate.promise;
        await writeFile(file, bytes);
      },
    });
    const track = store.begin('live/demo').track('video');
    const results = [0, 1, 2, 3].map((msn) => track.write(`${msn}.m4s`, Buffer.alloc(100)));
    expect(store.stats.queuedBytes).toBe(200);
    expect(track.find('2.m4s')).toBeUndefined();
    gate.resolve();
    expect((await Promise.all(results)).map((file) => file !== undefined)).toEqual([true, true, false, false]);
    expect(store.stats.dropped).toBe(2);
    expect(messages.filter((message) => message.startsWith('warn'))).toHaveLength(1);
    await store.close();
  });

  it('goes on when the disk is full, warns once, and tells when it is over', async () => {
    const { logger, messages } = recordingLogger();
    let full = true;
    const store = await openStore({
      logger,
      writeFile: async (file, bytes) => {
        await writeFile(file, bytes.subarray(0, full ? 3 : undefined));
        if (full) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      },
    });
    const track = store.begin('live/demo').track('video');
    for (const name of ['0.m4s', '1.m4s', '2.m4s'])
      expect(await track.write(name, Buffer.from('media'))).toBeUndefined();
    expect(track.find('0.m4s')).toBeUndefined();
    expect(await filesBelow(root)).toEqual([]);
    expect(store.stats).toMatchObject({ failed: 3, bytes: 0, queuedBytes: 0 });
    full = false;
    expect(await track.write('3.m4s', Buffer.from('media'))).toBeDefined();
    expect(messages).toEqual([
      'warn the disk is full: free some, or lower storage.dvrMaxMb; live goes on, but viewers can go back less far',
      'info live segments are written to disk again',
    ]);
    await store.close();
  });

  it('makes its folders again if somebody removed them', async () => {
    const store = await openStore();
    const track = store.begin('live/demo').track('video');
    await track.write('0.m4s', Buffer.from('x'));
    await rm(root, { recursive: true });
    await track.write('1.m4s', Buffer.from('x'));
    expect(await track.write('2.m4s', Buffer.from('x'))).toBeDefined();
    await store.close();
  });

  it('deletes what is deleted while it is being written', async () => {
    const gate = deferred();
    const store = await openStore({
      writeFile: async (file, bytes) => {
        await writeFile(file, bytes);
        await gate.promise;
      },
    });
    const life = store.begin('live/demo');
    const track = life.track('video');
    const results = ['0.m4s', '1.m4s'].map((name) => track.write(name, Buffer.from('x')));
    track.delete('0.m4s');
    track.delete('1.m4s');
    gate.resolve();
    expect(await Promise.all(results)).toEqual([undefined, undefined]);
    expect(await filesBelow(root)).toEqual([]);
    await life.close();
    expect(store.stats.failed).toBe(0);
    await store.close();
  });

  it('removes a life as a whole', async () => {
    const store = await openStore();
    const [ended, live] = [store.begin('live/demo'), store.begin('live/demo')];
    await ended.track('video').write('0.m4s', Buffer.from('x'));
    await live.track('video').write('0.m4s', Buffer.from('y'));
    void ended.track('audio').write('1.m4s', Buffer.from('x'));
    await ended.close();
    await ended.close();
    expect(await filesBelow(root)).toEqual(['0.m4s']);
    expect(store.stats.bytes).toBe(1);
    await store.close();
  });

  it('clears away what a crashed process left, and nothing else', async () => {
    await mkdir(path.join(root, '3-live~2fdemo', '0-video'), { recursive: true });
    await writeFile(path.join(root, '3-live~2fdemo', '0-video', 'v-1.m4s.tmp'), 'torn');
    await writeFile(path.join(folder, 'ladders.json'), '{}');
    const store = await openStore();
    expect(await filesBelow(root)).toEqual([]);
    await store.close();
    expect((await readdir(folder)).sort()).toEqual(['ladders.json', 'live']);
  });

  it('says what is in the way of its folder', async () => {
    await writeFile(path.join(folder, 'file'), '');
    await expect(openStore({ root: path.join(folder, 'file', 'live') })).rejects.toMatchObject({
      code: 'BAD_CONFIG',
      message: expect.stringContaining(path.join('file', 'live')) as string,
    });
  });
});
