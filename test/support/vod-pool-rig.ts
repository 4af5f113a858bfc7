import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { DiskBudget } from '../../src/cache/disk-budget.ts';
import { SegmentCache } from '../../src/cache/segment-cache.ts';
import type { TrackInit } from '../../src/media/fragment.ts';
import { SOFTWARE_ENCODER, videoEncoder } from '../../src/transcode/ffmpeg/video-encoders.ts';
import { type Deferred, deferred } from '../../src/util/deferred.ts';
import { silentLogger } from '../../src/util/logger.ts';
import type { EncodingHead, HeadEnd, HeadRequest } from '../../src/vod/play/encoding-head.ts';
import type { RenditionHandle } from '../../src/vod/play/rendition-handle.ts';
import { RenditionPool } from '../../src/vod/play/rendition-pool.ts';
import type { Title } from '../../src/vod/source/title.ts';
import type { VodVideo } from '../../src/vod/vod-rendition.ts';
import { ManualClock } from './manual-clock.ts';

type PoolOptions = ConstructorParameters<typeof RenditionPool>[0];

/** A head that makes segments when the test says so. */
export class ScriptedHead implements EncodingHead {
  readonly request: HeadRequest;
  readonly init: Promise<TrackInit>;
  readonly done: Promise<HeadEnd>;
  isPaused = false;
  isClosed = false;
  /** Whether it ends when it is asked to; else the test calls `end`. */
  isObedient = true;
  readonly #init: Deferred<TrackInit> = deferred<TrackInit>();
  readonly #done: Deferred<HeadEnd> = deferred<HeadEnd>();
  #next: number;

  constructor(request: HeadRequest) {
    this.request = request;
    this.#next = request.first;
    this.init = this.#init.promise;
    this.done = this.#done.promise;
  }

  get first(): number {
    return this.request.first;
  }

  start(): void {
    // The test says when.
  }

  /** Tells its init. */
  begin(init = 'init'): void {
    this.#init.resolve({ kind: 'video', codec: 'avc1.640028', timescale: 90_000, bytes: Buffer.from(init) });
  }

  /** Makes segments up to and including one. */
  make(last: number): void {
    this.begin();
    for (; this.#next <= last; this.#next += 1) {
      const bytes = segmentBytes(this.request.rendition.name, this.#next, this.first);
      this.request.onSegment({ index: this.#next, bytes, durationTicks: 360_000 });
    }
  }

  end(ended: HeadEnd['ended'] = 'complete', fault: Pick<HeadEnd, 'reason' | 'code'> = {}): void {
    this.#init.reject(new Error('it ended'));
    this.#done.resolve({ ended, lastIndex: this.#next === this.first ? undefined : this.#next - 1, ...fault });
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  async close(): Promise<unknown> {
    this.isClosed = true;
    if (this.isObedient) this.end('closed');
    return await this.done;
  }
}

/** What a scripted head puts into a segment; `first` tells the head. */
export function segmentBytes(rendition: string, index: number, first: number): Buffer {
  return Buffer.from(`${rendition} segment ${index} of the head at ${first}`);
}

/** A pool whose heads do what the test says, with a real cache. */
export interface PoolRig {
  readonly folder: string;
  readonly clock: ManualClock;
  readonly cache: SegmentCache;
  readonly pool: RenditionPool;
  readonly title: Title;
  /** All heads so far. */
  readonly heads: ScriptedHead[];
  /** A viewer of a rendition. */
  open(options?: { name?: string; startAt?: number; title?: Title; encoder?: string }): RenditionHandle;
  /** The head of this number, counted from 0, once it has been made. */
  head(number: number): Promise<ScriptedHead>;
  /** Resolves once so many segments are in the cache. */
  encoded(handle: RenditionHandle, count: number): Promise<void>;
  /** Resolves once so many requests wait for segments. */
  wanted(count: number): Promise<void>;
  /** Resolves once no head is there any more. */
  quiet(): Promise<void>;
  /** Ends this pool and cache and opens others in the same folder. */
  restart(options?: Partial<PoolOptions>): Promise<PoolRig>;
  close(): Promise<void>;
}

/** A title of equal segments of 4 s. */
export function plainTitle(segments: number, name = 'film'): Title {
  const boundaries = Array.from({ length: segments + 1 }, (_, index) => index * 360_000);
  return {
    source: {
      ...{ kind: 'file', label: name, identity: `/media/${name} 1`, sizeBytes: 1, path: `/media/${name}` },
      openInput: () => Promise.reject(new Error('not needed')),
      openBytes: () => Promise.reject(new Error('not needed')),
    },
    format: 'mp4',
    startTicks: 0,
    durationTicks: segments * 360_000,
    video: {
      ...{ streamIndex: 0, codec: 'h264', width: 640, height: 360, frameRate: 25 },
      ...{ isInterlaced: false, isHdr: false, bitrate: undefined, copy: undefined, copyObjection: undefined },
    },
    audio: [],
    subtitles: [],
    plan: { boundaries, keyframes: boundaries.slice(0, -1), atKeyframes: true },
  };
}

/** Makes a rig; default: 20 segments, 4 encoders, 4 segments ahead. */
export async function poolRig(
  options: Partial<PoolOptions> & { folder?: string; segments?: number } = {},
): Promise<PoolRig> {
  const { segments = 20, folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-pool-')), ...rest } = options;
  const clock = new ManualClock();
  const budget = await DiskBudget.open({ folder, size: 1 });
  const cache = await SegmentCache.open({ root: path.join(folder, 'cache'), budget, clock, logger: silentLogger });
  const heads: ScriptedHead[] = [];
  const expected: Deferred<ScriptedHead>[] = [];
  const expect = (number: number): Deferred<ScriptedHead> => (expected[number] ??= deferred<ScriptedHead>());
  const pool = new RenditionPool({
    ...{ cache, clock, logger: silentLogger, maxEncoders: 4, aheadSegments: 4, idleMs: 30_000 },
    binary: { path: 'ffmpeg', version: '5.1', major: 5 },
    createHead: (request) => {
      const head = new ScriptedHead(request);
      expect(heads.push(head) - 1).resolve(head);
      return head;
    },
    ...rest,
  });
  const title = plainTitle(segments);
  const end = async (): Promise<void> => {
    await pool.close();
    await cache.close();
  };
  return {
    ...{ folder, clock, cache, pool, title, heads },
    open: ({ name = '360p', startAt = 0, title: other = title, encoder } = {}) =>
      pool.open(other, rendition(name, encoder), { startAt }),
    head: (number) => expect(number).promise,
    encoded: async (handle, count) => {
      const isEncoded = deferred();
      const look = (): void => {
        if (handle.progress().encoded >= count) isEncoded.resolve();
      };
      const stop = handle.onProgress(look);
      look();
      await isEncoded.promise;
      stop();
      await setImmediate();
    },
    wanted: async (count) => {
      while (pool.report().wanted !== count) await setImmediate();
    },
    quiet: async () => {
      while (pool.report().heads.length > 0) await setImmediate();
    },
    restart: async (changes = {}) => {
      await end();
      return await poolRig({ ...options, folder, ...changes });
    },
    close: async () => {
      await end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function rendition(name: string, encoder = SOFTWARE_ENCODER): VodVideo {
  return {
    ...{ kind: 'video', name, mode: 'encode', codec: 'avc1.64001e', averageBandwidth: 8e5, bandwidth: 1e6 },
    ...{ width: 640, height: 360, frameRate: 25, burn: undefined },
    spec: { name, height: 360, videoBitrateKbps: 800 },
    encoder: videoEncoder(encoder),
  };
}
