import type { FfmpegBinary } from '../../ffmpeg/ffmpeg-binary.ts';
import type { TrackKind } from '../../media/fragment.ts';
import type { FollowedPlaylist } from '../../upstream/follow/followed-playlist.ts';
import { indexBefore, liveEdge } from '../../upstream/follow/live-edge.ts';
import type { Upstream } from '../../upstream/follow/upstream.ts';
import type { KeyStore } from '../../upstream/pool/key-store.ts';
import { Backoff } from '../../util/backoff.ts';
import type { Clock } from '../../util/clock.ts';
import { deferred } from '../../util/deferred.ts';
import { AppError, reasonOf, toError } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import type { Publication, PublisherGate } from '../publication.ts';
import { chooseLadder } from './ladder-choice.ts';
import { lengthMs, PlaylistPosition, type StartRule } from './playlist-position.ts';
import { PullOutput } from './pull-output.ts';
import { PullState } from './pull-state.ts';
import type { Puller, PullStatus } from './puller.ts';
import { SegmentBytes } from './segment-bytes.ts';
import { segmentDemuxer } from './segment-container.ts';
import { SegmentReader } from './segment-reader.ts';

/** What is published, and how. */
export interface LadderPullOptions {
  /** A source of playlists. Released at the end. */
  readonly upstream: Upstream;
  readonly gate: PublisherGate;
  /** `app/name`. */
  readonly broadcast: string;
  readonly binary: FfmpegBinary;
  readonly keys: KeyStore;
  /** Media that leaves at once at the start, ms: about one segment of the ladder. */
  readonly burstMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called whenever the state or the last error has changed. */
  readonly onChange: () => void;
}

/** What does not come is tried again after this, ms. */
const RETRY = { firstMs: 500, maxMs: 10_000, resetAfterMs: 60_000 };
const VIEWER = 'ladder';

/**
 * Publishes a remote HLS source as a broadcast: its best variant, with the sound of a playlist of its own if it has one, in
 * real time and near the live edge. A recording runs once, from its beginning to its end.
 */
export class LadderPull implements Puller {
  readonly done: Promise<void>;
  readonly #options: LadderPullOptions;
  readonly #stop = new AbortController();
  readonly #state: PullState;
  readonly #stopListening: () => void;
  readonly #readers: SegmentReader[] = [];
  readonly #positions: PlaylistPosition[] = [];
  #output: PullOutput | undefined;
  #trouble: string | undefined;
  #isClosed = false;

