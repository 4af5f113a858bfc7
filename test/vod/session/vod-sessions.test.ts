import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deferred } from '../../../src/util/deferred.ts';
import { audioFacts, fakeTitle, subtitleFacts } from '../../support/fake-vod.ts';
import { never, VodSessionsRig } from '../../support/vod-sessions-rig.ts';

let rig: VodSessionsRig;

async function open(...options: Parameters<typeof VodSessionsRig.open>): Promise<void> {
  await rig.close();
  rig = await VodSessionsRig.open(...options);
}

beforeEach(async () => {
  rig = await VodSessionsRig.open();
});
afterEach(() => rig.close());

describe('starting a session', () => {
  it('tells what there is to play, and looks at the source once', async () => {
    rig.vod.add('a', { subtitles: [subtitleFacts({ language: 'en' })] });
    const view = await rig.start('a', { user: 'ann' });
    expect(view).toMatchObject({
      ...{ source: 'a', user: 'ann', state: 'active', durationMs: 11_500, positionMs: 0 },
      ...{ playlist: `/vod/${view.id}/index.m3u8`, watch: `/watch/vod/${view.id}` },
      audio: [{ index: 0, codec: 'aac', channels: 2, language: 'de', title: 'Deutsch' }],
      subtitles: [{ index: 0, codec: 'subrip', kind: 'text', language: 'en', isForced: false }],
      renditions: [
        { name: '720p', kind: 'video', mode: 'encode', codec: 'avc1.64001f', bandwidth: 3_000_000, height: 720 },
        { name: 'audio-0', kind: 'audio', channels: 2 },
      ],
    });
    expect(view.video).toEqual({ codec: 'h264', width: 1280, height: 720, frameRate: 24 });
    expect(view.id).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(rig.vod.resolved).toEqual(['a']);
    expect(rig.vod.handles).toEqual([]);
  });

  it('tells why a picture is not copied and why subtitles cannot be shown', async () => {
    const video = { ...fakeTitle('a').video!, copyObjection: 'it is interlaced' };
    rig.vod.add('a', { video, subtitles: [subtitleFacts(), subtitleFacts()] });
    rig.vod.subtitleStates = [
      { track: 0, state: 'ready' },
      { track: 1, state: 'failed', reason: 'it is no text' },
    ];
    const view = await rig.start('a');
    expect(view.video?.copyObjection).toBe('it is interlaced');
    expect(view.subtitles?.map(({ failure }) => failure)).toEqual([undefined, 'it is no text']);
  });

  it('gives the same one for the same user, source and tracks, another one otherwise', async () => {
    rig.vod.add('a', { subtitles: [subtitleFacts()] });
    const { id } = await rig.start('a', { user: 'ann', positionMs: 5_000 });
    expect(await rig.start('a', { user: 'ann' })).toMatchObject({ id, positionMs: 5_000 });
    const others = [{}, { user: 'bob' }, { user: 'ann', audio: 0 }, { user: 'ann', subtitles: 0 }] as const;
    const ids = await Promise.all(others.map(async (other) => (await rig.start('a', other)).id));
    expect(new Set([id, ...ids]).size).toBe(5);
    rig.vod.add('a', { identity: 'changed', subtitles: [subtitleFacts()] });
    expect((await rig.start('a', { user: 'ann' })).id).not.toBe(id);
    expect(rig.sessions.figures()).toMatchObject({ active: 6, started: 6 });
  });

  it('gives the same one to those who ask for it at the same time', async () => {
    const gate = deferred();
    rig.vod.gate = gate.promise;
    const starts = Array.from({ length: 10 }, () => rig.start('a'));
    gate.resolve();
    expect(new Set((await Promise.all(starts)).map(({ id }) => id)).size).toBe(1);
    expect(rig.sessions.list()).toHaveLength(1);
  });

  it.each([
    [
      { audio: 2 },
      'there is no audio track 2; the source has 0 (de, "Deutsch", aac, 2 channels), 1 (en, ac3, 6 channels)',
    ],
    [
      { subtitles: 7 },
      'there is no subtitle track 7; the source has 0 (en, hdmv_pgs_subtitle, picture), 1 (subrip, text)',
    ],
    [{ subtitles: { burn: 7 } }, 'there is no subtitle track 7'],
    [{ subtitles: 0 }, 'subtitle track 0 is made of pictures (hdmv_pgs_subtitle); ask for {"burn": 0}'],
    [{ subtitles: { burn: 1 } }, 'subtitle track 1 is text (subrip), which is not burned in; ask for 1'],
  ])('refuses %j and names what there is', async (choice, message) => {
    rig.vod.add('a', {
      audio: [
        audioFacts({ language: 'de', title: 'Deutsch' }),
        audioFacts({ language: 'en', codec: 'ac3', channels: 6 }),
      ],
      subtitles: [subtitleFacts({ codec: 'hdmv_pgs_subtitle', kind: 'picture', language: 'en' }), subtitleFacts()],
    });
    await expect(rig.start('a', choice)).rejects.toThrow(message);
    await expect(rig.start('a', choice)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    expect(rig.sessions.list()).toEqual([]);
  });

  it('refuses tracks of a source that has none', async () => {
    rig.vod.add('a', { audio: [], subtitles: [] });
    await expect(rig.start('a', { audio: 0 })).rejects.toThrow('there is no audio track 0; the source has no sound');
    await expect(rig.start('a', { subtitles: 0 })).rejects.toThrow('the source has no subtitles');
  });

  it('refuses while too many sources are being opened', async () => {
    const gate = deferred();
    rig.vod.gate = gate.promise;
    const starts = Array.from({ length: 100 }, () => rig.start('a'));
    await expect(rig.start('b')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    gate.resolve();
    await Promise.all(starts);
    await rig.start('b');
  });

  it('gives up a source that cannot be read in time', async () => {
    rig.vod.gate = deferred().promise;
    const start = rig.start('a');
    rig.clock.advance(25_000);
    await expect(start).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('limits', () => {
  it('end the oldest session of a user for a new one, and tell its player why', async () => {
    await open({ maxPerUser: 2 });
    const ids: string[] = [];
    for (const source of ['a', 'b', 'c']) {
      ids.push((await rig.start(source, { user: 'ann' })).id);
      rig.clock.advance(10);
    }
    const [first = ''] = ids;
    expect(rig.sessions.list().map(({ source }) => source)).toEqual(['c', 'b']);
    await expect(rig.media(first, '720p', 'seg-0.m4s')).rejects.toMatchObject({
      code: 'GONE',
      message: 'the session has ended: it made room for another session of the same user; start a new one',
    });
    expect(rig.sessions.figures()).toMatchObject({ active: 2, displaced: 1, refused: 0 });
  });

  it('refuse a source that others have taken, and a session too many', async () => {
    await open({ maxPerSource: 1, maxSessions: 2 });
    await rig.start('a', { user: 'bob' });
    await expect(rig.start('a', { user: 'ann' })).rejects.toMatchObject({ code: 'LIMIT_REACHED' });
    await rig.start('b', { user: 'ann' });
    await expect(rig.start('c', { user: 'eve' })).rejects.toMatchObject({ code: 'LIMIT_REACHED' });
    expect(rig.sessions.figures()).toMatchObject({ active: 2, refused: 2 });
  });

  it('do not count idle sessions, but count those that wake up', async () => {
    await open({ maxSessions: 1 });
    const first = await rig.start('a', { user: 'ann' });
    rig.clock.advance(31_000);
    await rig.start('b', { user: 'bob' });
    await expect(rig.media(first.id, '720p', 'seg-0.m4s')).rejects.toMatchObject({ code: 'LIMIT_REACHED' });
    rig.clock.advance(31_000);
    expect(await rig.media(first.id, '720p', 'seg-0.m4s')).toBe('720p 0');
  });
});

describe('the life of a session', () => {
  it('goes on while something is asked of it, and becomes idle without', async () => {
    const { id } = await rig.start('a');
    await rig.media(id, '720p', 'seg-1.m4s');
    const handle = rig.vod.handle('720p')!;
    for (let beats = 0; beats < 3; beats += 1) {
      rig.clock.advance(20_000);
      await rig.sessions.heartbeat(id, undefined, never());
    }
    expect(handle.isReleased).toBe(false);
    rig.clock.advance(29_000);
    expect(rig.sessions.view(id).state).toBe('active');
    rig.clock.advance(2_000);
    expect(rig.sessions.view(id)).toMatchObject({ state: 'idle', positionMs: 2_000 });
    expect(rig.sessions.view(id).renditions).toBeUndefined();
    expect(handle.isReleased).toBe(true);
  });

  it('is not idle while somebody waits', async () => {
    const { id } = await rig.start('a');
    await rig.media(id, '720p', 'seg-0.m4s');
    rig.vod.handle('720p')!.stalls = true;
    rig.clock.advance(20_000);
    const waiting = rig.media(id, '720p', 'seg-1.m4s');
    const outcome = expect(waiting).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    rig.clock.advance(24_000);
    expect(rig.sessions.view(id).state).toBe('active');
    rig.clock.advance(2_000);
    await outcome;
  });

  it('wakes up where it was, once for all that ask at the same time', async () => {
    const { id } = await rig.start('a');
    await rig.media(id, '720p', 'seg-2.m4s');
    rig.clock.advance(60_000);
    const files = await Promise.all(['init.mp4', 'seg-2.m4s'].map((file) => rig.media(id, '720p', file)));
    expect(files).toEqual(['init of 720p', '720p 2']);
    expect(rig.vod.resolved).toEqual(['a', 'a']);
    expect(rig.vod.handle('720p')?.startAt).toBe(2);
    expect(rig.sessions.figures()).toMatchObject({ active: 1, idle: 0, started: 1, revived: 1 });
  });

  it('ends when its source has changed or gone meanwhile', async () => {
    const [a, b] = [await rig.start('a'), await rig.start('b')];
    rig.clock.advance(60_000);
    rig.vod.add('a', { identity: 'changed' });
    rig.vod.titles.delete('b');
    await expect(rig.sessions.multivariant(a.id, never())).rejects.toMatchObject({
      code: 'GONE',
      message: '"a" has changed since this session began; start a new session',
    });
    await expect(rig.sessions.multivariant(b.id, never())).rejects.toMatchObject({ code: 'GONE' });
    rig.vod.add('b');
    await rig.sessions.multivariant(b.id, never());
  });

  it('is stopped, but not within five seconds of a request unless forced', async () => {
    const { id } = await rig.start('a');
    rig.clock.advance(4_000);
    await rig.media(id, '720p', 'seg-0.m4s');
    rig.clock.advance(4_900);
    expect(() => rig.sessions.stop(id)).toThrow(
      'the session was used 4.9 s ago, so the stop is ignored; send it with force=true to insist',
    );
    expect(rig.sessions.view(id).state).toBe('active');
    rig.clock.advance(200);
    rig.sessions.stop(id);
    expect(() => rig.sessions.view(id)).toThrow('the session has ended: it was stopped; start a new one');
    expect(rig.vod.handles.every(({ isReleased }) => isReleased)).toBe(true);
    const again = await rig.start('a');
    expect(again.id).not.toBe(id);
    rig.sessions.stop(again.id, { force: true });
    expect(rig.sessions.list()).toEqual([]);
  });

  it('ends those who wait when it is stopped', async () => {
    const { id } = await rig.start('a');
    await rig.media(id, '720p', 'seg-0.m4s');
    rig.vod.handle('720p')!.stalls = true;
    const outcome = expect(rig.media(id, '720p', 'seg-1.m4s')).rejects.toMatchObject({ code: 'GONE' });
    expect(() => rig.sessions.stop(id)).toThrow('is being used');
    rig.sessions.stop(id, { force: true });
    await outcome;
  });

  it('knows no other ids', async () => {
    await rig.start('a');
    for (const id of ['', 'x', 'A'.repeat(22), '__proto__']) {
      expect(() => rig.sessions.view(id)).toThrow('there is no such session');
      await expect(rig.media(id, '720p', 'init.mp4')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
  });

  it('forgets ended ids in the end', async () => {
    const ids: string[] = [];
    for (let index = 0; index < 1_001; index += 1) {
      const { id } = await rig.start('a');
      ids.push(id);
      rig.sessions.stop(id, { force: true });
    }
    expect(() => rig.sessions.view(ids[0]!)).toThrow('there is no such session');
    expect(() => rig.sessions.view(ids[1]!)).toThrow('the session has ended');
  });
});

describe('the position', () => {
  it('is that of the picture asked for last, unless the player says where it is', async () => {
    const { id } = await rig.start('a');
    await rig.media(id, '720p', 'seg-3.m4s');
    await rig.media(id, 'audio-0', 'seg-0.m4s');
    expect(rig.sessions.view(id).positionMs).toBe(10_000);
    expect(await rig.sessions.heartbeat(id, 3_210, never())).toEqual({ positionMs: 3_210 });
    await rig.media(id, '720p', 'seg-2.m4s');
    expect(rig.sessions.view(id).positionMs).toBe(3_210);
    rig.clock.advance(30_001);
    await rig.media(id, '720p', 'seg-2.m4s');
    expect(rig.sessions.view(id).positionMs).toBe(6_000);
    expect(await rig.sessions.heartbeat(id, 99_000_000, never())).toEqual({ positionMs: 11_500 });
  });

  it('is that of the sound where there is no picture', async () => {
    rig.vod.add('a', { video: undefined });
    const { id } = await rig.start('a');
    await rig.media(id, 'audio-0', 'seg-1.m4s');
    expect(rig.sessions.view(id).positionMs).toBe(2_000);
  });
});
