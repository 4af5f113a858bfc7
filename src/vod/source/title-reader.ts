import { createHash } from 'node:crypto';
import type { Closable } from '../../util/closer.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import type { Logger } from '../../util/logger.ts';
import type { MediaSource } from './media-source.ts';
import { scanSource, type TitleFacts } from './scan-source.ts';
import { SharedTasks } from './shared-tasks.ts';
import { findSidecars } from './sidecars.ts';
import type { Title } from './title.ts';
import { TitleStore } from './title-store.ts';

const TICKS_PER_MS = 90;
/** Titles in memory, up to 0.5 MB each. */
const MAX_LOADED = 100;
/** Sources that are looked at at once. */
const MAX_SCANS = 4;

/** What a title reader needs. */
export interface TitleReaderOptions {
  /** Where what is known of sources is kept; made if it is missing, and owned. */
  readonly folder: string;
  /** See `findFfprobe()`. */
  readonly ffprobePath: string;
  readonly segmentTargetMs: number;
  readonly logger: Logger;
}

/** Tells what is in a source, and where its segments begin. Each source is looked at once, also across restarts. */
export class TitleReader implements Closable {
  readonly #options: TitleReaderOptions;
  readonly #store: TitleStore;
  /** The one that was used last is the last. */
  readonly #loaded = new Map<string, TitleFacts>();
  readonly #scans = new SharedTasks<TitleFacts>(MAX_SCANS);

  constructor(options: TitleReaderOptions) {
    this.#options = options;
    this.#store = new TitleStore(options.folder, this.#targetTicks, options.logger);
  }

  /**
   * The title of a source, with the subtitle files that are beside it now. All who ask meanwhile share one look at it,
   * which ends once none of them waits any more.
   * @throws AppError `BAD_MEDIA` if it cannot be played, `GONE` if it is no longer what it was, `FORBIDDEN` if it may no
   *   longer be read, `UNAVAILABLE` if it cannot be reached, the signal aborts or too many other sources are waiting
   */
  async read(source: MediaSource, signal?: AbortSignal): Promise<Title> {
    const key = keyOf(source);
    const facts = this.#loaded.get(key) ?? (await this.#scans.run(key, (all) => this.#find(key, source, all), signal));
    this.#remember(key, facts);
    const sidecars = await findSidecars(source);
    return Object.freeze({ ...facts, source, subtitles: Object.freeze([...facts.subtitles, ...sidecars]) });
  }

  /**
   * Notes that a file ends earlier than it tells: from now on its title has only its first `segments` segments. Sources on
   * web servers are left as they are, since only the connection may have ended.
   */
  async shorten(source: MediaSource, segments: number): Promise<void> {
    const key = keyOf(source);
    const facts = this.#loaded.get(key) ?? (await this.#store.load(key));
    if (source.kind !== 'file' || facts === undefined || segments >= facts.plan.boundaries.length - 1) return;
    if (segments < 1) {
      this.#loaded.delete(key);
      await this.#store.delete(key);
      return;
    }
    const shorter = deepFreeze(shortened(facts, segments));
    this.#remember(key, shorter);
    await this.#store.save(key, shorter);
  }

  /** Ends all that is under way. */
  close(): Promise<void> {
    return this.#scans.close();
  }

  get #targetTicks(): number {
    return this.#options.segmentTargetMs * TICKS_PER_MS;
  }

  async #find(key: string, source: MediaSource, signal: AbortSignal): Promise<TitleFacts> {
    const stored = await this.#store.load(key);
    if (stored !== undefined) return stored;
    const { ffprobePath, logger } = this.#options;
    const startedMs = performance.now();
    const facts = deepFreeze(await scanSource(source, { ffprobePath, targetTicks: this.#targetTicks, logger }, signal));
    const { video, plan } = facts;
    logger.info(
      {
        source: source.label,
        tookMs: Math.round(performance.now() - startedMs),
        segments: plan.boundaries.length - 1,
        keyframes: plan.keyframes?.length,
        copyObjection: video?.copyObjection,
      },
      'source looked at',
    );
    await this.#store.save(key, facts);
    return facts;
  }

  #remember(key: string, facts: TitleFacts): void {
    this.#loaded.delete(key);
    this.#loaded.set(key, facts);
    for (const oldest of this.#loaded.keys()) {
      if (this.#loaded.size <= MAX_LOADED) return;
      this.#loaded.delete(oldest);
    }
  }
}

function keyOf({ identity }: MediaSource): string {
  return createHash('sha256').update(identity).digest('hex').slice(0, 32);
}

function shortened(facts: TitleFacts, segments: number): TitleFacts {
  const boundaries = facts.plan.boundaries.slice(0, segments + 1);
  const endTicks = boundaries.at(-1) ?? 0;
  const keyframes = facts.plan.keyframes?.filter((ticks) => ticks < endTicks);
  return { ...facts, durationTicks: endTicks - (boundaries[0] ?? 0), plan: { ...facts.plan, boundaries, keyframes } };
}
