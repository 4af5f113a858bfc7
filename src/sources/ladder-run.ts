import type { Clock } from '../util/clock.ts';
import { deferred } from '../util/deferred.ts';
import { AppError } from '../util/errors.ts';
import type { Closable } from '../util/closer.ts';
import type { Logger } from '../util/logger.ts';
import { addressesOf } from './source-address.ts';
import type { FilmPaths, RunRequest, RunStatus, SourceRun } from './source-run.ts';
import { countersOf, type SourceUpstream, tellable, UpstreamUse } from './source-upstream.ts';

/** Publishes a source until it ends: a `Puller` is one. It runs from its construction on. */
export interface SourcePuller extends Closable {
  status(): RunStatus;
  /** Resolves when it has come to its end; never rejects. */
  readonly done: Promise<void>;
}

/** What a puller is made for. */
export interface PullTarget {
  /** `app/name` to publish. */
  readonly broadcast: string;
  readonly onChange: () => void;
}

/** What ladder runs are made with. */
export interface LadderRunParts<Upstream extends SourceUpstream> {
  readonly pullPlaylists: (upstream: Upstream, target: PullTarget) => SourcePuller;
  readonly pullStream: (upstream: Upstream, target: PullTarget) => SourcePuller;
  /** rtsp, srt and rtmp. */
  readonly pullProtocol: (addresses: readonly string[], target: PullTarget) => SourcePuller;
  /** Plays the playlist at an address as a file. @throws AppError */
  readonly openFilm: (address: string, user: string | undefined, signal: AbortSignal) => Promise<FilmPaths>;
  /** Whether a broadcast has something to play, and has not ended. */
  readonly isPlayable: (broadcast: string) => boolean;
  readonly viewers: (broadcast: string) => number;
  readonly clock: Clock;
  readonly logger: Logger;
}

const LOOK_MS = 100;

/** Makes a broadcast of a source: finds out what it is, and publishes it. */
export class LadderRun<Upstream extends SourceUpstream> implements SourceRun {
  readonly #request: RunRequest;
  readonly #parts: LadderRunParts<Upstream>;
  readonly #upstream: Upstream | undefined;
  readonly #use: UpstreamUse | undefined;
  readonly #stop = new AbortController();
  readonly #done = deferred();
  readonly #over: Promise<void>;
  #puller: SourcePuller | undefined;
  #outcome: Pick<RunStatus, 'state' | 'lastError' | 'film'> | undefined;

  /** @param upstream to be released by this; left out for what is not fetched over http(s) */
  constructor(request: RunRequest, parts: LadderRunParts<Upstream>, upstream?: Upstream) {
    this.#request = request;
    this.#parts = parts;
    this.#upstream = upstream;
    this.#use = upstream && new UpstreamUse(upstream, request.onChange);
    this.#over = this.#run();
  }

  get done(): Promise<void> {
    return this.#done.promise;
  }

  status(): RunStatus {
    const use = this.#use?.status();
    const pulled = this.#puller?.status();
    const { failovers = pulled?.failovers ?? 0, address = pulled?.address } = use ?? {};
    return {
      ...{ state: pulled?.state ?? 'starting', address, failovers, lastError: pulled?.lastError ?? use?.lastError },
      // What a puller tells of a shared upstream began before this run.
      counters: countersOf({ ...pulled?.counters, ...use?.counters }),
      ...this.#outcome,
    };
  }

  async ready(signal: AbortSignal): Promise<void> {
    const { isPlayable, clock } = this.#parts;
    while (!isPlayable(this.#request.broadcast)) {
      const { state, lastError } = this.status();
      if (state === 'film') return;
      if (signal.aborted || state === 'failed' || state === 'ended') {
        throw new AppError('UNAVAILABLE', lastError ?? 'there is nothing to play');
      }
      await Promise.race([clock.wait(LOOK_MS, signal), this.done]);
    }
  }

  viewers(): number {
    return this.#parts.viewers(this.#request.broadcast);
  }

  async close(): Promise<void> {
    this.#stop.abort(new AppError('GONE', 'the source is being stopped'));
    await this.#puller?.close();
    await this.#over;
  }

  async #run(): Promise<void> {
    try {
      this.#outcome = await this.#pull();
    } catch (error) {
      const { logger } = this.#parts;
      const source = this.#request.entry.name;
      this.#outcome = { state: 'failed', lastError: tellable(error, { source, logger }) };
    }
    this.#use?.close();
    this.#done.resolve();
    this.#request.onChange();
  }

  /** Answers how it came to its end. */
  async #pull(): Promise<Pick<RunStatus, 'state' | 'lastError' | 'film'>> {
    const { signal } = this.#stop;
    const { entry, liveOnly } = this.#request;
    const kind = await this.#upstream?.kind(signal);
    const first = kind === 'hls' && (liveOnly || entry.recorded === 'film') ? await this.#use?.look(signal) : undefined;
    if (first !== undefined && liveOnly && first.ended) return { state: 'ended' };
    if (first?.isRecorded === true && entry.recorded === 'film') return { state: 'film', film: await this.#film() };
    signal.throwIfAborted();
    const puller = this.#open(kind);
    this.#puller = puller;
    if (signal.aborted) await puller.close();
    this.#request.onChange();
    await puller.done;
    const { state, lastError } = puller.status();
    return { state: state === 'ended' ? 'ended' : 'failed', lastError };
  }

  #open(kind: 'hls' | 'mpegts' | undefined): SourcePuller {
    const { broadcast, entry, onChange } = this.#request;
    const { pullPlaylists, pullStream, pullProtocol } = this.#parts;
    const target = { broadcast, onChange };
    if (this.#upstream === undefined) return pullProtocol(addressesOf(entry), target);
    return kind === 'hls' ? pullPlaylists(this.#upstream, target) : pullStream(this.#upstream, target);
  }

  #film(): Promise<FilmPaths> {
    const { entry } = this.#request;
    const addresses = addressesOf(entry);
    const address = addresses[this.#upstream?.status().urlIndex ?? 0] ?? addresses[0] ?? '';
    return this.#parts.openFilm(address, entry.user, this.#stop.signal);
  }
}