  constructor(options: LadderPullOptions) {
    this.#options = options;
    const { upstream, clock, onChange } = options;
    this.#state = new PullState({
      ...{ clock, onChange },
      lastFrameAtMs: () => this.#output?.lastFrameAtMs,
      isFailing: () => this.#trouble !== undefined || upstream.status().state === 'failing',
      lastError: () =>
        this.#trouble ?? upstream.status().lastError ?? this.#readers.find(({ lastError }) => lastError)?.lastError,
    });
    this.#stopListening = upstream.onChange(() => this.#state.look());
    this.done = this.#run();
  }

  status(): PullStatus {
    const { address, failovers, counters } = this.#options.upstream.status();
    const sum = (figure: (reader: SegmentReader) => number): number =>
      this.#readers.reduce((total, reader) => total + figure(reader), 0);
    const { state, lastError } = this.#state;
    return {
      ...{ state, address, failovers, lastError },
      counters: {
        ...counters,
        ...this.#output?.counters,
        segments: sum(({ segments }) => segments),
        failedSegments: sum(({ failedSegments }) => failedSegments),
        edgeSkips: this.#positions[0]?.skips ?? 0,
        skippedMs: Math.round(this.#positions[0]?.skippedMs ?? 0),
      },
    };
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#stop.abort();
    return this.done;
  }

  async #run(): Promise<void> {
    const { gate, broadcast, upstream } = this.#options;
    try {
      const publication = await gate.publish({
        ...{ broadcast, key: undefined, protocol: 'pull', remote: upstream.status().address },
        disconnect: (reason) => this.#stop.abort(reason),
      });
      try {
        await this.#publish(publication);
      } finally {
        publication.end();
      }
      this.#end(undefined);
    } catch (thrown) {
      this.#end(thrown);
    } finally {
      this.#stopListening();
      upstream.release();
    }
  }

  #end(thrown: unknown): void {
    const { signal } = this.#stop;
    // What ends everything else is the reason, not what it led to.
    const error: unknown = signal.aborted ? signal.reason : thrown;
    if (this.#isClosed || error === undefined) this.#state.end('ended');
    else this.#state.end('failed', reasonOf(error));
  }

  async #publish(publication: Publication): Promise<void> {
    const { upstream, clock, burstMs } = this.#options;
    const { signal } = this.#stop;
    const ladder = await this.#patiently(() => upstream.ladder(signal));
    if (ladder === undefined) return;
    const choice = chooseLadder(ladder);
    const main = upstream.follow(choice.main);
    const audio = choice.audio === undefined ? undefined : upstream.follow(choice.audio);
    const first = await this.#patiently(() => main.next(-1, signal));
    if (first === undefined) return;
    const output = new PullOutput({
      ...{ publication, clock, burstMs },
      followsDrift: !first.isRecorded,
      unreadMs: () => this.#positions[0]?.unreadMs(main.current()) ?? 0,
    });
    this.#output = output;
    try {
      await this.#readAll(output, main, audio);
      await output.drained(signal);
    } finally {
      await output.close();
    }
  }

  /** Reads both playlists; the sound begins where the picture does, as far from the end. */
  async #readAll(output: PullOutput, main: FollowedPlaylist, audio: FollowedPlaylist | undefined): Promise<void> {
    const { signal } = this.#stop;
    const begun = deferred();
    let backMs = 0;
    const mainStart: StartRule = (snapshot) => {
      const index = liveEdge(snapshot);
      backMs = lengthMs(snapshot.segments.slice(index));
      begun.resolve();
      return index;
    };
    const audioPosition = new PlaylistPosition(({ segments, isRecorded, targetDurationMs }) =>
      isRecorded ? 0 : indexBefore(segments, backMs + targetDurationMs),
    );
    const kinds: TrackKind[] = audio === undefined ? ['video', 'audio'] : ['video'];
    const readers = [this.#reader(output, main, new PlaylistPosition(mainStart), kinds, () => audioPosition.jump())];
    if (audio !== undefined) readers.push(this.#reader(output, audio, audioPosition, ['audio'], () => undefined));
    signal.addEventListener('abort', () => begun.resolve(), { once: true });
    await Promise.all(
      readers.map(async (reader, index) => {
        if (index > 0) await begun.promise;
        await reader.run().catch((thrown: unknown) => {
          this.#stop.abort(thrown);
          throw toError(thrown);
        });
      }),
    );
  }

  #reader(
    output: PullOutput,
    followed: FollowedPlaylist,
    position: PlaylistPosition,
    kinds: readonly TrackKind[],
    onSkip: () => void,
  ): SegmentReader {
    const { binary, keys, clock, logger, broadcast, upstream } = this.#options;
    const { signal } = this.#stop;
    const lane = output.lane();
    const ask: ConstructorParameters<typeof SegmentBytes>[0]['ask'] = (item, options) =>
      followed.ask(item, { ...options, viewer: VIEWER });
    const reader = new SegmentReader({
      ...{ followed, position, lane, clock, logger, signal },
      bytes: new SegmentBytes({ ask, keys, fetcher: upstream.fetcher, signal }),
      demuxer: (container, begin) =>
        segmentDemuxer(container, { kinds, begin, push: (frames) => lane.push(frames) }, { binary, clock, logger }),
      room: () => output.room(lane, kinds, signal),
      // Sound that cannot be used is no reason to take the picture from elsewhere.
      onUseless: ({ item }) => {
        if (kinds.includes('video')) followed.report(item, 'failed');
      },
      onTrouble: () => this.#state.look(),
      onSkip: (ms) => {
        logger.warn({ broadcast, skippedMs: Math.round(ms) }, `skipped ${Math.round(ms / 1000)} s to the live edge`);
        onSkip();
      },
    });
    this.#readers.push(reader);
    this.#positions.push(position);
    return reader;
  }

  /** Tries again until it works; `undefined` once it is over. @throws AppError `FORBIDDEN`, for which waiting does not help */
  async #patiently<T>(task: () => Promise<T>): Promise<T | undefined> {
    const { signal } = this.#stop;
    const backoff = new Backoff(RETRY);
    while (!signal.aborted) {
      try {
        const result = await task();
        this.#trouble = undefined;
        return result;
      } catch (thrown) {
        if (thrown instanceof AppError && thrown.code === 'FORBIDDEN') throw thrown;
        this.#trouble = reasonOf(thrown);
        this.#state.look();
        await this.#options.clock.wait(backoff.nextDelayMs(0), signal);
      }
    }
    return undefined;
  }
}
