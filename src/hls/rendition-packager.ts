import type { TrackKind } from '../media/fragment.ts';
import type { RenditionReport, RenditionState, TrackReport } from './hls-report.ts';
import type { AudioGroup, Variant } from './multivariant-playlist.ts';
import type { TrackPackager } from './track-packager.ts';

/** One rendition as it is served: its packaged tracks, and whether players may have it. */
export class RenditionPackager {
  readonly name: string;
  readonly #tracks = new Map<TrackKind, TrackPackager>();
  /** Why the rendition is not offered; `undefined` if it may be. */
  withheld: string | undefined;
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

  /** Its audio as a group of its own, if there is audio to play. */
  audioGroup(): AudioGroup | undefined {
    const audio = this.#tracks.get('audio');
    if (audio?.playable !== true) return undefined;
    return { groupId: this.name, uri: `${this.name}/audio.m3u8`, channels: audio.init?.channels };
  }

  /** Its entry in the multivariant playlist; `audio` is the rendition whose audio goes with its video. */
  variant(audio: RenditionPackager | undefined): Variant {
    const own = this.#tracks.get('video') ?? this.#tracks.get('audio');
    const group = this.hasVideo ? audio?.audioGroup() : undefined;
    const sound = group === undefined ? undefined : audio?.track('audio');
    const codecs = [own?.init?.codec, sound?.init?.codec].filter((codec) => codec !== undefined);
    return {
      uri: `${this.name}/${this.hasVideo ? 'video' : 'audio'}.m3u8`,
      bandwidth: (own?.bitrate.peak ?? 0) + (sound?.bitrate.peak ?? 0),
      averageBandwidth: (own?.bitrate.average ?? 0) + (sound?.bitrate.average ?? 0),
      codecs,
      width: own?.init?.width,
      height: own?.init?.height,
      frameRate: own?.frameRate,
      audioGroup: group?.groupId,
    };
  }

  report(): RenditionReport {
    return { name: this.name, state: this.state, reason: this.withheld, tracks: this.packagers.map(reportTrack) };
  }
}

function reportTrack(packager: TrackPackager): TrackReport {
  const { gaps, droppedFragments, bytes } = packager.counters;
  return {
    kind: packager.kind,
    codec: packager.init?.codec,
    width: packager.init?.width,
    height: packager.init?.height,
    frameRate: packager.frameRate,
    peakKbps: Math.round(packager.bitrate.peak / 1000),
    averageKbps: Math.round(packager.bitrate.average / 1000),
    segments: packager.listed.length,
    ...{ gaps, droppedFragments, bytes },
  };
}
