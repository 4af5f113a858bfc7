import { describe, expect, it } from 'vitest';
import { type HlsOptions, hlsOptions } from '../../src/hls/hls-options.ts';
import { Timeline } from '../../src/hls/timeline.ts';
import { TrackPackager } from '../../src/hls/track-packager.ts';
import type { Fragment, TrackInit } from '../../src/media/fragment.ts';
import {
  audioFrames,
  audioInit,
  byArrival,
  gridKeyframes,
  STREAM_START_MS,
  videoFrames,
  videoInit,
} from '../support/hls-fragments.ts';
import { heldBufferBytes } from '../support/memory.ts';

const source = videoInit();
const rung = videoInit({ width: 640, height: 360, bytes: Buffer.from('rung init') });
const aac = audioInit();

interface Bench {
  readonly timeline: Timeline;
  readonly video: TrackPackager;
  readonly audio: TrackPackager;
  /** Hands fragments in by their init, in the order of arrival. */
  feed(...rows: readonly (readonly Fragment[])[]): void;
  end(): void;
}

/** A timeline with one packaged rung and the audio; `rungs` are the inits of the rung's fragments. */
function bench(options: Partial<HlsOptions> = {}, rungs: readonly TrackInit[] = [rung]): Bench {
  const all = hlsOptions(options);
  const timeline = new Timeline({ segmentTargetMs: 2_000, keepSlots: 64 });
  const video = new TrackPackager({ kind: 'video', timeline, options: all, token: 'v' });
  const audio = new TrackPackager({ kind: 'audio', timeline, options: all, token: 'a' });
  const take = (fragment: Fragment): void => {
    if (rungs.includes(fragment.init)) {
      timeline.observeRung(fragment);
      video.push(fragment);
    } else {
      timeline.observeSource(fragment);
      if (fragment.init.kind === 'audio') audio.push(fragment);
    }
    video.advance();
    audio.advance();
  };
  return {
    timeline,
    video,
    audio,
    feed: (...rows) => byArrival(...rows).forEach(take),
    end: () => {
      timeline.end();
      video.finish();
      audio.finish();
    },
  };
}

/** The playlist's rows as "msn duration", with "gap" for gaps. */
function rows(packager: TrackPackager): string[] {
  return packager.track.listed.map(({ slot, durationMs, media }) => {
    const row = `${slot.msn} ${(durationMs / 1000).toFixed(3)}`;
    return media === undefined ? `${row} gap` : row;
  });
}

function names(packager: TrackPackager): string[] {
  return packager.track.listed.map(({ name }) => name);
}

