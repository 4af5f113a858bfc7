import type { PublisherGate } from '../../src/ingest/publication.ts';
import { LadderPull } from '../../src/ingest/pull/ladder-pull.ts';
import type { PullStatus } from '../../src/ingest/pull/puller.ts';
import { writeFragment } from '../../src/media/cmaf/fragment-writer.ts';
import { AddressGuard } from '../../src/remote/address-guard.ts';
import { RemoteClient } from '../../src/remote/remote-client.ts';
import { UpstreamHub } from '../../src/upstream/follow/upstream-hub.ts';
import { KeyStore } from '../../src/upstream/pool/key-store.ts';
import { SegmentPool } from '../../src/upstream/pool/segment-pool.ts';
import { type Clock, systemClock } from '../../src/util/clock.ts';
import { AppError } from '../../src/util/errors.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { type RecordedFrame, RecordedPublication } from './rtmp-gate.ts';
import { readTimecodes, type TimecodedFrame } from './timecode.ts';
import { UpstreamServer } from './upstream/upstream-server.ts';
import { testBinary } from './vod-heads.ts';

/** A clock that runs faster than ours: what takes real time in the program takes less of a test's. */
export function fastClock(speed: number): Clock {
  const startMs = systemClock.nowMs();
  return {
    nowMs: () => startMs + (systemClock.nowMs() - startMs) * speed,
    wait: (ms, signal) => systemClock.wait(ms / speed, signal),
    every: (ms, task) => systemClock.every(Math.max(1, ms / speed), task),
  };
}

interface PullOptions {
  readonly urls: readonly string[];
  readonly burstMs?: number;
}

/** Frames between two breaks, as they were published. */
export interface PublishedStretch {
  readonly video: readonly RecordedFrame[];
  readonly audio: readonly RecordedFrame[];
}

/** All that `LadderPull` needs, against a web server of the test; and what it publishes. */
export class PullRig {
  readonly server: UpstreamServer;
  readonly clock: Clock;
  readonly hub: UpstreamHub;
  publication: RecordedPublication | undefined;
  /** Each state that was told, in order. */
  readonly states: PullStatus['state'][] = [];
  readonly #pool: SegmentPool;
  readonly #client: RemoteClient;
  readonly #keys: KeyStore;
  #pull: LadderPull | undefined;

  private constructor(server: UpstreamServer, speed: number) {
    this.server = server;
    const clock = fastClock(speed);
    this.clock = clock;
    this.#client = new RemoteClient({ guard: new AddressGuard(['127.0.0.0/8']), onFailure: () => undefined });
    this.#pool = new SegmentPool({ maxBytes: 64 << 20, ttlMs: 60_000, clock, isMemoryShort: () => false });
    this.#keys = new KeyStore({ clock });
    const { pool, client } = { pool: this.#pool, client: this.#client };
    this.hub = new UpstreamHub({
      ...{ client, pool, clock, logger: silentLogger },
      ...{ prefetchSegments: 3, idleMs: 5_000, failuresBeforeNext: 2 },
    });
  }

  /** @param speed how much faster than ours the clock of the program runs */
  static async start(speed = 8): Promise<PullRig> {
    return new PullRig(await UpstreamServer.start(), speed);
  }

  /** Begins to pull. */
  pull({ urls, burstMs = 1_000 }: PullOptions): LadderPull {
    const gate: PublisherGate = {
      publish: (request) => {
        this.publication = new RecordedPublication(request);
        return Promise.resolve(this.publication);
      },
    };
    const pull = new LadderPull({
      upstream: this.hub.open({ urls: [...urls] }),
      ...{ gate, broadcast: 'live/tv', binary: testBinary, keys: this.#keys, burstMs },
      ...{ clock: this.clock, logger: silentLogger },
      onChange: () => this.states.push(pull.status().state),
    });
    this.#pull = pull;
    return pull;
  }

  /** Takes the broadcast away, as an admin does. */
  cut(message: string): void {
    this.publication?.request.disconnect(new AppError('GONE', message));
  }

  /** What was published, cut at its breaks. */
  get stretches(): PublishedStretch[] {
    const { frames = [], discontinuities = [] } = this.publication ?? {};
    const cuts = [0, ...discontinuities, frames.length];
    return cuts.slice(1).map((end, index) => {
      const own = frames.slice(cuts[index], end);
      const of = (kind: string): RecordedFrame[] => own.filter(({ init }) => init.kind === kind);
      return { video: of('video'), audio: of('audio') };
    });
  }

  async close(): Promise<void> {
    await this.#pull?.close();
    await this.hub.close();
    await this.#pool.close();
    await this.#client.close();
    await this.server.close();
  }
}

/** Decodes the pictures of a stretch and reads their numbers; times as they were published. */
export async function numbersOf({ video }: PublishedStretch): Promise<TimecodedFrame[]> {
  const [first] = video;
  if (first === undefined) return [];
  const fragments = video.map(({ init, frame }) => writeFragment({ init, epoch: 0, frames: [frame], ingestedAtMs: 0 }));
  return readTimecodes(Buffer.concat([first.init.bytes, ...fragments.map(({ bytes }) => bytes)]));
}

/** Holes between a track's frames that are longer than so many ms: their length, in ms, rounded. Back is negative. */
export function gapsOf(frames: readonly RecordedFrame[], toleratedMs = 2): number[] {
  return frames.slice(1).flatMap(({ init, frame }, index) => {
    const { frame: last, init: lastInit } = frames[index]!;
    const gapMs = (frame.dts * 1_000) / init.timescale - ((last.dts + last.duration) * 1_000) / lastInit.timescale;
    return Math.abs(gapMs) <= toleratedMs ? [] : [Math.round(gapMs)];
  });
}

/** How much later than the picture the sound of a stretch begins, in seconds. */
export async function offsetOf(stretch: PublishedStretch): Promise<number> {
  const { init, frame } = stretch.audio[0]!;
  const [picture] = (await numbersOf(stretch)).toSorted((a, b) => a.pts - b.pts);
  return frame.pts / init.timescale - picture!.pts / 90_000;
}

/** `from` to `to`, both included. */
export function row(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}
