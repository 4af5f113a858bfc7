import type { TrackKind } from '../media/fragment.ts';
import type { RenditionReport, RenditionState } from './hls-report.ts';
import type { PackagedTrack } from './packaged-track.ts';
import type { TrackPackager } from './track-packager.ts';

/** One rendition as it is served: its packaged tracks, and whether players may have it. */
export class RenditionPackager {
  readonly name: string;
  readonly #packagers = new Map<TrackKind, TrackPackager>();
  /** Why the rendition is not offered; `undefined` if it may be. */
  withheld: string | undefined;
  /** True if the playlists may be fetched although the rendition is not listed: it is about to be. */
  reachable = true;
  /** True if its video is the publisher's own. */
  untouched = false;

  constructor(name: string) {
    this.name = name;
  }

  /** What packages its tracks, video first. */
  get packagers(): readonly TrackPackager[] {
    return [this.packager('video'), this.packager('audio')].filter((packager) => packager !== undefined);
  }

  /** Its tracks, video first. */
  get tracks(): readonly PackagedTrack[] {
    return this.packagers.map(({ track }) => track);
  }

  get state(): RenditionState {
    if (this.withheld !== undefined) return 'withheld';
    return this.tracks[0]?.playable === true ? 'playable' : 'starting';
  }

  get hasVideo(): boolean {
    return this.#packagers.has('video');
  }

  packager(kind: TrackKind): TrackPackager | undefined {
    return this.#packagers.get(kind);
  }

  track(kind: TrackKind): PackagedTrack | undefined {
    return this.packager(kind)?.track;
  }

  /** Takes a track in. */
  add(packager: TrackPackager): void {
    this.#packagers.set(packager.kind, packager);
  }

  /** Takes a track out; true if none is left. */
  remove(kind: TrackKind): boolean {
    this.#packagers.delete(kind);
    return this.#packagers.size === 0;
  }

  report(): RenditionReport {
    const { tracks, packagers } = this;
    const [own] = tracks;
    const sum = (figures: readonly number[]): number => figures.reduce((total, figure) => total + figure, 0);
    return {
      name: this.name,
      state: this.state,
      ...(this.withheld !== undefined && { reason: this.withheld }),
      codecs: tracks.map(({ init }) => init?.codec).filter((codec) => codec !== undefined),
      ...(own?.init?.width !== undefined && { width: own.init.width }),
      ...(own?.init?.height !== undefined && { height: own.init.height }),
      ...(own?.frameRate !== undefined && { frameRate: own.frameRate }),
      peakKbps: Math.round(sum(tracks.map(({ bitrate }) => bitrate.peak)) / 1000),
      averageKbps: Math.round(sum(tracks.map(({ bitrate }) => bitrate.average)) / 1000),
      segments: own?.listed.length ?? 0,
      gaps: sum(tracks.map(({ counters }) => counters.gaps)),
      droppedFragments: sum(packagers.map(({ counters }) => counters.droppedFragments)),
      bytes: sum(tracks.map(({ counters }) => counters.bytes)),
    };
  }
}