describe('TrackPackager', () => {
  it('cuts video and audio at the same slots', () => {
    const { video, audio, feed } = bench();
    feed(
      videoFrames({ init: source, to: 8.5 }),
      videoFrames({ init: rung, to: 8.5, lateMs: 100 }),
      audioFrames({ init: aac, to: 8.5 }),
    );
    expect(rows(video)).toEqual(['0 2.000', '1 2.000', '2 2.000', '3 2.000']);
    expect(rows(audio)).toEqual(['0 2.005', '1 2.005', '2 2.005', '3 1.984']);
    for (const { media, programDateTimeMs } of [...video.track.listed, ...audio.track.listed]) {
      const { timescale } = video.track.listed.some((row) => row.media === media) ? rung : aac;
      const startMs = (firstDecodeTime(media?.bytes) * 1_000) / timescale;
      expect(Math.abs(programDateTimeMs - STREAM_START_MS - startMs)).toBeLessThan(1);
    }
  });

  it('builds a segment of parts, of which the first begins with the keyframe in a moof of its own', () => {
    const { video, feed } = bench();
    feed(videoFrames({ init: source, to: 4.5 }), videoFrames({ init: rung, to: 4.5, lateMs: 100 }));
    const media = video.track.listed[0]?.media;
    expect(media?.parts.map(({ durationMs }) => Math.round(durationMs))).toEqual([500, 500, 500, 500]);
    expect(media?.parts.map(({ independent }) => independent)).toEqual([true, false, false, false]);
    expect(boxTypes(media?.parts[0]?.bytes)).toEqual(['moof', 'mdat', 'moof', 'mdat']);
    expect(boxTypes(media?.parts[1]?.bytes)).toEqual(['moof', 'mdat']);
    expect(media?.parts.every((part) => part.bytes.buffer === media.bytes.buffer)).toBe(true);
    expect(Buffer.concat(media?.parts.map((part) => part.bytes) ?? [])).toEqual(media?.bytes);
    expect(media?.frames).toBe(60);
  });

  it('takes audio whose frames are longer than the tolerance as complete, whatever their phase', () => {
    const { audio, feed } = bench();
    feed(
      videoFrames({ init: source, to: 12.5 }),
      videoFrames({ init: rung, to: 12.5, lateMs: 100 }),
      audioFrames({ init: audioInit({ timescale: 8_000, sampleRate: 8_000 }), to: 12.5 }),
    );
    expect(rows(audio)).toHaveLength(6);
    expect(rows(audio).join()).not.toContain('gap');
  });

  it('keeps parts of audio within the part target', () => {
    const { audio, feed } = bench();
    feed(
      videoFrames({ init: source, to: 4.5 }),
      audioFrames({ init: aac, to: 4.5 }),
      videoFrames({ init: rung, to: 4.5 }),
    );
    const parts = audio.track.listed[0]?.media?.parts ?? [];
    expect(parts.length).toBeGreaterThanOrEqual(4);
    for (const part of parts) expect(part.durationMs).toBeLessThanOrEqual(512);
    expect(parts.every((part) => boxTypes(part.bytes).join() === 'moof,mdat')).toBe(true);
  });

  it('follows long source GOPs at the rungs’ keyframes', () => {
    const keyframes = [0, 8.3333];
    const { video, audio, feed } = bench();
    feed(
      videoFrames({ init: source, to: 15, keyframes }),
      videoFrames({ init: rung, to: 15, keyframes: gridKeyframes(keyframes, 15), lateMs: 100 }),
      audioFrames({ init: aac, to: 15 }),
    );
    expect(rows(video)).toEqual(['0 2.000', '1 2.000', '2 2.000', '3 2.000', '4 2.333', '5 2.000', '6 2.000']);
    expect(rows(audio)).toHaveLength(7);
  });

  it('begins a late rung at the current number and without a gap', () => {
    const { video, feed } = bench();
    feed(videoFrames({ init: source, to: 20.5 }), videoFrames({ init: rung, from: 14, to: 20.5, lateMs: 100 }));
    expect(rows(video)).toEqual(['7 2.000', '8 2.000', '9 2.000']);
  });

  it('begins a rung that joins within a segment at the next one', () => {
    const { video, feed } = bench();
    feed(
      videoFrames({ init: source, to: 12.5, keyframes: 1 }),
      videoFrames({ init: rung, from: 5, to: 12.5, keyframes: 1, lateMs: 100 }),
    );
    expect(rows(video)).toEqual(['3 2.000', '4 2.000', '5 2.000']);
  });

  it('states a gap of the right duration for each slot that a rung missed', () => {
    const { video, feed } = bench();
    feed(
      videoFrames({ init: source, to: 16.5 }),
      videoFrames({ init: rung, to: 5, lateMs: 100 }),
      videoFrames({ init: rung, from: 10, to: 16.5, lateMs: 100 }),
    );
    expect(rows(video)).toEqual([
      '0 2.000',
      '1 2.000',
      '2 2.000 gap',
      '3 2.000 gap',
      '4 2.000 gap',
      '5 2.000',
      '6 2.000',
      '7 2.000',
    ]);
    expect(video.track.file('video-v-3.m4s')).toBeUndefined();
  });

  it('goes on with gaps while a rung is dead, and drops what comes too late', () => {
    const { video, feed } = bench();
    feed(videoFrames({ init: source, to: 20.5 }), videoFrames({ init: rung, to: 4.5, lateMs: 100 }));
    expect(rows(video).slice(-3)).toEqual(['4 2.000 gap', '5 2.000 gap', '6 2.000 gap']);
    feed(videoFrames({ init: rung, from: 4.5, to: 10, lateMs: 30_000 }));
    expect(rows(video)).toHaveLength(7);
    expect(video.counters.droppedFragments).toBeGreaterThan(100);
  });

  it('keeps a slow rung whole', () => {
    const { video, feed } = bench();
    feed(videoFrames({ init: source, to: 16.5 }), videoFrames({ init: rung, to: 16.5, lateMs: 4_000 }));
    expect(rows(video)).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((msn) => `${msn} 2.000`));
  });

  it('keeps a rung whole that works a burst off', () => {
    const { video, feed } = bench();
    feed(videoFrames({ init: source, to: 6.5 }), videoFrames({ init: rung, to: 6.5, lateMs: 100 }));
    const burst = videoFrames({ init: source, from: 6.5, to: 16.5, keyframes: [8, 10, 12, 14, 16] });
    feed(burst.map((fragment) => ({ ...fragment, ingestedAtMs: burst[0]!.ingestedAtMs })));
    const behind = videoFrames({ init: rung, from: 6.5, to: 16.5, keyframes: [8, 10, 12, 14, 16] });
    feed(behind.map((fragment, index) => ({ ...fragment, ingestedAtMs: burst[0]!.ingestedAtMs + index * 10 })));
    expect(rows(video)).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((msn) => `${msn} 2.000`));
  });

  it('takes a restarted encoder’s replay of the open segment, and drops its replay of closed ones', () => {
    const again = { ...rung, bytes: Buffer.from('rung init') };
    const { video, feed } = bench({}, [rung, again]);
    feed(videoFrames({ init: source, to: 8.5 }), videoFrames({ init: rung, to: 5, lateMs: 100 }));
    feed(videoFrames({ init: again, from: 2, to: 8.5, lateMs: 10_000 }));
    expect(rows(video)).toEqual(['0 2.000', '1 2.000', '2 2.000', '3 2.000']);
    expect(video.track.listed[2]?.media?.frames).toBe(60);
    expect(new Set(video.track.listed.map(({ initName }) => initName)).size).toBe(1);
  });

  it('does not join pictures of two runs of an encoder in mid-GOP', () => {
    const again = { ...rung, bytes: Buffer.from('rung init') };
    const { video, feed } = bench({}, [rung, again]);
    feed(videoFrames({ init: source, to: 8.5 }), videoFrames({ init: rung, to: 3, lateMs: 100 }));
    feed(videoFrames({ init: again, from: 3, keyframes: [4, 6, 8], to: 8.5, lateMs: 10_000 }));
    expect(rows(video)).toEqual(['0 2.000', '1 2.000 gap', '2 2.000', '3 2.000']);
  });

  it('ends the segment and names another init when the decoder set-up changes', () => {
    const other = { ...rung, bytes: Buffer.from('another encoder') };
    const { video, feed } = bench({}, [rung, other]);
    feed(
      videoFrames({ init: source, to: 8.5 }),
      videoFrames({ init: rung, to: 4, lateMs: 100 }),
      videoFrames({ init: other, from: 4, to: 8.5, lateMs: 100 }),
    );
    const maps = video.track.listed.map(({ initName }) => initName);
    expect(maps).toEqual(['video-v-init-0.mp4', 'video-v-init-0.mp4', 'video-v-init-1.mp4', 'video-v-init-1.mp4']);
    expect(video.track.file('video-v-init-1.mp4')).toMatchObject({ bytes: other.bytes });
  });

  it('begins a new epoch with a discontinuity and a map at the same number in all tracks', () => {
    const { video, audio, feed } = bench();
    feed(
      videoFrames({ init: source, to: 5 }),
      videoFrames({ init: rung, to: 5, lateMs: 100 }),
      audioFrames({ init: aac, to: 5 }),
      videoFrames({ init: source, to: 4.5, epoch: 1, lateMs: 7_000 }),
      videoFrames({ init: rung, to: 4.5, epoch: 1, lateMs: 7_100 }),
      audioFrames({ init: aac, to: 4.5, epoch: 1, lateMs: 7_000 }),
    );
    expect(rows(video)).toEqual(['0 2.000', '1 2.000', '2 1.000', '3 2.000', '4 2.000']);
    for (const packager of [video, audio]) {
      const { listed } = packager.track;
      expect(listed.map(({ slot }) => slot.discontinuity)).toEqual([false, false, false, true, false]);
      expect(listed[3]?.initName).not.toBe(listed[2]?.initName);
      expect(listed[3]?.slot.programDateTimeMs).toBe(listed[0]!.slot.programDateTimeMs + 7_000);
    }
  });

  it('leaves pictures that lead an open GOP in the segment of the keyframe that they need', () => {
    const { video, feed } = bench();
    const open = (init: TrackInit, lateMs: number): Fragment[] =>
      videoFrames({ init, to: 8.5, lateMs }).map((fragment, index) => {
        // Two pictures that follow the keyframe in decode order are shown before it.
        const inGop = index % 60;
        const shiftedBy = index === 0 ? 0 : inGop === 0 ? 2 : inGop <= 2 ? -1 : 0;
        const firstPts = fragment.firstPts + shiftedBy * 3_000;
        return { ...fragment, firstPts, endPts: firstPts + fragment.duration };
      });
    feed(open(source, 0), open(rung, 100));
    expect(video.track.listed.map(({ media }) => media?.frames)).toEqual([60, 60, 60, 60]);
    expect(rows(video).slice(1)).toEqual(['1 2.000', '2 2.000', '3 2.000']);
  });

  it('flushes the last segments at the end, however short', () => {
    const { video, audio, feed, end } = bench();
    feed(
      videoFrames({ init: source, to: 4.5 }),
      videoFrames({ init: rung, to: 4.5, lateMs: 100 }),
      audioFrames({ init: aac, to: 4.5 }),
    );
    end();
    expect(rows(video)).toEqual(['0 2.000', '1 2.000', '2 0.500']);
    expect(rows(audio)).toHaveLength(3);
  });

  it('keeps segments fetchable for one more window after they left the list', () => {
    const { video, feed } = bench({ windowSegments: 6 });
    feed(videoFrames({ init: source, to: 40.5 }), videoFrames({ init: rung, to: 40.5, lateMs: 100 }));
    expect(names(video)).toEqual([14, 15, 16, 17, 18, 19].map((msn) => `video-v-${msn}.m4s`));
    expect(video.track.file('video-v-8.m4s')?.contentType).toBe('video/mp4');
    expect(video.track.file('video-v-7.m4s')).toBeUndefined();
    expect(video.track.file('video-v-19.m4s')).toHaveProperty('bytes');
    for (const name of [
      'video-v-20.m4s',
      'video-w-19.m4s',
      'video-v-019.m4s',
      'video-v-1e1.m4s',
      '../video-v-19.m4s',
    ]) {
      expect(video.track.file(name)).toBeUndefined();
    }
  });

  it('lists a segment that is too large as a gap and keeps nothing of it', () => {
    const { video, feed } = bench({ maxSegmentBytes: 20_000 });
    feed(
      videoFrames({ init: source, to: 8.5 }),
      videoFrames({ init: rung, to: 4, lateMs: 100, bytes: 1_000 }),
      videoFrames({ init: rung, from: 4, to: 8.5, lateMs: 100, bytes: 100 }),
    );
    expect(rows(video)).toEqual(['0 2.000 gap', '1 2.000 gap', '2 2.000', '3 2.000']);
  });

  it('forgets the oldest segments when a track has more bytes than it may', () => {
    const { video, feed } = bench({ maxTrackBytes: 200_000 });
    feed(videoFrames({ init: source, to: 40.5 }), videoFrames({ init: rung, to: 40.5, lateMs: 100, bytes: 500 }));
    expect(video.track.counters.bytes).toBeLessThan(200_000);
    expect(rows(video).length).toBeGreaterThanOrEqual(3);
  });

  it('drops what waits for a decision beyond its limits', () => {
    const { audio, feed } = bench({ maxPendingMs: 3_000 });
    for (const fragment of audioFrames({ init: aac, to: 60 })) audio.push(fragment);
    expect(audio.counters.waiting).toBeLessThanOrEqual(142);
    expect(audio.counters.droppedFragments).toBeGreaterThan(2_500);
    feed([]);
  });

  it('states the frame rate that it measures, not a wrong one that is declared', () => {
    const init = videoInit({ frameRate: 60, bytes: Buffer.from('declares 60') });
    const { video, feed } = bench({}, [init]);
    feed(videoFrames({ init: source, to: 4.5, fps: 25 }), videoFrames({ init, to: 4.5, fps: 25, lateMs: 100 }));
    expect(video.track.frameRate).toBe(25);
  });

  it('passes 10,000 segments through without growing', () => {
    const { video, audio, feed } = bench();
    const seconds = 20_000;
    const heldAt: number[] = [];
    for (let from = 0; from < seconds; from += 50) {
      const shared = { from, to: from + 50, bytes: 1_000 };
      feed(
        videoFrames({ init: source, fps: 4, ...shared }),
        videoFrames({ init: rung, fps: 4, lateMs: 100, ...shared }),
        audioFrames({ init: slowAudio, ...shared }),
      );
      if (from % 5_000 === 0) heldAt.push(heldBufferBytes());
    }
    expect(video.track.listed.at(-1)?.slot.msn).toBeGreaterThan(9_900);
    expect(rows(video)).toHaveLength(8);
    expect(video.track.counters.segments).toBe(16);
    expect(audio.track.counters.segments).toBe(16);
    expect(video.track.counters.bytes).toBeLessThan(16 * 12_000);
    expect(Math.max(...heldAt)).toBeLessThan(heldAt[0]! + 1_000_000);
  }, 60_000);
});

/** Audio with few frames, so that long streams are quick to make. */
const slowAudio = audioInit({ timescale: 8_000, sampleRate: 8_000 });

/** Decode time of the first frame, from the first `tfdt`. */
function firstDecodeTime(bytes: Buffer = Buffer.alloc(0)): number {
  return Number(bytes.readBigUInt64BE(bytes.indexOf('tfdt') + 8));
}

/** Types of the top-level boxes. */
function boxTypes(bytes: Buffer = Buffer.alloc(0)): string[] {
  const types: string[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readUInt32BE(at))
    types.push(bytes.toString('latin1', at + 4, at + 8));
  return types;
}
