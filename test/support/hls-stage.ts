import { type FragmentSink } from '../../src/broadcast/fragment-broadcaster.ts';
import { BroadcasterRegistry } from '../../src/broadcast/registry.ts';
import { HlsOrigin } from '../../src/hls/hls-origin.ts';
import type { HlsOptions } from '../../src/hls/hls-options.ts';
import type { Fragment, TrackInit, TrackKind } from '../../src/media/fragment.ts';
import type { MediaFile } from '../../src/hls/media-file.ts';
import type { PlaylistPosition, PlaylistView } from '../../src/hls/playback.ts';
import { RenderedPlaylist } from '../../src/hls/rendered-playlist.ts';
import type { AppError } from '../../src/util/errors.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { byArrival, STREAM_START_MS } from './hls-fragments.ts';
import { ManualClock } from './manual-clock.ts';

type HlsDisk = Pick<ConstructorParameters<typeof HlsOrigin>[0], 'settings' | 'store' | 'archives' | 'sequences'>;

/** A registry with an origin on it, and hands to play publisher and transcoders with. */
export class HlsStage {
  readonly registry = new BroadcasterRegistry();
  /** Wall clock at which the synthetic streams begin. */
  readonly startMs = STREAM_START_MS;
  readonly clock = new ManualClock(STREAM_START_MS);
  readonly origin: HlsOrigin;
  readonly broadcast: string;
  readonly #sinks = new Map<string, FragmentSink>();

  /** @param disk what the origin gets besides, to keep things on disk with */
  constructor(options: Partial<HlsOptions> = {}, broadcast = 'live/demo', disk: HlsDisk = {}) {
    this.broadcast = broadcast;
    this.origin = new HlsOrigin({
      directory: this.registry,
      clock: this.clock,
      logger: silentLogger,
      options,
      ...disk,
    });
  }

  /** Opens a track. */
  open(rendition: string, init: TrackInit): void {
    const key = { broadcast: this.broadcast, rendition, track: init.kind };
    this.#sinks.set(`${rendition} ${init.kind}`, this.registry.open(key, init));
  }

  close(rendition: string, track: TrackKind): void {
    this.#sinks.get(`${rendition} ${track}`)?.close();
  }

  /** Emits rows of fragments, each to its rendition, in the order of arrival; the clock goes along. */
  play(rows: Readonly<Record<string, readonly Fragment[]>>): void {
    const renditions = new Map<Fragment, string[]>();
    for (const [rendition, fragments] of Object.entries(rows)) {
      for (const fragment of fragments) renditions.set(fragment, [...(renditions.get(fragment) ?? []), rendition]);
    }
    for (const fragment of byArrival([...renditions.keys()])) {
      this.clock.advance(Math.max(0, fragment.ingestedAtMs - this.clock.nowMs()));
      for (const rendition of renditions.get(fragment) ?? []) {
        this.#sinks.get(`${rendition.split('#')[0]} ${fragment.init.kind}`)?.emit(fragment);
      }
    }
  }

  /** The multivariant playlist's variant URIs; `undefined` while there is none. */
  variants(): string[] | undefined {
    return this.multivariant()
      ?.split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
  }

  multivariant(): string | undefined {
    return attempt(() => this.origin.multivariant(this.broadcast).plain.toString());
  }

  /** A media playlist's text as it is now; `undefined` if it is not offered. */
  playlist(rendition: string, track: TrackKind = 'video', view: Partial<PlaylistView> = {}): string | undefined {
    const { answer } = this.request(rendition, { track, view });
    return answer instanceof RenderedPlaylist ? answer.plain.toString() : undefined;
  }

  /** Asks for a media playlist; the answer and the time it took are there once it is given. */
  request(
    rendition: string,
    { track = 'video', view, position, signal }: StageRequest = {},
  ): StageAnswer<RenderedPlaylist> {
    const asked: StageAnswer<RenderedPlaylist> = { answer: undefined };
    const request = {
      ...{ broadcast: this.broadcast, rendition, track, position },
      view: { window: 'dvr', skip: false, ...view } as const,
      signal: signal ?? new AbortController().signal,
    };
    this.origin.requestPlaylist(request, (answer) => (asked.answer = answer));
    return asked;
  }

  /** Asks for a media file. */
  requestMedia(
    rendition: string,
    track: TrackKind,
    file: string,
    signal: AbortSignal = new AbortController().signal,
  ): StageAnswer<MediaFile> {
    const asked: StageAnswer<MediaFile> = { answer: undefined };
    const request = { broadcast: this.broadcast, rendition, track, file, signal };
    this.origin.requestMedia(request, (answer) => (asked.answer = answer));
    return asked;
  }

  /** The bytes of a media file that is in memory; `undefined` if it is not there. */
  media(rendition: string, track: TrackKind, file: string): Buffer | undefined {
    const { answer } = this.requestMedia(rendition, track, file);
    return answer !== undefined && 'bytes' in answer ? answer.bytes : undefined;
  }

  /** Lets answers that are due be given. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
}

interface StageRequest {
  readonly track?: TrackKind;
  readonly view?: Partial<PlaylistView>;
  readonly position?: PlaylistPosition;
  readonly signal?: AbortSignal;
}

/** What was answered so far. */
export interface StageAnswer<T> {
  answer: T | AppError | undefined;
}

function attempt<T>(get: () => T): T | undefined {
  try {
    return get();
  } catch {
    return undefined;
  }
}
