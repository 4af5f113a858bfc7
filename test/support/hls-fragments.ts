import { writeFragment } from '../../src/media/cmaf/fragment-writer.ts';
import { type Fragment, LADDER_TIMESCALE, type TrackInit } from '../../src/media/fragment.ts';

/** Wall clock at which the synthetic streams begin. */
export const STREAM_START_MS = Date.UTC(2026, 0, 1);

/** A video init that no decoder would take; two of them are never the same object. */
export function videoInit(overrides: Partial<TrackInit> = {}): TrackInit {
  return {
    kind: 'video',
    codec: 'avc1.64001f',
    timescale: LADDER_TIMESCALE,
    bytes: Buffer.from('video init'),
    width: 1280,
    height: 720,
    frameRate: 30,
    ...overrides,
  };
}

/** An AAC init that no decoder would take. */
export function audioInit(overrides: Partial<TrackInit> = {}): TrackInit {
  return {
    kind: 'audio',
    codec: 'mp4a.40.2',
    timescale: 48_000,
    bytes: Buffer.from('audio init'),
    sampleRate: 48_000,
    channels: 2,
    ...overrides,
  };
}

/** What a row of synthetic frames is like; times in seconds. */
interface Frames {
  readonly init: TrackInit;
  readonly from?: number;
  readonly to: number;
  readonly fps?: number;
  /** Presentation times of keyframes, or their distance counted from `from`. */
  readonly keyframes?: readonly number[] | number;
  readonly epoch?: number;
  readonly bytes?: number;
  /** Added to the wall clock at which the frames arrive. */
  readonly lateMs?: number;
  /** Frames by which pictures are presented later than they are decoded. */
  readonly reorder?: number;
}

/** Video frames, one a fragment, in decode order. */
export function videoFrames(frames: Frames): Fragment[] {
  const { init, from = 0, to, fps = 30, epoch = 0, bytes = 200, lateMs = 0, reorder = 0 } = frames;
  const step = LADDER_TIMESCALE / fps;
  const first = Math.round(from * fps);
  return Array.from({ length: Math.round(to * fps) - first }, (_, index) => {
    const time = (first + index) / fps;
    const dts = Math.round((first + index) * step);
    const keyframe = isKeyframe(frames.keyframes ?? 2, time, from, fps);
    // B-frames: keyframes wait for the pictures that are decoded after and shown before their successor.
    const delay = keyframe || index % 3 === 0 ? reorder : Math.max(0, reorder - 1);
    return writeFragment({
      init,
      epoch,
      frames: [
        {
          dts,
          pts: Math.round(dts + delay * step),
          duration: Math.round(step),
          sync: keyframe,
          data: Buffer.alloc(bytes),
        },
      ],
      ingestedAtMs: STREAM_START_MS + time * 1000 + lateMs,
    });
  });
}

/** AAC frames, one a fragment. */
export function audioFrames({ init, from = 0, to, epoch = 0, bytes = 20, lateMs = 0 }: Frames): Fragment[] {
  const first = Math.ceil((from * init.timescale) / 1024);
  const last = Math.ceil((to * init.timescale) / 1024);
  return Array.from({ length: last - first }, (_, index) => {
    const dts = (first + index) * 1024;
    return writeFragment({
      init,
      epoch,
      frames: [{ dts, pts: dts, duration: 1024, sync: true, data: Buffer.alloc(bytes) }],
      ingestedAtMs: STREAM_START_MS + (dts * 1000) / init.timescale + lateMs,
    });
  });
}

/** Keyframes of an encoder that follows the source's and adds one after each 2 s. */
export function gridKeyframes(sourceKeyframes: readonly number[], to: number): number[] {
  return sourceKeyframes.flatMap((start, index) => {
    const end = sourceKeyframes[index + 1] ?? to;
    return Array.from({ length: Math.ceil((end - start) / 2 - 1e-6) }, (_, count) => start + 2 * count);
  });
}

/** Several rows of fragments in the order of their arrival. */
export function byArrival(...rows: readonly (readonly Fragment[])[]): Fragment[] {
  return rows.flat().sort((a, b) => a.ingestedAtMs - b.ingestedAtMs);
}

function isKeyframe(keyframes: readonly number[] | number, time: number, from: number, fps: number): boolean {
  const half = 0.5 / fps;
  if (typeof keyframes !== 'number') return keyframes.some((at) => Math.abs(at - time) < half);
  const since = time - from;
  return Math.abs(since - Math.round(since / keyframes) * keyframes) < half - 1e-9;
}
