import { describe, expect, it } from 'vitest';
import type { Fragment } from '../../src/media/fragment.ts';
import { audioFrames, audioInit, gridKeyframes, videoFrames, videoInit } from '../support/hls-fragments.ts';
import { HlsStage } from '../support/hls-stage.ts';

const source = videoInit({ width: 1920, height: 1080 });
const high = videoInit({ width: 1280, height: 720, bytes: Buffer.from('720p') });
const low = videoInit({ width: 426, height: 240, codec: 'avc1.640015', bytes: Buffer.from('240p') });
const aac = audioInit();
const aacOut = audioInit({ bytes: Buffer.from('aac out') });

interface Span {
  readonly from?: number;
  readonly to: number;
  readonly keyframes?: readonly number[] | number;
  readonly grid?: readonly number[] | number;
  readonly epoch?: number;
  readonly lateMs?: number;
}

/** What all tracks of the ladder carry in a span of time; the publisher's video is also the rendition `original`. */
function ladder({ keyframes = 2, grid = keyframes, lateMs = 0, ...span }: Span): Record<string, Fragment[]> {
  const untouched = videoFrames({ init: source, keyframes, lateMs, ...span });
  const audio = audioFrames({ init: aac, lateMs, ...span });
  return {
    source: untouched,
    'source#audio': audio,
    original: untouched,
    audio: audioFrames({ init: aacOut, lateMs: lateMs + 10, ...span }),
    '720p': videoFrames({ init: high, keyframes: grid, lateMs: lateMs + 100, ...span }),
    '240p': videoFrames({ init: low, keyframes: grid, lateMs: lateMs + 60, ...span }),
  };
}

function openLadder(stage: HlsStage): void {
  stage.open('source', source);
  stage.open('source', aac);
  stage.open('original', source);
  stage.open('audio', aacOut);
  stage.open('720p', high);
  stage.open('240p', low);
}

const RENDITIONS: readonly (readonly [string, 'video' | 'audio'])[] = [
  ['original', 'video'],
  ['audio', 'audio'],
  ['720p', 'video'],
  ['240p', 'video'],
];

function endPublisher(stage: HlsStage): void {
  stage.close('source', 'video');
  stage.close('source', 'audio');
  for (const [rendition, track] of RENDITIONS) stage.close(rendition, track);
}

function newStage(): HlsStage {
  const stage = new HlsStage();
  openLadder(stage);
  return stage;
}

