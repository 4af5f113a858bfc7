import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { audioFacts, subtitleFacts, vodAudio, vodVideo } from '../../support/fake-vod.ts';
import { until } from '../../support/poll.ts';
import { never, VodSessionsRig } from '../../support/vod-sessions-rig.ts';

let rig: VodSessionsRig;
let id: string;

beforeEach(async () => {
  rig = await VodSessionsRig.open();
  const subtitles = [subtitleFacts({ codec: 'dvb_subtitle', kind: 'picture' }), subtitleFacts()];
  rig.vod.add('a', { subtitles });
  ({ id } = await rig.start('a'));
});
afterEach(() => rig.close());

async function playlist(name: string, of = id): Promise<string[]> {
  return (await rig.sessions.mediaPlaylist(of, name, never())).plain.toString().trim().split('\n');
}

/** What the playlist says of its media's version. */
async function version(name: string, of = id): Promise<string | undefined> {
  return /init\.mp4\?v=([^"]+)/.exec((await playlist(name, of)).join('\n'))?.[1];
}

describe('media playlists of a title', () => {
  it('are of full length from the start, with the exact length of each segment', async () => {
    const v = await version('720p');
    expect(await playlist('720p')).toEqual([
      ...[
        '#EXTM3U',
        '#EXT-X-VERSION:8',
        '#EXT-X-TARGETDURATION:4',
        '#EXT-X-MEDIA-SEQUENCE:0',
        '#EXT-X-PLAYLIST-TYPE:VOD',
      ],
      ...['#EXT-X-INDEPENDENT-SEGMENTS', `#EXT-X-MAP:URI="init.mp4?v=${v}"`],
      ...['#EXTINF:2.000000,', `seg-0.m4s?v=${v}`, '#EXTINF:4.000000,', `seg-1.m4s?v=${v}`],
      ...['#EXTINF:4.000000,', `seg-2.m4s?v=${v}`, '#EXTINF:1.500000,', `seg-3.m4s?v=${v}`],
      '#EXT-X-ENDLIST',
    ]);
    expect(rig.vod.handles).toEqual([]);
  });

  it('have lengths of their own for sound', async () => {
    const lengths = (await playlist('audio-0')).filter((line) => line.startsWith('#EXTINF'));
    expect(lengths).toEqual(['#EXTINF:2.000078,', '#EXTINF:4.000078,', '#EXTINF:4.000078,', '#EXTINF:1.500078,']);
    expect((await playlist('audio-0'))[2]).toBe('#EXT-X-TARGETDURATION:4');
  });

  it('of subtitles have the boundaries of the picture, and no init', async () => {
    const lines = await playlist('subtitles-1');
    expect(lines.slice(5)).toEqual([
      ...['#EXT-X-INDEPENDENT-SEGMENTS', '#EXTINF:2.000000,', 'seg-0.vtt', '#EXTINF:4.000000,', 'seg-1.vtt'],
      ...['#EXTINF:4.000000,', 'seg-2.vtt', '#EXTINF:1.500000,', 'seg-3.vtt', '#EXT-X-ENDLIST'],
    ]);
  });

  it('are rendered once for all sessions of a title', async () => {
    const other = await rig.start('a', { user: 'ann' });
    const [a, b] = await Promise.all([id, other.id].map((of) => rig.sessions.mediaPlaylist(of, '720p', never())));
    expect(a).toBe(b);
  });

  it.each(['1080p', '', 'subtitles-0', 'subtitles-2', 'subtitles-01', '__proto__'])(
    'are not there for %j',
    async (name) => {
      await expect(playlist(name)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    },
  );

  it('of subtitles are not there if the viewer wants none', async () => {
    const other = await rig.start('a', { subtitles: 'off' });
    await expect(playlist('subtitles-1', other.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it.each([
    [[0, 360_000, 720_000], 4],
    [[0, 360_000, 720_001], 5],
    [[0, 20_000], 1],
  ])('with boundaries at %j have a target duration of %d', async (boundaries, seconds) => {
    rig.vod.add('b', { plan: { boundaries, keyframes: undefined, atKeyframes: false } });
    const other = await rig.start('b');
    expect((await playlist('720p', other.id))[2]).toBe(`#EXT-X-TARGETDURATION:${seconds}`);
  });
});

describe('media of a title', () => {
  it('is an init, segments, and segments of subtitles', async () => {
    expect(await rig.media(id, '720p', 'init.mp4')).toBe('init of 720p');
    expect(await rig.media(id, 'audio-0', 'seg-3.m4s')).toBe('audio-0 3');
    expect(await rig.media(id, 'subtitles-1', 'seg-2.vtt')).toContain('track 1 segment 2');
    expect(rig.vod.handles).toHaveLength(2);
  });

  it.each([
    ...['seg-4.m4s', 'seg-00.m4s', 'seg-1e0.m4s', 'seg--1.m4s', 'seg-0.ts', 'seg-0.vtt', 'seg-1234567.m4s', 'init.m4s'],
    ...['', '..', 'seg-0.m4s/', 'seg- 0.m4s', 'seg-٣.m4s', 'seg-0x1.m4s'],
  ])('is not there under the name %j', async (file) => {
    await expect(rig.media(id, '720p', file)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(rig.vod.handles.flatMap(({ asked }) => asked)).toEqual([]);
  });

  it.each(['seg-4.vtt', 'seg-0.m4s', 'init.mp4'])('of subtitles is not there under the name %j', async (file) => {
    await expect(rig.media(id, 'subtitles-1', file)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('is never of another version than its playlist says', async () => {
    const old = await version('720p');
    expect(await rig.media(id, '720p', 'seg-0.m4s', old)).toBe('720p 0');
    rig.vod.renditions = [vodVideo('720p', 720, 2_000_000), vodAudio(0, 2)];
    rig.clock.advance(60_000);
    await expect(rig.media(id, '720p', 'seg-1.m4s', old)).rejects.toMatchObject({
      code: 'GONE',
      message: 'rendition "720p" has changed; load its playlist again',
    });
    const now = await version('720p');
    expect(now).not.toBe(old);
    expect(await rig.media(id, '720p', 'seg-1.m4s', now)).toBe('720p 1');
    rig.vod.encoder = 'another ffmpeg';
    rig.clock.advance(60_000);
    expect(await version('720p')).not.toBe(now);
  });

  it('goes on from the same encoders when its viewer starts again, unless the ladder has changed', async () => {
    await rig.media(id, '720p', 'seg-0.m4s');
    const handle = rig.vod.handle('720p')!;
    await rig.start('a');
    await rig.media(id, '720p', 'seg-1.m4s');
    expect(handle).toMatchObject({ asked: [0, 1], isReleased: false });
    rig.vod.renditions = [vodVideo('720p', 720, 2_000_000)];
    await rig.start('a');
    expect(handle.isReleased).toBe(true);
    await rig.media(id, '720p', 'seg-1.m4s');
    expect(rig.vod.handles).toHaveLength(2);
  });

  it('passes on which sound plays and what is burned in', async () => {
    const asked: unknown[] = [];
    const plan = rig.vod.deps.plan.bind(rig.vod.deps);
    Object.assign(rig.vod.deps, {
      plan: (request: Parameters<typeof plan>[0]) => {
        asked.push([request.audio, request.burn]);
        return plan(request);
      },
    });
    rig.vod.add('b', { audio: [audioFacts(), audioFacts()], subtitles: [subtitleFacts({ kind: 'picture' })] });
    await rig.start('b', { audio: 1, subtitles: { burn: 0 } });
    expect(asked).toEqual([[1, 0]]);
  });
});

describe('encoding ahead', () => {
  it('goes on without any viewer, and tells how far it is', async () => {
    const other = await rig.start('b', { fill: true });
    const [video, audio] = [rig.vod.handle('720p')!, rig.vod.handle('audio-0')!];
    video.encoded = 2;
    rig.clock.advance(120_000);
    expect(rig.sessions.progress(other.id)).toEqual({
      ...{ id: other.id, state: 'running', segments: 8, encoded: 2, bytes: 2_000 },
      renditions: [
        { name: '720p', kind: 'video', segments: 4, encoded: 2, bytes: 2_000, heads: 1, state: 'running' },
        { name: 'audio-0', kind: 'audio', segments: 4, encoded: 0, bytes: 0, heads: 0, state: 'waiting' },
      ],
    });
    video.encoded = 4;
    audio.encoded = 4;
    video.filled.resolve();
    audio.filled.resolve();
    await until('the end', () => rig.sessions.progress(other.id).state === 'complete');
    rig.clock.advance(60_000);
    expect(rig.sessions.view(other.id).state).toBe('idle');
    expect(rig.sessions.progress(other.id)).toMatchObject({ state: 'complete', segments: 8, encoded: 8, bytes: 8_000 });
  });

  it('tells why it failed, and can be asked for again', async () => {
    const other = await rig.start('b', { fill: true });
    const [video, audio] = [rig.vod.handle('720p')!, rig.vod.handle('audio-0')!];
    audio.failed = 'there is no sound in it';
    audio.filled.reject(new Error(audio.failed));
    expect(rig.sessions.progress(other.id).state).toBe('running');
    video.filled.resolve();
    await until('the end', () => rig.sessions.progress(other.id).state !== 'running');
    expect(rig.sessions.progress(other.id)).toMatchObject({
      ...{ state: 'failed', reason: 'there is no sound in it' },
      renditions: [{ state: 'waiting' }, { state: 'failed', reason: 'there is no sound in it' }],
    });
    await rig.start('b', { fill: true });
    expect(rig.sessions.progress(other.id).state).toBe('running');
  });

  it('ends with its session', async () => {
    const other = await rig.start('b', { fill: true });
    const handles = [...rig.vod.handles];
    rig.sessions.stop(other.id, { force: true });
    await Promise.all(handles.map(({ filled }) => expect(filled.promise).rejects.toMatchObject({ code: 'GONE' })));
    expect(handles.every(({ isReleased }) => isReleased)).toBe(true);
  });
});
