import type { BroadcastStore } from '../cache/broadcast-store.ts';
import type { LiveStore } from '../cache/live-store.ts';
import type { TrackKind } from '../media/fragment.ts';
import type { Closable } from '../util/closer.ts';
import type { ArchiveInfo, Archives } from './archives.ts';
import { type HlsOptions, targetDurationSeconds } from './hls-options.ts';
import type { Recording } from './recording.ts';
import { TrackStorage } from './track-storage.ts';

/** What differs between broadcasts on the HLS side. */
export interface BroadcastHlsSettings {
  /** How far back viewers may go, ms. */
  readonly dvrMs: number;
  /** Whether the broadcast stays as a recording when it ends. */
  readonly archive: boolean;
}

interface BroadcastStorageOptions {
  readonly broadcast: string;
  readonly settings: BroadcastHlsSettings;
  readonly options: HlsOptions;
  readonly store: LiveStore | undefined;
  readonly archives: Archives | undefined;
}

/** The disk side of one life of a broadcast: its time-shift and its recording. */
export class BroadcastStorage implements Closable {
  readonly #store: BroadcastStore | undefined;
  readonly #archives: Archives | undefined;
  readonly #recording: Recording | undefined;

  constructor({ broadcast, settings: { dvrMs, archive }, options, store, archives }: BroadcastStorageOptions) {
    const liveMs = options.windowSegments * options.segmentTargetMs;
    const isRecorded = archive && store !== undefined && archives !== undefined;
    if (dvrMs > liveMs || isRecorded) this.#store = store?.begin(broadcast);
    this.#archives = archives;
    if (isRecorded) {
      this.#recording = archives.record(broadcast, {
        targetDurationSeconds: targetDurationSeconds(options.segmentTargetMs),
        sharedAudioRendition: options.sharedAudioRendition,
      });
    }
  }

  /** A place for a track; `undefined` if everything stays in memory. */
  track(rendition: string, track: TrackKind): TrackStorage | undefined {
    const store = this.#store?.track(`${rendition} ${track}`);
    return store && new TrackStorage({ rendition, track, store, recording: this.#recording });
  }

  /** Ends the recording, when everything is in it; `undefined` if there is none, or nothing in it. */
  async finish(): Promise<ArchiveInfo | undefined> {
    return this.#recording && (await this.#archives?.finish(this.#recording));
  }

  /** Gives the disk back; the recording stays. */
  async close(): Promise<void> {
    await this.finish();
    await this.#store?.close();
  }
}
