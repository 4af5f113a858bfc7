import type { FragmentSink } from '../broadcast/fragment-broadcaster.ts';
import type { BroadcasterRegistry } from '../broadcast/registry.ts';
import type { TrackInit, TrackKind } from '../media/fragment.ts';
import { SOURCE_RENDITION } from '../media/track-key.ts';

/** The source tracks of one broadcast. They outlive a publisher whose place a newer one takes, so that readers stay. */
export class SourceTracks {
  readonly #registry: BroadcasterRegistry;
  readonly #broadcast: string;
  readonly #sinks = new Map<TrackKind, FragmentSink>();

  constructor(registry: BroadcasterRegistry, broadcast: string) {
    this.#registry = registry;
    this.#broadcast = broadcast;
  }

  /** The writing handle of a track, opened with `init` if it is not open. */
  open(init: TrackInit): FragmentSink {
    const existing = this.#sinks.get(init.kind);
    if (existing !== undefined) return existing;
    const key = { broadcast: this.#broadcast, rendition: SOURCE_RENDITION, track: init.kind };
    const sink = this.#registry.open(key, init);
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
}
