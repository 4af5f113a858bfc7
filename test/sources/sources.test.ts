import { readFile, stat, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SourcesRig } from '../support/sources-rig.ts';

let rig: SourcesRig;

beforeEach(async () => {
  rig = await SourcesRig.open();
});
afterEach(() => rig.close());

const entry = { name: 'tv', mode: 'ladder', url: 'http://127.0.0.1/tv.m3u8?token=secret' } as const;
const types = () => rig.events.map(({ type, source }) => `${source} ${type.replace('source-', '')}`);
const states = () => rig.sources.list().map(({ name, state }) => `${name} ${state}`);

describe('registered sources', () => {
  it('are shown without secrets, started, and forgotten', async () => {
    const view = await rig.add({ ...entry, headers: { cookie: 'secret' }, user: 'ann', maxConnections: 2 });
    expect(view).toMatchObject({
      ...{ name: 'tv', mode: 'ladder', onDemand: false, from: 'api', user: 'ann', maxConnections: 2 },
      ...{ addresses: ['http://127.0.0.1/tv.m3u8'], playlist: '/hls/live/tv/index.m3u8', watch: '/watch/live/tv' },
      ...{ state: 'starting', viewers: 0, failovers: 0 },
    });
    await rig.advance(1);
    expect(JSON.stringify(rig.sources.view('tv'))).not.toContain('secret');
    rig.run('tv').live();
    expect(rig.sources.view('tv')).toMatchObject({ state: 'live', viewers: 2 });
    expect([...rig.hidden]).toEqual(['secret', 'token=secret']);
    await rig.sources.remove('tv');
    expect(rig.sources.list()).toEqual([]);
    expect(rig.hidden.size).toBe(0);
    expect(rig.run('tv').closed).toBeGreaterThan(0);
    expect(rig.ended).toEqual(['live/tv']);
    expect(types()).toEqual(['tv added', 'tv starting', 'tv live', 'tv idle', 'tv removed']);
    expect(() => rig.sources.view('tv')).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
  });

  it('are kept over a restart, in a file that only the server may read', async () => {
    await rig.add({ ...entry, headers: { cookie: 'secret' } });
    await rig.add({ name: 'two', mode: 'relay', onDemand: true });
    await rig.add({ name: 'three' });
    await rig.sources.remove('three');
    expect((await stat(rig.file)).mode & 0o777).toBe(0o600);
    await rig.sources.close();
    await rig.boot();
    expect(rig.sources.list().map(({ name, from }) => `${name} ${from}`)).toEqual(['tv api', 'two api']);
    expect(rig.run('tv').request.entry.headers).toEqual({ cookie: 'secret' });
    expect(states()).toEqual(['tv starting', 'two idle']);
  });

  it('of a damaged file are set aside, and told of without what is in it', async () => {
    await rig.sources.close();
    for (const damaged of [
      '{"version":1,"sources":[{"name":"tv","mode":"relay","url":"the secret"}]}',
      'secret',
      '[]',
    ]) {
      await writeFile(rig.file, damaged);
      await rig.boot();
      expect(rig.sources.list()).toEqual([]);
      expect(await readFile(`${rig.file}.damaged`, 'utf8')).toBe(damaged);
      expect(JSON.stringify(rig.logged)).toContain('set aside');
      await rig.sources.close();
    }
    expect(JSON.stringify(rig.logged)).not.toContain('secret');
  });

  it('are not started any more once the server shuts down, whoever asks at that moment', async () => {
    await rig.add({ name: 'relay', mode: 'relay', onDemand: true });
    await rig.add({ name: 'ladder', mode: 'ladder', onDemand: true });
    const adding = rig.add(entry);
    const closing = rig.sources.close();
    await Promise.allSettled([adding]);
    const { signal } = new AbortController();
    await expect(rig.sources.relay('relay', signal)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(rig.sources.demand('live/ladder', signal)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await closing;
    expect(rig.sources.list().filter(({ state }) => state !== 'idle')).toEqual([]);
  });

  it('of the configuration come first and stay', async () => {
    await rig.add(entry);
    await rig.sources.close();
    await rig.boot({ entries: [{ ...entry, mode: 'relay' }] });
    expect(rig.sources.list()).toMatchObject([{ name: 'tv', mode: 'relay', from: 'config' }]);
    await expect(rig.sources.remove('tv')).rejects.toMatchObject({
      code: 'CONFLICT',
      message: 'source "tv" is in the configuration; remove it there and restart',
    });
  });

  it.each([
    [[entry, entry], 'there are two sources "tv"'],
    [[{ ...entry, url: 'ftp://x.test/' }], '"ftp:" is not pulled from'],
    [[{ ...entry, url: 'http://10.0.0.1/' }], '10.0.0.1 is no public address'],
  ])('of a configuration that cannot be are refused at the start', async (entries, message) => {
    await expect(rig.boot({ entries })).rejects.toMatchObject({
      code: 'BAD_CONFIG',
      message: expect.stringContaining(message) as string,
    });
  });

  it('that are no longer allowed fail, and stay', async () => {
    await rig.add(entry);
    await rig.sources.close();
    await rig.boot({ allowed: [] });
    expect(rig.sources.view('tv')).toMatchObject({ state: 'failed' });
    expect(rig.sources.view('tv').lastError?.message).toContain('127.0.0.1 is no public address');
  });

  it('cannot take a name twice, nor be more than there may be', async () => {
    await rig.add(entry);
    await expect(rig.add({ ...entry, mode: 'relay' })).rejects.toMatchObject({ code: 'CONFLICT' });
    await rig.sources.close();
    await rig.boot({ limits: { maxSources: 2 } });
    await rig.add({ name: 'two', onDemand: true });
    await expect(rig.add({ name: 'three', onDemand: true })).rejects.toMatchObject({
      code: 'LIMIT_REACHED',
      message: '2 sources are registered already, and 2 may be (pull.maxSources); delete one of them',
    });
  });

  it('are not registered if they cannot run', async () => {
    await rig.sources.close();
    await rig.boot({ limits: { maxActive: 1 } });
    await rig.add(entry);
    await rig.advance(1);
    await expect(rig.add({ name: 'two' })).rejects.toMatchObject({ code: 'LIMIT_REACHED' });
    expect(states()).toEqual(['tv starting']);
    await rig.add({ name: 'later', onDemand: true });
    await expect(rig.sources.demand('live/later', new AbortController().signal)).rejects.toMatchObject({
      code: 'LIMIT_REACHED',
      message: expect.stringContaining('pull.maxActive') as string,
    });
  });

  it('beyond the limit at boot fail, and run once there is room', async () => {
    await rig.sources.close();
    const entries = ['a', 'b'].map((name) => ({ ...entry, name }));
    await rig.boot({ entries, limits: { maxActive: 1 } });
    await rig.advance(200, 100);
    expect(states()).toEqual(['a starting', 'b failed']);
    expect(rig.sources.view('b').lastError?.message).toContain('pull.maxActive');
    rig.run('a').over({ state: 'ended' });
    await rig.advance(2_000, 500);
    expect(states()).toEqual(['a ended', 'b starting']);
  });

  it('make room for another of the same user', async () => {
    await rig.sources.close();
    await rig.boot({ limits: { maxPerUser: 1 } });
    for (const name of ['a', 'b']) await rig.add({ name, user: 'ann', onDemand: true });
    const { signal } = new AbortController();
    const first = rig.sources.demand('live/a', signal);
    await rig.advance(1);
    rig.run('a').live();
    await first;
    const second = rig.sources.demand('live/b', signal);
    await rig.advance(1);
    expect(states()).toEqual(['a idle', 'b starting']);
    expect(rig.ended).toEqual(['live/a']);
    rig.run('b').live();
    await second;
  });

  it('start one after the other at boot', async () => {
    await rig.sources.close();
    const entries = ['a', 'b', 'c'].map((name) => ({ ...entry, name }));
    await rig.boot({ entries });
    expect(states()).toEqual(['a starting', 'b idle', 'c idle']);
    await rig.advance(100);
    expect(states()).toEqual(['a starting', 'b starting', 'c idle']);
    await rig.sources.close();
    await rig.advance(1_000, 100);
    expect(rig.runs.filter(({ closed }) => closed === 0)).toEqual([]);
  });

  it('tell figures, and events of what is to those who come later', async () => {
    await rig.add(entry);
    await rig.add({ name: 'two', onDemand: true });
    await rig.advance(1);
    rig.run('tv').live({ failovers: 2 });
    expect(rig.sources.figures()).toMatchObject({ states: { live: 1, idle: 1, failed: 0 }, failovers: 1 });
    const heard: string[] = [];
    const stop = rig.sources.listen(({ type, source }) => void heard.push(`${source} ${type}`));
    expect(heard).toEqual(['tv source-live', 'two source-idle']);
    stop();
    await rig.sources.remove('two');
    expect(heard).toHaveLength(2);
  });
});
