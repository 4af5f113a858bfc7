import type { TrackKind } from '../media/fragment.ts';
import type { RenditionReport, RenditionState } from './hls-report.ts';
import type { TrackPackager } from './track-packager.ts';

/** One rendition as it is served: its packaged tracks, and whether players may have it. */
export class RenditionPackager {
  readonly name: string;
  readonly #tracks = new Map<TrackKind, TrackPackager>();
  /** Why the rendition is not offered; `undefined` if it may be. */
  withheld: string | undefined;
  /** True if the playlists may be fetched although the rendition is not listed: it is about to be. */
  reachable = true;
  /** True if its video is the publisher's own. */
  untouched = false;

  constructor(name: string) {
    this.name = name;
  }

  /** Its tracks, video first. */
  get packagers(): readonly TrackPackager[] {
    return [this.#tracks.get('video'), this.#tracks.get('audio')].filter((packager) => packager !== undefined);
  }

  get state(): RenditionState {
    if (this.withheld !== undefined) return 'withheld';
    return (this.#tracks.get('video') ?? this.#tracks.get('audio'))?.playable === true ? 'playable' : 'starting';
  }

  get hasVideo(): boolean {
    return this.#tracks.has('video');
  }

  track(kind: TrackKind): TrackPackager | undefined {
    return this.#tracks.get(kind);
  }

  /** Takes a track in. */
  add(packager: TrackPackager): void {
    this.#tracks.set(packager.kind, packager);
  }

  /** Takes a track out; true if none is left. */
  remove(kind: TrackKind): boolean {
    this.#tracks.delete(kind);
    return this.#tracks.size === 0;
  }

  report(): RenditionReport {
    const own = this.#tracks.get('video') ?? this.#tracks.get('audio');
    const sum = (figure: (packager: TrackPackager) => number): number =>
      this.packagers.reduce((total, packager) => total + figure(packager), 0);
    return {
      name: this.name,
      state: this.state,
      ...(this.withheld !== undefined && { reason: this.withheld }),
      codecs: this.packagers.map(({ init }) => init?.codec).filter((codec) => codec !== undefined),
      ...(own?.init?.width !== undefined && { width: own.init.width }),
      ...(own?.init?.height !== undefined && { height: own.init.height }),
      ...(own?.frameRate !== undefined && { frameRate: own.frameRate }),
      peakKbps: Math.round(sum(({ bitrate }) => bitrate.peak) / 1000),
      averageKbps: Math.round(sum(({ bitrate }) => bitrate.average) / 1000),
      segments: own?.listed.length ?? 0,
      gaps: sum(({ counters }) => counters.gaps),
      droppedFragments: sum(({ counters }) => counters.droppedFragments),
      bytes: sum(({ counters }) => counters.bytes),
    };
  }
}
