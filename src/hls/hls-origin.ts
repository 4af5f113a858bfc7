import type { FragmentSource } from '../broadcast/fragment-broadcaster.ts';
import type { TrackDirectory } from '../broadcast/registry.ts';
import type { TrackKind } from '../media/fragment.ts';
import { SOURCE_RENDITION } from '../media/track-key.ts';
import type { Clock } from '../util/clock.ts';
import type { Closable } from '../util/closer.ts';
import { AppError } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';
import { BroadcastPackager } from './broadcast-packager.ts';
import { type HlsOptions, hlsOptions } from './hls-options.ts';
import type { BroadcastReport } from './hls-report.ts';
import type { RenderedPlaylist } from './rendered-playlist.ts';
import type { MediaFile, MemoryFile } from './media-file.ts';
import type { Answer, BlockingOrigin, MediaRequest, PlaylistRequest } from './playback.ts';
import { Viewers } from './viewers.ts';

/** Ended lives of a broadcast whose media stays fetchable. */
const MAX_PREVIOUS_LIVES = 2;

/** Broadcasts whose numbers are remembered, so that they go on when it comes back. */
const MAX_REMEMBERED = 10_000;

interface Dependencies {
  readonly directory: TrackDirectory;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly options?: Partial<HlsOptions>;
}

interface Lives {
  current: BroadcastPackager;
  previous: BroadcastPackager[];
}

interface Continuation {
  readonly nextMsn: number;
  readonly discontinuities: number;
}

/** Packages every broadcast of a registry as HLS, in memory, and answers for what can be fetched. */
export class HlsOrigin implements Closable, BlockingOrigin {
  /** Who watches; whoever serves playlists tells it. */
  readonly viewers: Viewers;
  readonly options: HlsOptions;
  readonly #deps: Dependencies;
  readonly #broadcasts = new Map<string, Lives>();
  readonly #remembered = new Map<string, Continuation>();
  readonly #stop = new AbortController();
  readonly #subscription: { unsubscribe(): void };
  readonly #tokenBase: string;
  #tokens = 0;

  constructor(deps: Dependencies) {
    this.#deps = deps;
    this.options = hlsOptions(deps.options);
    this.viewers = new Viewers(deps.clock);
    this.#tokenBase = Math.floor(deps.clock.nowMs()).toString(36);
    this.#subscription = deps.directory.opened$.subscribe((track) => this.#onOpened(track));
  }

  /**
   * The multivariant playlist of a broadcast.
   * @throws AppError `NOT_FOUND` if there is no such broadcast or nothing of it can be played yet.
   */
  multivariant(broadcast: string): RenderedPlaylist {
    const playlist = this.#broadcasts.get(broadcast)?.current.multivariant();
    return playlist ?? notFound(`broadcast ${quote(broadcast)} is not live, or has no complete segment yet`);
  }

  /**
   * A media playlist.
   * @throws AppError `NOT_FOUND` if the rendition does not exist, was removed, is withheld or has no complete segment yet.
   */
  mediaPlaylist(broadcast: string, rendition: string, track: TrackKind): RenderedPlaylist {
    const playlist = this.#broadcasts.get(broadcast)?.current.mediaPlaylist(rendition, track);
    return playlist ?? notFound(`broadcast ${quote(broadcast)} offers no ${track} of rendition ${quote(rendition)}`);
  }

  /**
   * An init or a segment by the name that a playlist gave it.
   * @throws AppError `NOT_FOUND` if it never existed, is a gap or has expired.
   */
  media(broadcast: string, rendition: string, track: TrackKind, file: string): MemoryFile {
    const lives = this.#broadcasts.get(broadcast);
    for (const life of lives === undefined ? [] : [lives.current, ...lives.previous]) {
      const found = life.media(rendition, track, file);
      if (found !== undefined) return found;
    }
    return notFound(
      `${quote(file)} of broadcast ${quote(broadcast)} does not exist or has expired; reload the playlist`,
    );
  }

  /** A media playlist, when it has reached the position that the request names. */
  requestPlaylist({ broadcast, rendition, track }: PlaylistRequest, answer: Answer<RenderedPlaylist>): void {
    answer(attempt(() => this.mediaPlaylist(broadcast, rendition, track)));
  }

  /** An init, a segment or a part. */
  requestMedia({ broadcast, rendition, track, file }: MediaRequest, answer: Answer<MediaFile>): void {
    answer(attempt(() => this.media(broadcast, rendition, track, file)));
  }

  /** Facts about every broadcast that is live or ended a moment ago; about one if it is named. */
  describe(broadcast?: string): BroadcastReport[] {
    return [...this.#broadcasts]
      .filter(([name]) => broadcast === undefined || name === broadcast)
      .map(([name, { current }]) => current.report(this.viewers.count(name)));
  }

  /** Ends all playlists and forgets everything. */
  close(): Promise<void> {
    this.#subscription.unsubscribe();
    for (const { current } of [...this.#broadcasts.values()]) current.end();
    this.#stop.abort();
    this.#broadcasts.clear();
    return Promise.resolve();
  }

  #onOpened(track: FragmentSource): void {
    this.#lifeFor(track).addTrack(track);
  }

  /** A publisher that comes back begins a new life, even if outputs of the old one are still draining. */
  #lifeFor({ key: { broadcast, rendition } }: FragmentSource): BroadcastPackager {
    const lives = this.#broadcasts.get(broadcast);
    const isSource = rendition === SOURCE_RENDITION;
    if (isSource && lives?.current.draining === true) lives.current.end();
    // Ending may have forgotten the broadcast.
    const known = this.#broadcasts.get(broadcast);
    if (known !== undefined && !(isSource && known.current.ended)) return known.current;
    const life = this.#begin(broadcast);
    const previous = known === undefined ? [] : [known.current, ...known.previous].slice(0, MAX_PREVIOUS_LIVES);
    this.#broadcasts.set(broadcast, { current: life, previous });
    return life;
  }

  #begin(broadcast: string): BroadcastPackager {
    const { clock, logger } = this.#deps;
    const life = new BroadcastPackager({
      broadcast,
      options: this.options,
      clock,
      logger,
      nextToken: () => `${this.#tokenBase}${(this.#tokens += 1).toString(36).padStart(4, '0')}`,
      continues: this.#remembered.get(broadcast),
      onEnded: () => void this.#retire(broadcast, life),
    });
    return life;
  }

  async #retire(broadcast: string, life: BroadcastPackager): Promise<void> {
    const { nextMsn, discontinuities } = life.timeline;
    this.#remember(broadcast, { nextMsn, discontinuities });
    this.#deps.logger.info({ broadcast, nextMsn }, 'playlists ended');
    if (life.hasMedia) await this.#deps.clock.wait(this.options.retainEndedMs, this.#stop.signal);
    const lives = this.#broadcasts.get(broadcast);
    if (lives === undefined) return;
    lives.previous = lives.previous.filter((previous) => previous !== life);
    if (lives.current === life) this.#broadcasts.delete(broadcast);
  }

  #remember(broadcast: string, continuation: Continuation): void {
    if (continuation.nextMsn === 0) return;
    this.#remembered.delete(broadcast);
    this.#remembered.set(broadcast, continuation);
    const [oldest] = this.#remembered.keys();
    if (this.#remembered.size > MAX_REMEMBERED && oldest !== undefined) this.#remembered.delete(oldest);
  }
}

function attempt<T>(get: () => T): T | AppError {
  try {
    return get();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
}

function notFound(message: string): never {
  throw new AppError('NOT_FOUND', message);
}

function quote(name: string): string {
  return JSON.stringify(name.slice(0, 100));
}
