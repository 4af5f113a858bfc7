import { setMaxListeners } from 'node:events';
import { Subscription } from 'rxjs';
import type { FragmentSource } from '../broadcast/fragment-broadcaster.ts';
import type { TrackDirectory } from '../broadcast/registry.ts';
import type { TrackKind } from '../media/fragment.ts';
import { SOURCE_RENDITION } from '../media/track-key.ts';
import type { Clock } from '../util/clock.ts';
import type { Closable } from '../util/closer.ts';
import { AppError } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';
import type { LiveStore } from '../cache/live-store.ts';
import type { Archives } from './archives.ts';
import { BroadcastPackager } from './broadcast-packager.ts';
import { type BroadcastHlsSettings, BroadcastStorage } from './broadcast-storage.ts';
import { type HlsOptions, hlsOptions } from './hls-options.ts';
import type { BroadcastReport } from './hls-report.ts';
import type { RenderedPlaylist } from './rendered-playlist.ts';
import type { MediaFile } from './media-file.ts';
import type { Answer, BlockingOrigin, MediaRequest, PlaylistRequest } from './playback.ts';
import { SequenceStore } from './sequence-store.ts';
import type { KeyframeRef } from './time-shift.ts';
import { Viewers } from './viewers.ts';
import { WaitingRoom } from './waiting-list.ts';
import type { DateSpan } from './vod-row.ts';

/** Ended lives of a broadcast whose media stays fetchable. */
const MAX_PREVIOUS_LIVES = 2;

interface Dependencies {
  readonly directory: TrackDirectory;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly options?: Partial<HlsOptions>;
  /** What differs between broadcasts; default: the live window only, and nothing stays. */
  readonly settings?: (broadcast: string) => BroadcastHlsSettings;
  /** Disk for what viewers can go back to; without one it is what fits into memory. */
  readonly store?: LiveStore;
  /** Where broadcasts stay; needs `store` too. */
  readonly archives?: Archives;
  /** Which numbers were used before; without one they are remembered for as long as the origin lives. */
  readonly sequences?: SequenceStore;
}

interface Lives {
  current: BroadcastPackager;
  previous: BroadcastPackager[];
}

/** Packages every broadcast of a registry as HLS and answers for what can be fetched. */
export class HlsOrigin implements Closable, BlockingOrigin {
  /** Who watches; whoever serves playlists tells it. */
  readonly viewers: Viewers;
  readonly options: HlsOptions;
  readonly #deps: Dependencies;
  readonly #broadcasts = new Map<string, Lives>();
  readonly #sequences: SequenceStore;
  readonly #retirements = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  readonly #subscription = new Subscription();
  readonly #tokenBase: string;
  readonly #room: WaitingRoom;
  #tokens = 0;
  #rendered = 0;

