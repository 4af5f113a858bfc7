import { describe, expect, it } from 'vitest';
import { AppError } from '../../src/util/errors.ts';
import { gridKeyframes, videoFrames, videoInit } from '../support/hls-fragments.ts';
import { HlsStage } from '../support/hls-stage.ts';
import {
  source,
  rung,
  EVEN_SECONDS,
  rungFrames,
  media,
  newStage,
  playing,
  endPublisher,
  lines,
  outcome,
  textOf,
  hintIn,
} from '../support/low-latency-stage.ts';

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
