import type { Fragment, TrackInit } from '../../src/media/fragment.ts';

/** A video init that no decoder will see; `tag` tells two of them apart. */
export function videoInit(tag = 'v'): TrackInit {
  return { kind: 'video', codec: 'avc1.64001f', timescale: 90_000, bytes: Buffer.from(tag), width: 1280, height: 720 };
}

/** An audio init that no decoder will see. */
export function audioInit(tag = 'a'): TrackInit {
  return {
    kind: 'audio',
    codec: 'mp4a.40.2',
    timescale: 48_000,
    bytes: Buffer.from(tag),
    sampleRate: 48_000,
    channels: 2,
  };
}

interface FragmentOptions {
  readonly init?: TrackInit;
  readonly epoch?: number;
  readonly atMs: number;
  readonly keyframe?: boolean;
  readonly durationMs?: number;
  readonly size?: number;
}

/** A fragment of one sample whose bytes mean nothing: for tests of who gets what, and when. */
export function fragmentAt(options: FragmentOptions): Fragment {
  const { init = videoInit(), epoch = 0, atMs, keyframe = false, durationMs = 100, size = 10 } = options;
  const baseDecodeTime = Math.round((atMs * init.timescale) / 1000);
  const duration = Math.round((durationMs * init.timescale) / 1000);
  const bytes = Buffer.alloc(size);
  return {
    init,
    epoch,
    baseDecodeTime,
    firstPts: baseDecodeTime,
    endPts: baseDecodeTime + duration,
    duration,
    keyframe,
    ingestedAtMs: atMs,
    samples: [{ duration, size, sync: keyframe, compositionOffset: 0 }],
    payload: bytes,
    bytes,
  };
}
