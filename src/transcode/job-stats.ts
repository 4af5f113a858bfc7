import { durationMs, type Fragment } from '../media/fragment.ts';
import type { PanicCounts } from './guard.ts';
import { formatJobKey, type JobKey } from './job-key.ts';
import { RateMeter } from './rate-meter.ts';

/** Counters of one key. They outlive its jobs, so that restarts and republishing do not set metrics back. */
export class JobStats {
  readonly key: JobKey;
  readonly panics: PanicCounts = { start: 0, fragment: 0, stop: 0 };
  fragmentsSeen = 0;
  fragmentsOut = 0;
  dropped = 0;
  restarts = 0;
  /** Why the key's last job ended. */
  endReason: string | undefined;
  readonly #meter = new RateMeter();
  #inputEndMs = 0;
  #lagMs: number | undefined;

  constructor(key: JobKey) {
    this.key = key;
  }

  /** True once a transcoder was made for the key. */
  get used(): boolean {
    return this.fragmentsSeen > 0 || this.panics.start > 0;
  }

  /** Media time by which the newest output trails the newest input, in ms. */
  get lagMs(): number | undefined {
    return this.#lagMs;
  }

  /** Media time put out per wall time. */
  get speed(): number | undefined {
    return this.#meter.speed;
  }

  get bitrateKbps(): number | undefined {
    return this.#meter.bitrateKbps;
  }

  /** Starts measuring anew: another run begins. */
  beginRun(): void {
    this.#meter.reset();
    this.#lagMs = undefined;
    this.#inputEndMs = 0;
  }

  /** Tells of a fragment that arrived from the source. */
  input(fragment: Fragment): void {
    this.#inputEndMs = (fragment.endPts * 1000) / fragment.init.timescale;
  }

  /** Counts a fragment that the job handed out. */
  output(fragment: Fragment, nowMs: number): void {
    this.fragmentsOut += 1;
    this.#meter.add(nowMs, durationMs(fragment), fragment.bytes.length);
    this.#lagMs = Math.max(0, this.#inputEndMs - (fragment.endPts * 1000) / fragment.init.timescale);
  }
}

/** All keys' counters; once there are more than the limit the oldest unused ones are forgotten. */
export class StatsBook {
  readonly #maxKeys: number;
  readonly #stats = new Map<string, JobStats>();

  constructor(maxKeys: number) {
    this.#maxKeys = maxKeys;
  }

  /** The key's counters, made if need be; the key becomes the newest. */
  use(key: JobKey): JobStats {
    const id = formatJobKey(key);
    const stats = this.#stats.get(id) ?? new JobStats(key);
    this.#stats.delete(id);
    this.#stats.set(id, stats);
    return stats;
  }

  /** Forgets the oldest keys over the limit, except those that `inUse` names. */
  trim(inUse: { has(id: string): boolean }): void {
    for (const id of this.#stats.keys()) {
      if (this.#stats.size <= this.#maxKeys) return;
      if (!inUse.has(id)) this.#stats.delete(id);
    }
  }

  list(): JobStats[] {
    return [...this.#stats.values()];
  }
}
