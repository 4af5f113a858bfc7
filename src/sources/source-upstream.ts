import { AppError, toError } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';
import type { RunStatus } from './source-run.ts';

/** What a run needs of an upstream: an `Upstream` is one. */
export interface SourceUpstream {
  /** Finds out what it is. @throws AppError once all of its addresses have failed */
  kind(signal: AbortSignal): Promise<'hls' | 'mpegts'>;
  /** What it offers; at least one. @throws as `kind()` */
  ladder(signal: AbortSignal): Promise<{ readonly renditions: readonly { readonly id: string }[] }>;
  follow(renditionId: string): FollowedSource;
  status(): {
    readonly state: 'idle' | 'starting' | 'live' | 'ended' | 'failing';
    readonly address: string;
    readonly urlIndex: number;
    readonly failovers: number;
    readonly lastError: string | undefined;
    readonly counters: object;
  };
  onChange(listener: () => void): () => void;
  release(): void;
}

interface FollowedSource {
  next(afterVersion: number, signal: AbortSignal): Promise<FollowedState>;
  release(): void;
}

interface FollowedState {
  readonly version: number;
  readonly ended: boolean;
  /** Had its end when it was first loaded. */
  readonly isRecorded: boolean;
}

/** One run's use of an upstream, which may be shared and older than the run. */
export class UpstreamUse {
  readonly upstream: SourceUpstream;
  readonly #before: Readonly<Record<string, number>>;
  readonly #failoversBefore: number;

  /** Opens nothing; `close()` releases it. */
  constructor(upstream: SourceUpstream, onChange: () => void) {
    const { counters, failovers } = upstream.status();
    this.upstream = upstream;
    this.#before = countersOf(counters);
    this.#failoversBefore = failovers;
    upstream.onChange(onChange);
  }

  /** What it did since the run began. */
  status(): Pick<RunStatus, 'address' | 'failovers' | 'lastError' | 'counters'> {
    const { address, failovers, lastError, counters } = this.upstream.status();
    const since = Object.entries(countersOf(counters)).map(([name, total]) => [
      name,
      total - (this.#before[name] ?? 0),
    ]);
    return {
      ...{ address, failovers: failovers - this.#failoversBefore, lastError },
      counters: Object.fromEntries(since) as Record<string, number>,
    };
  }

  /** The first state of its first playlist. @throws AppError as `kind()` */
  async look(signal: AbortSignal): Promise<FollowedState> {
    const { renditions } = await this.upstream.ladder(signal);
    const [first] = renditions;
    if (first === undefined) throw new AppError('BAD_MEDIA', 'the playlist offers nothing that can be played');
    const followed = this.upstream.follow(first.id);
    try {
      return await followed.next(-1, signal);
    } finally {
      followed.release();
    }
  }

  close(): void {
    this.upstream.release();
  }
}

/** What may be told of a failure; the log is told all of what nobody expected. */
export function tellable(error: unknown, { source, logger }: { source: string; logger: Logger }): string {
  if (error instanceof AppError) return error.message;
  const { message: reason, stack } = toError(error);
  logger.error({ source, reason, stack }, 'source failed');
  return 'the server failed to run it; its log says why';
}

/** The totals among what something tells; failovers are told by themselves. */
export function countersOf(told: object): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(told).filter(
      (entry): entry is [string, number] => typeof entry[1] === 'number' && entry[0] !== 'failovers',
    ),
  );
}
