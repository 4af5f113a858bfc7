import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/util/logger.ts';
import { parseRecords, type SessionRecord } from '../../../src/vod/session/session-record.ts';
import { subtitleFacts } from '../../support/fake-vod.ts';
import { until } from '../../support/poll.ts';
import { never, VodSessionsRig } from '../../support/vod-sessions-rig.ts';

let rig: VodSessionsRig;
const warnings: string[] = [];

beforeEach(async () => {
  const logger = { ...silentLogger, warn: (_fields: object, message: string) => void warnings.push(message) };
  warnings.length = 0;
  rig = await VodSessionsRig.open({ logger });
});
afterEach(() => rig.close());

async function onDisk(): Promise<SessionRecord[]> {
  return parseRecords(await readFile(rig.file, 'utf8').catch(() => '{"version":1,"sessions":[]}'));
}

describe('after a restart', () => {
  it('sessions are there with their tracks and positions, and go on when somebody asks', async () => {
    rig.vod.add('a', { subtitles: [subtitleFacts()] });
    const { id } = await rig.start('a', { user: 'ann', audio: 0, subtitles: 0 });
    await rig.media(id, '720p', 'seg-2.m4s');
    rig.clock.advance(1_000);
    await rig.sessions.close();
    expect(rig.vod.handles.every(({ isReleased }) => isReleased)).toBe(true);
    const before = rig.vod.resolved.length;
    await rig.reopen();
    expect(rig.sessions.list()).toMatchObject([
      { id, source: 'a', user: 'ann', state: 'idle', positionMs: 6_000, durationMs: 11_500 },
    ]);
    expect(rig.vod.resolved).toHaveLength(before);
    expect(await rig.sessions.info(id, never())).toMatchObject({ id, title: 'a', positionMs: 6_000 });
    expect((await rig.sessions.multivariant(id, never())).plain.toString()).toMatch(/SUBTITLES.*DEFAULT=YES/);
    expect((await rig.start('a', { user: 'ann', audio: 0, subtitles: 0 })).id).toBe(id);
  });

  it('they are there after a crash too, at most a second old', async () => {
    const { id } = await rig.start('a', { positionMs: 5_000 });
    await until('the first write', async () => (await onDisk()).length === 1);
    const crashed = rig.sessions;
    await rig.sessions.heartbeat(id, 7_000, never());
    await until('the next write', async () => {
      rig.clock.advance(1_000);
      return (await onDisk())[0]?.positionMs === 7_000;
    });
    await rig.reopen();
    expect(rig.sessions.view(id)).toMatchObject({ state: 'idle', positionMs: 7_000 });
    await crashed.close();
  });

  it('a source that has changed ends the session', async () => {
    const { id } = await rig.start('a');
    await rig.sessions.close();
    rig.vod.add('a', { identity: 'other bytes' });
    await rig.reopen();
    await expect(rig.media(id, '720p', 'seg-0.m4s')).rejects.toMatchObject({ code: 'GONE' });
    expect(rig.vod.handles).toEqual([]);
  });

  it('those not seen for a day are forgotten', async () => {
    const [a, b] = [await rig.start('a'), await rig.start('b')];
    rig.clock.advance(20 * 3_600_000);
    await rig.sessions.heartbeat(b.id, undefined, never());
    await rig.sessions.close();
    rig.clock.advance(5 * 3_600_000);
    await rig.reopen();
    expect(rig.sessions.list().map(({ id }) => id)).toEqual([b.id]);
    await expect(rig.media(a.id, '720p', 'init.mp4')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('the 10,000 seen last are remembered', async () => {
    const nowMs = rig.clock.nowMs();
    const sessions = Array.from({ length: 10_001 }, (_, index) => ({
      ...{ id: String(index).padStart(22, '0'), source: 'a', label: 'a', sourceKey: `k${index}`, durationMs: 1 },
      ...{ positionMs: 0, startedAtMs: nowMs, seenAtMs: nowMs - index },
    }));
    await rig.sessions.close();
    await writeFile(rig.file, JSON.stringify({ version: 1, sessions }));
    await rig.reopen();
    expect(rig.sessions.figures().idle).toBe(10_000);
    expect(() => rig.sessions.view(sessions.at(-1)!.id)).toThrow('there is no such session');
  });
});

describe('the file of sessions', () => {
  it('is nobody else’s to read, since a source may hold credentials; the identity of the source is not in it', async () => {
    const source = 'https://ann:hush@example.org/film.mp4?key=1';
    rig.vod.add('a', { identity: 'secret identity' });
    rig.vod.titles.set(source, rig.vod.titles.get('a')!);
    await rig.start(source);
    await rig.sessions.close();
    expect((await stat(rig.file)).mode & 0o777).toBe(0o600);
    const text = await readFile(rig.file, 'utf8');
    expect(text).toContain(source);
    expect(text).not.toContain('secret identity');
    expect(JSON.stringify(rig.sessions.list())).not.toContain('hush');
  });

  it.each([['{"version":1,"sess'], ['[]'], ['{"version":7,"sessions":[]}'], ['']])(
    'is replaced if it is %j',
    async (text) => {
      await rig.sessions.close();
      await writeFile(rig.file, text);
      await rig.reopen();
      expect(warnings).toEqual(['sessions of files are lost: viewers have to start new ones']);
      const { id } = await rig.start('a');
      await rig.sessions.close();
      expect((await onDisk()).map((record) => record.id)).toEqual([id]);
    },
  );

  it('loses only the rows that make no sense', async () => {
    const { id } = await rig.start('a', { subtitles: 'off' });
    await rig.sessions.close();
    const [good] = await onDisk();
    const bad = [
      { id: '../x' },
      { positionMs: -1 },
      { audio: 'x' },
      { subtitles: { burn: '1' } },
      { user: 7 },
      { source: null },
    ];
    const rows = [null, 7, [], {}, ...bad.map((fields) => ({ ...good, ...fields })), good];
    await writeFile(rig.file, JSON.stringify({ version: 1, sessions: rows }));
    await rig.reopen();
    expect(rig.sessions.list().map((session) => session.id)).toEqual([id]);
  });

  it('is a fault of the configuration if it cannot be read', async () => {
    await rig.sessions.close();
    await rm(rig.file, { force: true });
    await mkdir(rig.file);
    await expect(rig.reopen()).rejects.toMatchObject({ code: 'BAD_CONFIG' });
  });

  it('that cannot be written is reported, and sessions go on', async () => {
    await mkdir(rig.file);
    const { id } = await rig.start('a');
    await until('the warning', () => warnings.length > 0);
    expect(warnings).toEqual(['sessions were not saved; tries again with the next change']);
    expect(await rig.media(id, '720p', 'seg-0.m4s')).toBe('720p 0');
  });
});