  constructor(deps: Dependencies) {
    this.#deps = deps;
    this.options = hlsOptions(deps.options);
    this.viewers = new Viewers(deps.clock);
    this.#room = new WaitingRoom(deps.logger);
    this.#sequences = deps.sequences ?? new SequenceStore({ clock: deps.clock, logger: deps.logger });
    this.#tokenBase = Math.floor(deps.clock.nowMs()).toString(36);
    // Each broadcast that has ended listens until it is forgotten.
    setMaxListeners(0, this.#stop.signal);
    const { opened$, withdrawn$ } = deps.directory;
    this.#subscription.add(opened$.subscribe((track) => this.#onOpened(track)));
    this.#subscription.add(
      withdrawn$.subscribe((broadcast) => this.#broadcasts.get(broadcast)?.current.endIfDrained()),
    );
  }

  /** Playback requests that wait for media at this moment. */
  get waitingRequests(): number {
    return this.#room.count;
  }

  /** Media playlists rendered so far. */
  get renderedPlaylists(): number {
    return this.#rendered;
  }

  /**
   * The multivariant playlist of a broadcast; for `live`, one whose media playlists list only the newest segments.
   * @throws AppError `NOT_FOUND` if there is no such broadcast or nothing of it can be played yet.
   */
  multivariant(broadcast: string, window: 'dvr' | 'live' = 'dvr'): RenderedPlaylist {
    const playlist = this.#broadcasts.get(broadcast)?.current.multivariant(window);
    return playlist ?? notFound(`broadcast ${quote(broadcast)} is not live, or has no complete segment yet`);
  }

  /** True if a broadcast has something to play, and has not ended. */
  isPlayable(broadcast: string): boolean {
    const life = this.#broadcasts.get(broadcast)?.current;
    return life?.ended === false && life.multivariant('dvr') !== undefined;
  }

  /**
   * The I-frame playlist that goes with a rendition's video.
   * @throws AppError `NOT_FOUND` if the rendition has no video to offer.
   */
  iframes(broadcast: string, rendition: string, window: 'dvr' | 'live' = 'dvr'): RenderedPlaylist {
    const life = this.#broadcasts.get(broadcast)?.current;
    const playlist = life?.timeShift.iframes(rendition, window, life.ended);
    return playlist ?? notFound(`broadcast ${quote(broadcast)} offers no I-frames of rendition ${quote(rendition)}`);
  }

  /**
   * The multivariant playlist of a clip: of the segments of all renditions that overlap a span of wall clock, as far as
   * viewers can go back.
   * @throws AppError `BAD_REQUEST` if the span is empty, upside down or too long; `NOT_FOUND` if nothing of it is there
   */
  clipMultivariant(broadcast: string, span: DateSpan): RenderedPlaylist {
    const clip = this.#broadcasts.get(broadcast)?.current.timeShift.clipMultivariant(span);
    return clip ?? notFound(`broadcast ${quote(broadcast)} is not live; a recording of it would have its own address`);
  }

  /** A media playlist of a clip, or its I-frame playlist; errors as with `clipMultivariant`. */
  clip(broadcast: string, rendition: string, track: TrackKind | 'iframes', span: DateSpan): RenderedPlaylist {
    const clip = this.#broadcasts.get(broadcast)?.current.timeShift.clip(rendition, track, span);
    return clip ?? notFound(`broadcast ${quote(broadcast)} offers no ${track} of rendition ${quote(rendition)}`);
  }

  /** Keyframes of the smallest picture of a broadcast, as far back as viewers can go, oldest first; none if it is not live. */
  keyframes(broadcast: string): readonly KeyframeRef[] {
    return this.#broadcasts.get(broadcast)?.current.timeShift.keyframes() ?? [];
  }

  /** A media playlist, when it has reached the position that the request names. */
  requestPlaylist(request: PlaylistRequest, answer: Answer<RenderedPlaylist>): void {
    const { broadcast, rendition, track } = request;
    const playlist = this.#broadcasts.get(broadcast)?.current.playlist(rendition, track);
    if (playlist !== undefined) playlist.request(request, answer);
    else answer(missing(`broadcast ${quote(broadcast)} offers no ${track} of rendition ${quote(rendition)}`));
  }

  /** An init, a segment or a part by the name that a playlist gave it; the part that comes next when it is there. */
  requestMedia(request: MediaRequest, answer: Answer<MediaFile>): void {
    const { broadcast, rendition, track, file } = request;
    const lives = this.#broadcasts.get(broadcast);
    for (const life of lives === undefined ? [] : [lives.current, ...lives.previous]) {
      const found = life.media(rendition, track, file);
      if (found !== undefined) {
        answer(found);
        return;
      }
    }
    const playlist = lives?.current.playlist(rendition, track);
    if (playlist?.hints(file) === true) playlist.preload(request, answer);
    else answer(missing(`${quote(file)} of broadcast ${quote(broadcast)} is not there; reload the playlist`));
  }

  /** Facts about every broadcast that is live or ended a moment ago; about one if it is named. */
  describe(broadcast?: string): BroadcastReport[] {
    return [...this.#broadcasts]
      .filter(([name]) => broadcast === undefined || name === broadcast)
      .map(([name, { current }]) => current.report(this.viewers.count(name)));
  }

  /** Ends all playlists, completes recordings and forgets everything else. */
  async close(): Promise<void> {
    this.#subscription.unsubscribe();
    for (const { current, previous } of [...this.#broadcasts.values()]) {
      for (const life of [current, ...previous]) life.close();
    }
    this.#stop.abort();
    this.#broadcasts.clear();
    await Promise.all(this.#retirements);
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
    const { directory, clock, logger, store, archives } = this.#deps;
    const settings = this.#deps.settings?.(broadcast) ?? { dvrMs: 0, archive: false };
    const storage = new BroadcastStorage({ broadcast, settings, options: this.options, store, archives });
    const life = new BroadcastPackager({
      ...{ broadcast, options: this.options, clock, logger, storage, dvrMs: settings.dvrMs },
      nextToken: () => `${this.#tokenBase}${(this.#tokens += 1).toString(36).padStart(4, '0')}`,
      room: this.#room,
      onRendered: () => (this.#rendered += 1),
      isProduced: () => directory.announces(broadcast),
      continues: this.#sequences.get(broadcast),
      onNumbers: (numbers) => this.#sequences.use(broadcast, numbers),
      onEnded: () => {
        const retirement = this.#retire(broadcast, life, storage).finally(() => this.#retirements.delete(retirement));
        this.#retirements.add(retirement);
      },
    });
    return life;
  }

  async #retire(broadcast: string, life: BroadcastPackager, storage: BroadcastStorage): Promise<void> {
    const { nextMsn, discontinuities } = life.timeline;
    if (nextMsn > 0) this.#sequences.end(broadcast, { nextMsn, discontinuities });
    this.#deps.logger.info({ broadcast, nextMsn }, 'playlists ended');
    void storage.finish().then((archive) => (life.archive = archive?.id));
    if (life.hasMedia) await this.#deps.clock.wait(this.options.retainEndedMs, this.#stop.signal);
    const lives = this.#broadcasts.get(broadcast);
    if (lives !== undefined) lives.previous = lives.previous.filter((previous) => previous !== life);
    if (lives?.current === life) this.#broadcasts.delete(broadcast);
    await storage.close();
  }
}

function notFound(message: string): never {
  throw missing(message);
}

function missing(message: string): AppError {
  return new AppError('NOT_FOUND', message);
}

function quote(name: string): string {
  return JSON.stringify(name.slice(0, 100));
}
