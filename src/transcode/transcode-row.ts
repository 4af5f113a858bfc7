import type { TrackKind } from '../media/fragment.ts';
import type { PanicCounts } from './guard.ts';
import type { JobStats } from './job-stats.ts';
import type { TranscoderFacts } from './transcoder.ts';

/** Where a job is in its life. */
export type JobState =
  | { readonly type: 'starting' | 'running' }
  | { readonly type: 'skipped'; readonly reason: string; readonly servedElsewhere: boolean }
  | { readonly type: 'backing-off' | 'failed' | 'ended'; readonly reason: string };

/** One (factory, rendition, broadcast, track) as `GET /api/v1/transcodes` shows it. */
export interface TranscodeRow {
  readonly factory: string;
  readonly rendition: string;
  readonly broadcast: string;
  readonly track: TrackKind;
  /** `skipped`: the factory opted out; `failed`: another producer has the output track; `ended`: only counters are left. */
  readonly state: JobState['type'];
  /** Why it is skipped, backing off, failed or ended. */
  readonly reason?: string;
  readonly pid?: number;
  readonly encoder?: string;
  /** Fragments handed to the transcoder, over all runs. */
  readonly fragmentsSeen: number;
  /** Fragments published under the rendition's name. */
  readonly fragmentsOut: number;
  /** Source fragments left out because the transcoder fell behind. */
  readonly dropped: number;
  readonly panics: Readonly<PanicCounts>;
  /** Runs that were started because the one before had failed. */
  readonly restarts: number;
  /** Media time put out per wall time; 1 is real time. */
  readonly speed?: number;
  /** Media time by which the newest output trails the newest input. */
  readonly lagMs?: number;
  readonly bitrateKbps?: number;
}

/** Puts a row together; `waitingDrops` are those of the feed that the job reads now. */
export function toRow(stats: JobStats, state: JobState, facts: TranscoderFacts = {}, waitingDrops = 0): TranscodeRow {
  const live = state.type === 'starting' || state.type === 'running';
  return {
    ...stats.key,
    state: state.type,
    ...('reason' in state && { reason: state.reason }),
    ...facts,
    fragmentsSeen: stats.fragmentsSeen,
    fragmentsOut: stats.fragmentsOut,
    dropped: stats.dropped + waitingDrops,
    panics: { ...stats.panics },
    restarts: stats.restarts,
    ...(live && stats.speed !== undefined && { speed: round(stats.speed, 2) }),
    ...(live && stats.lagMs !== undefined && { lagMs: round(stats.lagMs, 0) }),
    ...(live && stats.bitrateKbps !== undefined && { bitrateKbps: round(stats.bitrateKbps, 0) }),
  };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
