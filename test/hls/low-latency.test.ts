import { describe, expect, it } from 'vitest';
import { RenderedPlaylist } from '../../src/hls/rendered-playlist.ts';
import type { Fragment } from '../../src/media/fragment.ts';
import { AppError } from '../../src/util/errors.ts';
import { audioFrames, audioInit, gridKeyframes, videoFrames, videoInit } from '../support/hls-fragments.ts';
import { HlsStage, type StageAnswer } from '../support/hls-stage.ts';

const source = videoInit({ width: 1920, height: 1080 });
const rung = videoInit({ bytes: Buffer.from('720p') });
const aac = audioInit();

interface Span {
  readonly from?: number;
  readonly to: number;
  readonly epoch?: number;
  readonly lateMs?: number;
  readonly keyframes?: readonly number[] | number;
}

/** Where the publisher has its keyframes unless a test says otherwise. */
const EVEN_SECONDS = Array.from({ length: 40 }, (_, index) => 2 * index);

/** Frames of a rung. */
function rungFrames({ lateMs = 100, ...span }: Span, init = rung): Fragment[] {
  return videoFrames({ init, keyframes: EVEN_SECONDS, lateMs, ...span });
}

function media({ lateMs = 0, keyframes = EVEN_SECONDS, ...rest }: Span): Record<string, Fragment[]> {
  const span = { ...rest, keyframes };
  const untouched = videoFrames({ init: source, lateMs, ...span });
  const audio = audioFrames({ init: aac, lateMs, ...span });
  return {
    source: untouched,
    'source#audio': audio,
    original: untouched,
    audio,
    '720p': rungFrames({ ...span, lateMs: lateMs + 100 }),
  };
}

function newStage(options: ConstructorParameters<typeof HlsStage>[0] = {}): HlsStage {
  const stage = new HlsStage(options);
  stage.open('source', source);
  stage.open('source', aac);
  stage.open('original', source);
  stage.open('audio', aac);
  stage.open('720p', rung);
  return stage;
}

/** A stage that has played for so many seconds. */
function playing(to: number, options: ConstructorParameters<typeof HlsStage>[0] = {}): HlsStage {
  const stage = newStage(options);
  stage.play(media({ to }));
  return stage;
}

function endPublisher(stage: HlsStage): void {
  stage.close('source', 'video');
  stage.close('source', 'audio');
  for (const rendition of ['original', '720p']) stage.close(rendition, 'video');
  stage.close('audio', 'audio');
}

function lines(text: string | undefined, pattern: RegExp): string[] {
  return (text ?? '').split('\n').filter((line) => pattern.test(line));
}

function outcome({ answer }: StageAnswer<unknown>): string {
  if (answer instanceof AppError) return answer.code;
  return answer === undefined ? 'waits' : 'answered';
}

function textOf({ answer }: StageAnswer<RenderedPlaylist>): string {
  return answer instanceof RenderedPlaylist ? answer.plain.toString() : '';
}

function hintIn(text: string | undefined): string {
  return /PRELOAD-HINT:TYPE=PART,URI="([^"]+)"/.exec(text ?? '')?.[1] ?? '';
}

