import type { FragmentSink, FragmentSource } from '../broadcast/fragment-broadcaster.ts';
import type { BroadcasterRegistry } from '../broadcast/registry.ts';
import type { TrackInit, TrackKind } from '../media/fragment.ts';
import { SOURCE_RENDITION, type TrackKey } from '../media/track-key.ts';

/** The source tracks of one broadcast. They outlive each of its publishers, so that readers stay. */
export class SourceTracks {
  readonly #registry: BroadcasterRegistry;
  readonly #broadcast: string;
  readonly #sinks = new Map<TrackKind, FragmentSink>();

  constructor(registry: BroadcasterRegistry, broadcast: string) {
    this.#registry = registry;
    this.#broadcast = broadcast;
  }

  /** True if no track is open: there is nothing that anybody could wait for. */
  get empty(): boolean {
    return this.#sinks.size === 0;
  }

  /** The writing handle of a track, if it is open. */
  get(kind: TrackKind): FragmentSink | undefined {
    return this.#sinks.get(kind);
  }

  /** The reading side of a track, if it is open. */
  source(kind: TrackKind): FragmentSource | undefined {
    return this.#sinks.has(kind) ? this.#registry.get(this.#key(kind)) : undefined;
  }

  /** The writing handle of a track, opened with `init` if it is not open. */
  open(init: TrackInit): FragmentSink {
    const existing = this.#sinks.get(init.kind);
    if (existing !== undefined) return existing;
    const sink = this.#registry.open(this.#key(init.kind), init);
    this.#sinks.set(init.kind, sink);
    return sink;
  }

  /** Closes the tracks of all other kinds than these. */
  keepOnly(kinds: ReadonlySet<TrackKind>): void {
    for (const [kind, sink] of [...this.#sinks]) {
      if (kinds.has(kind)) continue;
      this.#sinks.delete(kind);
      sink.close();
    }
  }

  close(): void {
    this.keepOnly(new Set());
  }

  #key(track: TrackKind): TrackKey {
    return { broadcast: this.#broadcast, rendition: SOURCE_RENDITION, track };
  }
}
