import { describe, expect, it } from 'vitest';
import { videoFrames, videoInit } from '../support/hls-fragments.ts';
import { HlsStage } from '../support/hls-stage.ts';
import {
  source,
  rung,
  media,
  newStage,
  playing,
  lines,
  outcome,
  textOf,
  hintIn,
} from '../support/low-latency-stage.ts';

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
