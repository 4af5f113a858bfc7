import { type FragmentSink } from '../../src/broadcast/fragment-broadcaster.ts';
import { BroadcasterRegistry } from '../../src/broadcast/registry.ts';
import { HlsOrigin } from '../../src/hls/hls-origin.ts';
import type { HlsOptions } from '../../src/hls/hls-options.ts';
import type { Fragment, TrackInit, TrackKind } from '../../src/media/fragment.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { byArrival, STREAM_START_MS } from './hls-fragments.ts';
import { ManualClock } from './manual-clock.ts';

/** A registry with an origin on it, and hands to play publisher and transcoders with. */
export class HlsStage {
  readonly registry = new BroadcasterRegistry();
  readonly clock = new ManualClock(STREAM_START_MS);
  readonly origin: HlsOrigin;
  readonly broadcast: string;
  readonly #sinks = new Map<string, FragmentSink>();

  constructor(options: Partial<HlsOptions> = {}, broadcast = 'live/demo') {
    this.broadcast = broadcast;
    this.origin = new HlsOrigin({ directory: this.registry, clock: this.clock, logger: silentLogger, options });
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

  /** A media playlist's text; `undefined` if it is not offered. */
  playlist(rendition: string, track: TrackKind = 'video'): string | undefined {
    return attempt(() => this.origin.mediaPlaylist(this.broadcast, rendition, track).plain.toString());
  }
}

function attempt<T>(get: () => T): T | undefined {
  try {
    return get();
  } catch {
    return undefined;
  }
}