describe('a low-latency playlist', () => {
  it('lists parts as they close, those of the open segment too, then the hint and the reports', () => {
    const stage = playing(9.2);
    const text = stage.playlist('720p') ?? '';
    const token = /video-(\w+)-0\.m4s/.exec(text)?.[1];
    expect(text).toMatch(/^#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:3\n/);
    expect(text).toContain(
      '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=18.00000,PART-HOLD-BACK=1.53600,HOLD-BACK=9.00000\n' +
        '#EXT-X-PART-INF:PART-TARGET=0.50200\n',
    );
    expect(text.slice(text.indexOf(`video-${token}-3.m4s`)).split('\n')).toEqual([
      `video-${token}-3.m4s`,
      `#EXT-X-PART:DURATION=0.50000,URI="video-${token}-p16.m4s",INDEPENDENT=YES`,
      `#EXT-X-PART:DURATION=0.50000,URI="video-${token}-p17.m4s"`,
      `#EXT-X-PRELOAD-HINT:TYPE=PART,URI="video-${token}-p18.m4s"`,
      '#EXT-X-RENDITION-REPORT:URI="../original/video.m3u8",LAST-MSN=4,LAST-PART=1',
      '#EXT-X-RENDITION-REPORT:URI="../audio/audio.m3u8",LAST-MSN=4,LAST-PART=1',
      '',
    ]);
  });

  it('drops the parts of segments that end more than three target durations ago, but goes on to serve them', () => {
    const stage = playing(20.2);
    const text = stage.playlist('720p') ?? '';
    const token = /video-(\w+)-p/.exec(text)?.[1];
    // 20 s are published; segment 5 ends at 12 s, segment 4 at 10 s, which is more than 9 s ago.
    expect(lines(text, /EXT-X-PART:/)[0]).toContain(`video-${token}-p20.m4s`);
    expect(stage.media('720p', 'video', `video-${token}-p19.m4s`)).toBeDefined();
    expect(stage.media('720p', 'video', `video-${token}-p4.m4s`)).toBeDefined();
    stage.play(media({ from: 20.2, to: 40 }));
    expect(stage.media('720p', 'video', `video-${token}-p4.m4s`)).toBeUndefined();
  });

  it('says the same in SERVER-CONTROL of all renditions, also when one has longer parts', () => {
    const stage = newStage();
    const slow = videoInit({ bytes: Buffer.from('slow') });
    stage.open('slow', slow);
    stage.play({ ...media({ to: 9 }), slow: videoFrames({ init: slow, to: 9, fps: 1, lateMs: 1_000 }) });
    const playlists = ['original', '720p', 'slow'].map((name) => stage.playlist(name));
    const controls = [...playlists, stage.playlist('audio', 'audio')].flatMap((text) => lines(text, /SERVER-CONTROL/));
    expect(controls).toHaveLength(4);
    expect(new Set(controls).size).toBe(1);
    expect(controls[0]).toContain('PART-HOLD-BACK=3.00600');
    expect(lines(stage.playlist('slow'), /PART-INF/)).toEqual(['#EXT-X-PART-INF:PART-TARGET=1.00200']);
  });

  it('lists the discontinuity, the map and the date of a new epoch before its first part', () => {
    const stage = playing(9.2);
    stage.play(media({ to: 0.7, epoch: 1, lateMs: 12_000 }));
    expect(lines(stage.playlist('720p'), /./).slice(-8, -3)).toEqual([
      expect.stringMatching(/^video-\w+-4.m4s$/),
      '#EXT-X-DISCONTINUITY',
      expect.stringMatching(/MAP:URI="video-\w+-init-1.mp4"/),
      '#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:12.000Z',
      expect.stringMatching(/EXT-X-PART:.*p20.m4s",INDEPENDENT=YES$/),
    ]);
  });

  it('marks the live view in its reports, and lists only the newest segments in it', () => {
    const stage = playing(60);
    const text = stage.playlist('720p', 'video', { window: 'live' });
    expect(lines(text, /EXTINF/)).toHaveLength(8);
    expect(lines(text, /REPORT/)).toEqual([
      expect.stringContaining('URI="../original/video.m3u8?dvr=0"'),
      expect.stringContaining('URI="../audio/audio.m3u8?dvr=0"'),
    ]);
  });

  it('of normal latency has whole segments only, and does not block', () => {
    const stage = playing(20.2, { latency: 'normal' });
    const text = stage.playlist('720p') ?? '';
    expect(text).not.toMatch(/PART|PRELOAD|BLOCK/);
    expect(text).toContain('#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=18.00000,HOLD-BACK=9.00000\n');
    expect(lines(text, /./).at(-1)).toMatch(/RENDITION-REPORT:URI="..\/audio\/audio.m3u8",LAST-MSN=9$/);
    expect(outcome(stage.request('720p', { position: { msn: 500, part: 3 } }))).toBe('answered');
  });

  it('never ends with a segment, even if there is no other playlist and the publisher is away', () => {
    const stage = new HlsStage();
    stage.open('source', source);
    stage.open('720p', rung);
    stage.play({
      source: videoFrames({ init: source, to: 9 }),
      '720p': videoFrames({ init: rung, to: 9, lateMs: 50 }),
    });
    stage.clock.advance(10_000);
    expect(lines(stage.playlist('720p'), /./).at(-1)).toMatch(/^#EXT-X-PRELOAD-HINT/);
  });
});

describe('a delta update', () => {
  it('leaves out exactly the segments beyond the skip boundary', () => {
    const stage = playing(60.2, { windowSegments: 20 });
    const full = stage.playlist('720p') ?? '';
    const delta = stage.playlist('720p', 'video', { skip: true }) ?? '';
    const skipped = Number(/SKIPPED-SEGMENTS=(\d+)/.exec(delta)?.[1]);
    // 60 s are published, the skip boundary is at 42 s: segment 20 ends there, and is the 11th of the list.
    expect(lines(full, /MEDIA-SEQ/)).toEqual(['#EXT-X-MEDIA-SEQUENCE:10']);
    expect(skipped).toBe(11);
    expect(lines(delta, /EXTINF/)).toHaveLength(9);
    expect(delta).toMatch(/SKIP:SKIPPED-SEGMENTS=11\n#EXT-X-MAP:.*\n#EXT-X-PROGRAM-DATE-TIME:.*\n#EXTINF/);
  });

  it('is a full one as long as nothing lies beyond the boundary', () => {
    const stage = playing(18.2);
    expect(stage.playlist('720p', 'video', { skip: true })).toBe(stage.playlist('720p'));
  });
});

describe('a blocking reload', () => {
  it('waits for exactly the part or the segment that it names', async () => {
    const stage = playing(8.7);
    const asked = {
      part: stage.request('720p', { position: { msn: 4, part: 1 } }),
      segment: stage.request('720p', { position: { msn: 4, part: undefined } }),
      beyond: stage.request('720p', { position: { msn: 4, part: 4 } }),
    };
    const outcomes = async (to: number, from: number): Promise<string[]> => {
      stage.play(media({ from, to }));
      await stage.settle();
      return Object.values(asked).map(outcome);
    };
    expect(await outcomes(8.9, 8.7)).toEqual(['waits', 'waits', 'waits']);
    expect(await outcomes(9.1, 8.9)).toEqual(['answered', 'waits', 'waits']);
    expect(await outcomes(10.1, 9.1)).toEqual(['answered', 'answered', 'waits']);
    expect(await outcomes(10.7, 10.1)).toEqual(['answered', 'answered', 'answered']);
    expect(lines(textOf(asked.part), /PART:/)).toHaveLength(18);
    expect(lines(textOf(asked.segment), /EXTINF/)).toHaveLength(5);
    expect(lines(textOf(asked.beyond), /PART:/).length).toBe(21);
    expect(stage.origin.waitingRequests).toBe(0);
  });

  it('gets the current playlist at once for what is there already', () => {
    const stage = playing(8.7);
    for (const position of [
      { msn: 0, part: undefined },
      { msn: 3, part: 3 },
      { msn: 4, part: 0 },
      { msn: 1, part: 99 },
    ]) {
      expect(textOf(stage.request('720p', { position }))).toBe(stage.playlist('720p'));
    }
  });

  it('is refused at once when it is too far ahead', () => {
    const stage = playing(8.7);
    const refused = stage.request('720p', { position: { msn: 7, part: undefined } });
    expect(outcome(refused)).toBe('BAD_REQUEST');
    expect((refused.answer as AppError).message).toMatch(/^segment 7 is too far ahead/);
    expect(outcome(stage.request('720p', { position: { msn: 4, part: 7 } }))).toBe('BAD_REQUEST');
    expect(outcome(stage.request('720p', { position: { msn: 6, part: 0 } }))).toBe('waits');
  });

  it('renders one playlist for all who wait, and one for each view', async () => {
    const stage = playing(8.7);
    const waiting = Array.from({ length: 500 }, () => stage.request('720p', { position: { msn: 4, part: 1 } }));
    const live = stage.request('720p', { position: { msn: 4, part: 1 }, view: { window: 'live' } });
    const before = stage.origin.renderedPlaylists;
    expect(stage.origin.describe()[0]?.waitingRequests).toBe(501);
    stage.play(media({ from: 8.7, to: 9.2 }));
    await stage.settle();
    expect(new Set(waiting.map(({ answer }) => answer)).size).toBe(1);
    expect(textOf(live)).toContain('?dvr=0');
    expect(stage.origin.renderedPlaylists - before).toBe(2);
    expect(stage.request('720p').answer).toBe(waiting[0]?.answer);
  });

  it('reports where the others were when it was woken', async () => {
    const stage = playing(8.7);
    const asked = stage.request('720p', { position: { msn: 4, part: 1 } });
    stage.play(media({ from: 8.7, to: 9.2 }));
    await stage.settle();
    expect(lines(textOf(asked), /REPORT/)).toEqual([
      '#EXT-X-RENDITION-REPORT:URI="../original/video.m3u8",LAST-MSN=4,LAST-PART=1',
      '#EXT-X-RENDITION-REPORT:URI="../audio/audio.m3u8",LAST-MSN=4,LAST-PART=1',
    ]);
  });

  it('ends with 503 after three target durations', async () => {
    const stage = playing(8.7);
    const asked = stage.request('720p', { position: { msn: 6, part: 3 } });
    stage.play({ source: videoFrames({ init: source, from: 8.7, to: 17.6, keyframes: EVEN_SECONDS }) });
    await stage.settle();
    expect(outcome(asked)).toBe('waits');
    stage.play({ source: videoFrames({ init: source, from: 17.6, to: 18.1, keyframes: EVEN_SECONDS }) });
    await stage.settle();
    expect(outcome(asked)).toBe('UNAVAILABLE');
    expect(stage.origin.waitingRequests).toBe(0);
  });

  it('is forgotten when its client goes, 10,000 times', () => {
    const stage = playing(8.7);
    const clients = Array.from({ length: 10_000 }, () => {
      const controller = new AbortController();
      stage.request('720p', { position: { msn: 5, part: 0 }, signal: controller.signal });
      return controller;
    });
    expect(stage.origin.waitingRequests).toBe(10_000);
    clients.forEach((client) => client.abort());
    expect(stage.origin.waitingRequests).toBe(0);
  });

  it('is told at once when its rung is removed', async () => {
    const stage = playing(8.7);
    const removed = stage.request('720p', { position: { msn: 5, part: 0 } });
    const other = stage.request('audio', { track: 'audio', position: { msn: 5, part: 0 } });
    stage.close('720p', 'video');
    await stage.settle();
    expect([outcome(removed), outcome(other)]).toEqual(['NOT_FOUND', 'waits']);
  });

  it('gets what came last first, and then the end in a version of its own, without parts', async () => {
    const stage = playing(8.7);
    const last = stage.request('audio', { track: 'audio', position: { msn: 4, part: 1 } });
    const next = stage.request('audio', { track: 'audio', position: { msn: 5, part: undefined } });
    endPublisher(stage);
    await stage.settle();
    expect(textOf(last)).toMatch(/PART:DURATION=0.19\d+,.*\n#EXTINF:0.7\d+,\n.*\n#EXT-X-RENDITION-REPORT/);
    expect([textOf(last).includes('ENDLIST'), outcome(next)]).toEqual([false, 'waits']);
    stage.clock.advance(750);
    await stage.settle();
    const segments = textOf(last).replace(/#EXT-X-RENDITION-REPORT[^]*$|#EXT-X-PART:.*\n/g, '');
    expect(textOf(next)).toBe(`${segments}#EXT-X-ENDLIST\n`);
    expect(outcome(stage.request('audio', { track: 'audio', position: { msn: 900, part: 3 } }))).toBe('answered');
    expect(stage.clock.pending).toBe(1);
  });

  it('is answered at once when the origin closes', async () => {
    const stage = playing(8.7);
    const asked = stage.request('720p', { position: { msn: 5, part: 0 } });
    await stage.origin.close();
    await stage.settle();
    expect(textOf(asked)).toMatch(/#EXT-X-ENDLIST\n$/);
  });

  it('is told at once when untouched video can no longer be offered', async () => {
    const stage = playing(8.7);
    const asked = stage.request('original', { position: { msn: 5, part: 0 } });
    const keyframes = [0, 2, 4, 6, 8];
    const grid = gridKeyframes(keyframes, 12);
    const row = { from: 8.7, to: 11.5 };
    stage.play({
      ...media({ ...row, keyframes: [8] }),
      '720p': videoFrames({ init: rung, lateMs: 100, keyframes: grid, ...row }),
    });
    await stage.settle();
    expect(outcome(asked)).toBe('NOT_FOUND');
  });

  it('is refused when there is no such rendition', () => {
    const stage = playing(8.7);
    expect(outcome(stage.request('none', { position: { msn: 5, part: 0 } }))).toBe('NOT_FOUND');
    expect(outcome(new HlsStage().request('720p', { position: { msn: 5, part: 0 } }))).toBe('NOT_FOUND');
  });
});

describe('a preload hint', () => {
  it('is answered with exactly that part, before the playlists that name it, whether or not a segment closes', async () => {
    const stage = playing(9.7);
    const steps = [
      { to: 10.2, position: { msn: 4, part: 3 } },
      { to: 10.7, position: { msn: 5, part: 0 } },
      { to: 11.2, position: { msn: 5, part: 1 } },
    ];
    for (const { to, position } of steps) {
      const hint = hintIn(stage.playlist('720p'));
      const part = stage.requestMedia('720p', 'video', hint);
      const reload = stage.request('720p', { position });
      expect([outcome(part), outcome(reload)]).toEqual(['waits', 'waits']);
      stage.play(media({ from: to - 0.5, to }));
      await stage.settle();
      expect([outcome(part), outcome(reload)]).toEqual(['answered', 'answered']);
      expect(lines(textOf(reload), /EXT-X-PART:/).at(-1)).toContain(hint);
      expect((part.answer as { bytes: Buffer }).bytes).toEqual(stage.media('720p', 'video', hint));
    }
  });

  it('is the only unknown name that anybody may wait for', () => {
    const stage = playing(9.7);
    const hint = hintIn(stage.playlist('720p'));
    const next = hint.replace(/p(\d+)/, (_, number: string) => `p${Number(number) + 1}`);
    for (const name of [next, hint.replace('-p', '-p0'), hint.replace('video', 'audio'), 'video-x-p1.m4s']) {
      expect([name, outcome(stage.requestMedia('720p', 'video', name))]).toEqual([name, 'NOT_FOUND']);
    }
    expect(outcome(stage.requestMedia('none', 'video', hint))).toBe('NOT_FOUND');
  });

  it('is abandoned when the rung is removed', async () => {
    const stage = playing(9.7);
    const part = stage.requestMedia('720p', 'video', hintIn(stage.playlist('720p')));
    stage.close('720p', 'video');
    await stage.settle();
    expect(outcome(part)).toBe('NOT_FOUND');
  });

  it('is abandoned when what comes next needs another init', async () => {
    const stage = playing(9.2);
    const tail = stage.requestMedia('720p', 'video', hintIn(stage.playlist('720p')));
    stage.play(media({ to: 0.3, epoch: 1, lateMs: 12_000 }));
    await stage.settle();
    expect(outcome(tail)).toBe('answered');
    const text = stage.playlist('720p') ?? '';
    expect(lines(text, /EXT-X-PART:/).at(-1)).toContain('p18.m4s');
    // A player would put the next part behind the init that it knows.
    expect([hintIn(text), text.includes('CAN-BLOCK-RELOAD=YES')]).toEqual(['', true]);
    const next = stage.request('720p', { position: { msn: 5, part: 0 } });
    stage.play(media({ from: 0.3, to: 0.7, epoch: 1, lateMs: 12_000 }));
    await stage.settle();
    expect(textOf(next)).toMatch(/#EXT-X-MAP:URI="[^"]+-init-1.mp4"\n.*\n#EXT-X-PART:.*-p20.m4s.*\n.*HINT.*-p21.m4s/);
  });

  it('is answered with 404 at once when a new epoch begins with nothing left of the one before', async () => {
    const stage = playing(8);
    const asked = stage.requestMedia('720p', 'video', hintIn(stage.playlist('720p')));
    stage.play(media({ to: 0.3, epoch: 1, lateMs: 12_000 }));
    await stage.settle();
    expect(outcome(asked)).toBe('NOT_FOUND');
  });

  it('names parts that stay the same when their segment is complete', () => {
    const stage = playing(9.7);
    const name = /URI="([^"]+-p16\.m4s)"/.exec(stage.playlist('720p') ?? '')?.[1] ?? '';
    const open = Buffer.from(stage.media('720p', 'video', name) ?? []);
    stage.play(media({ from: 9.7, to: 10.5 }));
    const complete = stage.media('720p', 'video', name);
    const segment = stage.media('720p', 'video', name.replace('-p16', '-4'));
    expect(complete).toEqual(open);
    expect(complete?.buffer).toBe(segment?.buffer);
    expect(segment?.subarray(0, open.length)).toEqual(open);
  });
});

describe('a publisher that is away', () => {
  it('ends all waiting after 1.5 target durations; playlists stay, without the offer to block and without a hint', async () => {
    const stage = playing(8.8);
    const before = stage.playlist('720p') ?? '';
    const [reload, part] = [
      stage.request('720p', { position: { msn: 4, part: 2 } }),
      stage.requestMedia('720p', 'video', hintIn(before)),
    ];
    stage.clock.advance(4_200);
    await stage.settle();
    expect([outcome(reload), outcome(part), stage.playlist('720p')]).toEqual(['waits', 'waits', before]);
    stage.clock.advance(500);
    await stage.settle();
    expect([outcome(reload), outcome(part)]).toEqual(['UNAVAILABLE', 'UNAVAILABLE']);
    expect(outcome(stage.request('720p', { position: { msn: 4, part: 2 } }))).toBe('UNAVAILABLE');
    expect(outcome(stage.request('720p', { position: { msn: 4, part: 0 } }))).toBe('answered');
    expect(outcome(stage.request('720p', { position: { msn: 9, part: 2 } }))).toBe('BAD_REQUEST');
    const away = stage.playlist('720p') ?? '';
    expect(away).toBe(before.replace('CAN-BLOCK-RELOAD=YES,', '').replace(/#EXT-X-PRELOAD-HINT.*\n/, ''));
    expect(stage.origin.describe()[0]?.away).toBe(true);
  });

  it('counts as back with the first part after the return, once and for all', async () => {
    const stage = playing(8.8);
    stage.clock.advance(20_000);
    const blocks = (): boolean => stage.playlist('720p')?.includes('CAN-BLOCK-RELOAD') === true;
    const seen: boolean[] = [blocks()];
    for (let at = 0; at < 3; at += 0.1) {
      stage.play(media({ from: at, to: at + 0.1, epoch: 1, lateMs: 30_000 }));
      if (seen.at(-1) !== blocks()) seen.push(blocks());
    }
    expect(seen).toEqual([false, true]);
    const asked = stage.request('720p', { position: { msn: 6, part: 2 } });
    stage.play(media({ from: 3, to: 3.8, epoch: 1, lateMs: 30_000 }));
    await stage.settle();
    expect(outcome(asked)).toBe('answered');
  });

  it('does not come back with what encoders still hand out', () => {
    const stage = playing(8.8);
    stage.clock.advance(5_000);
    stage.play({ '720p': rungFrames({ from: 8.8, to: 9.6, lateMs: 9_000 }) });
    expect(stage.playlist('720p')).toMatch(/p17\.m4s/);
    expect(stage.playlist('720p')).not.toContain('CAN-BLOCK-RELOAD');
  });

  it('keeps nothing running once the broadcast has ended', async () => {
    const stage = playing(8.8);
    await stage.origin.close();
    expect(stage.clock.pending).toBe(0);
  });
});

describe('an encoder that restarts in mid-segment', () => {
  const again = videoInit({ bytes: Buffer.from('720p') });

  it('never changes what was published: the segment goes on after it', () => {
    const stage = newStage();
    stage.play({ ...media({ to: 9 }), '720p': rungFrames({ to: 8.8 }) });
    const name = /URI="([^"]+-p16\.m4s)"/.exec(stage.playlist('720p') ?? '')?.[1] ?? '';
    const published = Buffer.from(stage.media('720p', 'video', name) ?? []);
    stage.play({ ...media({ from: 9, to: 10.5 }), '720p': rungFrames({ from: 8, to: 10.5, lateMs: 1_000 }, again) });
    expect(stage.media('720p', 'video', name)).toEqual(published);
    const text = stage.playlist('720p') ?? '';
    expect(text).not.toContain('GAP');
    const parts = lines(text, /EXT-X-PART:/).map((line) => /p(\d+)\.m4s/.exec(line)?.[1]);
    expect(parts).toEqual([...new Set(parts)]);
    expect(lines(text, /EXTINF/)).toHaveLength(5);
    expect(
      stage.origin.describe()[0]?.renditions.find(({ name: rendition }) => rendition === '720p')?.droppedFragments,
    ).toBe(0);
  });

  it('leaves a gap if it sets decoders up in another way; those who wait for its end are told', async () => {
    const stage = newStage();
    const other = videoInit({ bytes: Buffer.from('other') });
    stage.play({ ...media({ to: 9 }), '720p': rungFrames({ to: 8.8 }) });
    const asked = stage.request('720p', { position: { msn: 4, part: 2 } });
    stage.play({
      ...media({ from: 9, to: 10.7 }),
      '720p': rungFrames({ from: 8, to: 10.7, lateMs: 500 }, other),
    });
    await stage.settle();
    const text = stage.playlist('720p') ?? '';
    expect(text).toMatch(
      /#EXT-X-PART:.*p16\.m4s",INDEPENDENT=YES\n#EXT-X-GAP\n#EXTINF:2.00000,\nvideo-\w+-4\.m4s\n#EXT-X-MAP/,
    );
    expect(outcome(asked)).toBe('answered');
  });
});

describe('a rung that joins late', () => {
  it('is reported by the others from its first segment on', () => {
    const stage = newStage();
    const late = videoInit({ bytes: Buffer.from('late'), width: 426, height: 240 });
    stage.play(media({ to: 9 }));
    stage.open('240p', late);
    stage.play({
      ...media({ from: 9, to: 11.9 }),
      '240p': videoFrames({ init: late, from: 10, to: 11.9, lateMs: 50 }),
    });
    expect(stage.playlist('720p')).not.toContain('240p');
    stage.play({
      ...media({ from: 11.9, to: 13 }),
      '240p': videoFrames({ init: late, from: 11.9, to: 13, keyframes: [12], lateMs: 50 }),
    });
    expect(lines(stage.playlist('720p'), /REPORT.*240p/)).toEqual([
      '#EXT-X-RENDITION-REPORT:URI="../240p/video.m3u8",LAST-MSN=6,LAST-PART=1',
    ]);
    expect(lines(stage.playlist('240p'), /MEDIA-SEQUENCE/)).toEqual(['#EXT-X-MEDIA-SEQUENCE:5']);
  });
});