describe('HlsOrigin', () => {
  it('lists a ladder once its segments are complete, with the shared audio', () => {
    const stage = newStage();
    stage.play(ladder({ to: 1.9 }));
    expect(stage.multivariant()).toBeUndefined();
    stage.play(ladder({ from: 2, to: 4.5 }));
    expect(stage.multivariant()).toMatch(
      /^#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",.*URI="audio\/audio.m3u8"\n#EXT-X-STREAM-INF:/,
    );
    expect(stage.variants()).toEqual(['original/video.m3u8', '720p/video.m3u8', '240p/video.m3u8', 'audio/audio.m3u8']);
    expect(stage.multivariant()).toMatch(
      /CODECS="avc1.640015,mp4a.40.2",RESOLUTION=426x240,FRAME-RATE=30.000,AUDIO="audio"/,
    );
  });

  it('gives all renditions the same numbers, dates and boundaries', () => {
    const stage = newStage();
    stage.play(ladder({ to: 30.5 }));
    const head = (text: string): string =>
      text
        .split('\n')
        .filter((line) => /SEQUENCE|DATE/.test(line))
        .join('\n');
    const playlists = RENDITIONS.map(([rendition, track]) => stage.playlist(rendition, track) ?? '');
    const [video, audio] = [playlists.filter((_, index) => RENDITIONS[index]?.[1] === 'video'), playlists[1] ?? ''];
    expect(new Set(video.map(head)).size).toBe(1);
    expect(head(video[0]!)).toMatch(/MEDIA-SEQUENCE:7[^]*00:00:14\.000Z/);
    // Audio begins with the first whole frame after the cut, and says so: the clock is the same.
    expect(head(audio)).toMatch(/MEDIA-SEQUENCE:7[^]*00:00:14\.016Z/);
  });

  it('withholds untouched video with long GOPs, says why, and lists it when two GOPs in a row fit', () => {
    const stage = newStage();
    const keyframes = [0, 8.3333, 16.6667, 18.6667, 20.6667, 22.6667];
    const grid = gridKeyframes(keyframes, 40);
    stage.play(ladder({ to: 18, keyframes, grid }));
    expect(stage.variants()).toEqual(['720p/video.m3u8', '240p/video.m3u8', 'audio/audio.m3u8']);
    expect(stage.playlist('original')).toBeUndefined();
    const [report] = stage.origin.describe('live/demo');
    expect(report?.warnings).toEqual(['keyframes every 8.3 s: set the keyframe interval to 2 s']);
    expect(report?.renditions.find(({ name }) => name === 'original')).toMatchObject({
      state: 'withheld',
      reason: "the publisher's keyframes are 8.3 s apart, more than the 2.4 s that fit a segment",
    });
    stage.play(ladder({ from: 18, to: 26, keyframes: [...keyframes, 24.6667], grid: [...grid, 24.6667] }));
    expect(stage.variants()).toContain('original/video.m3u8');
    expect(stage.playlist('original')).not.toContain('EXT-X-GAP');
    expect(stage.origin.describe()[0]?.warnings).toEqual([]);
    const firstMsn = (text = ''): number => Number(/MEDIA-SEQUENCE:(\d+)/.exec(text)?.[1]);
    expect(firstMsn(stage.playlist('original'))).toBeGreaterThan(firstMsn(stage.playlist('720p')));
  });

  it('lists untouched video with its history if its keyframes were the boundaries from the start', () => {
    const stage = newStage();
    stage.play(ladder({ to: 3.9 }));
    expect(stage.variants()).toEqual(['720p/video.m3u8', '240p/video.m3u8', 'audio/audio.m3u8']);
    expect(stage.playlist('original')).toContain('-0.m4s');
    stage.play(ladder({ from: 4, to: 4.5 }));
    expect(stage.variants()).toContain('original/video.m3u8');
    expect(stage.playlist('original')).toContain('#EXT-X-MEDIA-SEQUENCE:0');
  });

  it('takes a removed rung off the list and its playlist away at once, but keeps its media for a window', () => {
    const stage = newStage();
    stage.play(ladder({ to: 10.5 }));
    const segment = /video-\w+-3\.m4s/.exec(stage.playlist('720p') ?? '')?.[0] ?? '';
    stage.close('720p', 'video');
    expect(stage.variants()).toEqual(['original/video.m3u8', '240p/video.m3u8', 'audio/audio.m3u8']);
    expect(stage.playlist('720p')).toBeUndefined();
    expect(stage.media('720p', 'video', segment)?.length).toBeGreaterThan(1_000);
    expect(stage.playlist('240p')).not.toContain('ENDLIST');
    stage.clock.advance(17_000);
    expect(stage.media('720p', 'video', segment)).toBeUndefined();
  });

  it('never uses a URI again when a rung is removed and added in the same segment', () => {
    const stage = newStage();
    stage.play(ladder({ to: 9 }));
    const uris = (): string[] =>
      [...(stage.playlist('720p') ?? '').matchAll(/video-\w+-\d+\.m4s/g)].map(([uri]) => uri);
    const before = uris();
    stage.close('720p', 'video');
    stage.open('720p', high);
    stage.play(ladder({ from: 8, to: 20.5 }));
    expect(uris().length).toBeGreaterThan(3);
    expect(uris().filter((uri) => before.includes(uri))).toEqual([]);
  });

  it('ends all playlists when the last rung is removed, and goes on when one is added', () => {
    const stage = newStage();
    stage.play(ladder({ to: 8.5 }));
    stage.close('original', 'video');
    stage.close('240p', 'video');
    stage.close('720p', 'video');
    stage.clock.advance(1_000);
    expect(stage.playlist('720p')).toContain('#EXT-X-ENDLIST');
    expect(stage.playlist('audio', 'audio')).toContain('#EXT-X-ENDLIST');
    stage.open('240p', low);
    stage.play(ladder({ from: 10, to: 14.5 }));
    expect(stage.variants()).toEqual(['240p/video.m3u8', 'audio/audio.m3u8']);
    expect(stage.playlist('720p')).toBeUndefined();
    expect(stage.playlist('audio', 'audio')).not.toContain('#EXT-X-ENDLIST');
  });

  it('goes on with audio when the publisher’s video ends alone', () => {
    const stage = newStage();
    stage.play(ladder({ to: 8.5 }));
    stage.close('source', 'video');
    for (const rendition of ['original', '720p', '240p']) stage.close(rendition, 'video');
    expect(stage.variants()).toEqual(['audio/audio.m3u8']);
    stage.play({
      source: audioFrames({ init: aac, to: 9, epoch: 1, lateMs: 9_000 }),
      audio: audioFrames({ init: aacOut, to: 9, epoch: 1, lateMs: 9_010 }),
    });
    const text = stage.playlist('audio', 'audio') ?? '';
    expect(text).not.toContain('ENDLIST');
    expect(text.split('#EXT-X-DISCONTINUITY\n')[1]?.match(/^audio.*m4s$/gm)).toHaveLength(4);
  });

  it('ends all playlists together when the publisher leaves, keeps them for a minute and forgets them', async () => {
    const stage = newStage();
    stage.play(ladder({ to: 8.5 }));
    endPublisher(stage);
    for (const [rendition, track] of RENDITIONS) {
      expect(stage.playlist(rendition, track)).toMatch(/EXTINF:0.5\d*,\n.*-4.m4s\n/);
      expect(stage.playlist(rendition, track)).not.toContain('#EXT-X-ENDLIST');
    }
    stage.clock.advance(1_000);
    for (const [rendition, track] of RENDITIONS) expect(stage.playlist(rendition, track)).toContain('#EXT-X-ENDLIST');
    expect(stage.variants()).toHaveLength(4);
    expect(stage.origin.describe()[0]?.state).toBe('ended');
    stage.clock.advance(60_001);
    await settle();
    expect(stage.origin.describe()).toEqual([]);
    expect(stage.multivariant()).toBeUndefined();
  });

  it('waits for outputs that still drain, but not for ever', async () => {
    const stage = newStage();
    stage.play(ladder({ to: 8.5 }));
    stage.close('source', 'video');
    stage.close('source', 'audio');
    expect(stage.playlist('720p')).not.toContain('#EXT-X-ENDLIST');
    stage.clock.advance(10_001);
    await settle();
    stage.clock.advance(1_000);
    expect(stage.playlist('720p')).toContain('#EXT-X-ENDLIST');
  });

  it('waits for outputs that are announced and have not begun when the publisher leaves', () => {
    const stage = newStage();
    const withdrawals = [stage.registry.announce(stage.broadcast), stage.registry.announce(stage.broadcast)];
    stage.play(ladder({ to: 4.5 }));
    endPublisher(stage);
    expect(stage.playlist('720p')).not.toContain('#EXT-X-ENDLIST');
    withdrawals[0]!();
    stage.clock.advance(1_000);
    expect(stage.playlist('720p')).not.toContain('#EXT-X-ENDLIST');
    withdrawals[1]!();
    stage.clock.advance(1_000);
    expect(stage.playlist('720p')).toContain('#EXT-X-ENDLIST');
  });

  it('numbers on when the broadcast comes back, under new URIs, while the old media stays fetchable', async () => {
    const stage = newStage();
    stage.play(ladder({ to: 8.5 }));
    const old = /video-\w+-3\.m4s/.exec(stage.playlist('720p') ?? '')?.[0] ?? '';
    endPublisher(stage);
    openLadder(stage);
    stage.play(ladder({ to: 4.5, epoch: 1, lateMs: 12_000 }));
    const text = stage.playlist('720p') ?? '';
    expect(text).toContain('#EXT-X-MEDIA-SEQUENCE:5');
    expect(text).toContain('#EXT-X-DISCONTINUITY\n');
    expect(text).not.toContain('ENDLIST');
    expect(stage.media('720p', 'video', old)?.length).toBeGreaterThan(1_000);
    endPublisher(stage);
    stage.clock.advance(120_000);
    await settle();
    openLadder(stage);
    stage.play(ladder({ to: 4.5, epoch: 2, lateMs: 300_000 }));
    expect(stage.playlist('720p')).toContain('#EXT-X-MEDIA-SEQUENCE:8');
  });

  it('begins a new life at once when the publisher returns while outputs still drain', () => {
    const stage = newStage();
    stage.play(ladder({ to: 8.5 }));
    stage.close('source', 'video');
    stage.close('source', 'audio');
    stage.open('source', source);
    expect(stage.origin.describe()[0]).toMatchObject({ state: 'live', renditions: [] });
  });

  it('starts a new epoch with a discontinuity at the same number everywhere', () => {
    const stage = newStage();
    stage.play(ladder({ to: 8.5 }));
    stage.play(ladder({ to: 4.5, epoch: 1, lateMs: 12_000 }));
    const numbers = RENDITIONS.map(([rendition, track]) => {
      const entries = (stage.playlist(rendition, track) ?? '').split('#EXTINF').slice(1);
      return entries.findIndex((entry) => entry.includes('DISCONTINUITY')) + 1;
    });
    expect(numbers).toEqual([5, 5, 5, 5]);
  });

  it('gives a rung with audio of its own a group of its own', () => {
    const stage = newStage();
    const own = audioInit({ bytes: Buffer.from('own') });
    stage.open('240p', own);
    stage.play({ ...ladder({ to: 4.5 }), '240p#audio': audioFrames({ init: own, to: 4.5 }) });
    const text = stage.multivariant() ?? '';
    expect(text).toContain('GROUP-ID="240p"');
    expect(text).toMatch(/RESOLUTION=426x240.*AUDIO="240p"/);
    expect(text).toMatch(/RESOLUTION=1280x720.*AUDIO="audio"/);
    expect(stage.playlist('240p', 'audio')).toContain('audio-');
  });

  it('lists an audio-only rung as a variant of its own, last', () => {
    const stage = newStage();
    const voice = audioInit({ bytes: Buffer.from('voice') });
    stage.open('voice', voice);
    stage.play({ ...ladder({ to: 4.5 }), voice: audioFrames({ init: voice, to: 4.5 }) });
    expect(stage.variants()?.at(-1)).toBe('voice/audio.m3u8');
  });

  it('serves a broadcast of audio alone', () => {
    const stage = new HlsStage();
    stage.open('source', aac);
    stage.open('audio', aacOut);
    stage.play({ source: audioFrames({ init: aac, to: 7 }), audio: audioFrames({ init: aacOut, to: 7, lateMs: 10 }) });
    expect(stage.variants()).toEqual(['audio/audio.m3u8']);
    expect(stage.multivariant()).toMatch(/CODECS="mp4a.40.2",CLOSED-CAPTIONS=NONE\n/);
  });

  it('serves a broadcast of video alone, without an audio group', () => {
    const stage = new HlsStage();
    stage.open('source', source);
    stage.open('240p', low);
    stage.play({ source: videoFrames({ init: source, to: 5 }), '240p': videoFrames({ init: low, to: 5, lateMs: 60 }) });
    expect(stage.variants()).toEqual(['240p/video.m3u8']);
    expect(stage.multivariant()).not.toContain('AUDIO');
  });

  it('waits a little for slower siblings before it lists the first rung', () => {
    const stage = newStage();
    stage.play({ ...ladder({ to: 2.3 }), '720p': [] });
    expect(stage.multivariant()).toBeUndefined();
    stage.clock.advance(1_000);
    expect(stage.variants()).toEqual(['240p/video.m3u8', 'audio/audio.m3u8']);
  });

  it('keeps the multivariant playlist the same while nothing about it changes', () => {
    const stage = newStage();
    stage.play(ladder({ to: 8.5 }));
    const { etag } = stage.origin.multivariant('live/demo');
    stage.play(ladder({ from: 8.5, to: 30 }));
    expect(stage.origin.multivariant('live/demo').etag).toBe(etag);
  });

  it('joins a broadcast that is live already', async () => {
    const { HlsOrigin } = await import('../../src/hls/hls-origin.ts');
    const { silentLogger } = await import('../../src/util/logger.ts');
    const stage = newStage();
    stage.play(ladder({ to: 4.5 }));
    const late = new HlsOrigin({ directory: stage.registry, clock: stage.clock, logger: silentLogger });
    stage.play(ladder({ from: 4.5, to: 10.5 }));
    const [report] = late.describe('live/demo');
    expect(report?.renditions.find(({ name }) => name === '720p')).toMatchObject({ state: 'playable', segments: 2 });
  });

  it('reports what it serves', () => {
    const stage = newStage();
    stage.play(ladder({ to: 8.5 }));
    const report = stage.origin.describe('live/demo')[0];
    expect(report).toMatchObject({ state: 'live', newestMsn: 4, sourceGopMs: 2_000, warnings: [], viewers: 0 });
    const rung = report?.renditions.find(({ name }) => name === '720p');
    expect(rung).toMatchObject({
      state: 'playable',
      codecs: ['avc1.64001f'],
      width: 1280,
      height: 720,
      segments: 4,
      gaps: 0,
    });
    expect(rung?.averageKbps).toBeGreaterThan(40);
    expect(stage.origin.describe('live/other')).toEqual([]);
  });

  it('forgets everything when it is closed', async () => {
    const stage = newStage();
    stage.play(ladder({ to: 8.5 }));
    await stage.origin.close();
    await stage.origin.close();
    expect(stage.origin.describe()).toEqual([]);
    stage.play(ladder({ from: 8.5, to: 9 }));
  });
});

/** Lets what awaits the clock go on. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
}
