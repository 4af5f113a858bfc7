import {
  type IFrameVariant,
  type MediaRendition,
  type MultivariantSnapshot,
  orderVariants,
  type Variant,
} from './multivariant-playlist.ts';
import type { TrackKind } from '../media/fragment.ts';

/** Highest and average bit/s. */
interface Bitrate {
  readonly peak: number;
  readonly average: number;
}

/** What the multivariant playlist tells of a track. */
export interface LadderTrack {
  readonly init:
    | {
        readonly codec: string;
        readonly width?: number | undefined;
        readonly height?: number | undefined;
        readonly channels?: number | undefined;
      }
    | undefined;
  readonly bitrate: Bitrate;
  readonly frameRate: number | undefined;
  /** True if a player finds media in it. */
  readonly playable: boolean;
  /** The same of its keyframes alone; given where an I-frame playlist is. */
  readonly keyframeBitrate?: Bitrate | undefined;
}

/** A rendition, live or recorded. */
export interface LadderRendition {
  readonly name: string;
  track(kind: TrackKind): LadderTrack | undefined;
}

/**
 * What the multivariant playlist of these renditions, all of them playable, says. Audio of the rendition `sharedAudio` goes
 * with all video that has none of its own; it is a variant itself too, the last one, for those who only listen.
 */
export function listLadder(playable: readonly LadderRendition[], sharedAudio: string): MultivariantSnapshot {
  const shared = playable.find(({ name }) => name === sharedAudio);
  const withVideo = playable.filter(hasVideo);
  const audioOnly = playable.filter((rendition) => !hasVideo(rendition) && rendition !== shared);
  const audioOf = (rendition: LadderRendition): LadderRendition | undefined =>
    audioGroup(rendition) === undefined ? shared : rendition;
  const listed = [...withVideo, ...audioOnly, ...(shared === undefined ? [] : [shared])];
  return {
    media: [...new Set(withVideo.map(audioOf))].map(audioGroup).filter((group) => group !== undefined),
    variants: orderVariants(listed.map((rendition) => variant(rendition, audioOf(rendition)))),
    iframeVariants: withVideo.map(iframeVariant).filter((found) => found !== undefined),
  };
}

/** The rendition with the smallest picture among these. */
export function smallestVideo<T extends LadderRendition>(playable: readonly T[]): T | undefined {
  const pixels = (rendition: T): number => {
    const { width = 0, height = 0 } = rendition.track('video')?.init ?? {};
    return width * height;
  };
  return playable.filter(hasVideo).sort((a, b) => pixels(a) - pixels(b))[0];
}

function hasVideo(rendition: LadderRendition): boolean {
  return rendition.track('video') !== undefined;
}

/** Its audio, alone in a group of its own, if there is audio to play. */
function audioGroup(rendition: LadderRendition | undefined): MediaRendition | undefined {
  const audio = rendition?.track('audio');
  if (rendition === undefined || audio?.playable !== true) return undefined;
  return {
    ...{ type: 'AUDIO', groupId: rendition.name, name: 'audio', uri: `${rendition.name}/audio.m3u8` },
    ...{ isDefault: true, isAutoselect: true, channels: audio.init?.channels },
  };
}

/** `audio` is the rendition whose audio goes with its video. */
function variant(rendition: LadderRendition, audio: LadderRendition | undefined): Variant {
  const own = rendition.track('video') ?? rendition.track('audio');
  const group = hasVideo(rendition) ? audioGroup(audio) : undefined;
  const sound = group === undefined ? undefined : audio?.track('audio');
  return {
    uri: `${rendition.name}/${hasVideo(rendition) ? 'video' : 'audio'}.m3u8`,
    bandwidth: (own?.bitrate.peak ?? 0) + (sound?.bitrate.peak ?? 0),
    averageBandwidth: (own?.bitrate.average ?? 0) + (sound?.bitrate.average ?? 0),
    codecs: [own?.init?.codec, sound?.init?.codec].filter((codec) => codec !== undefined),
    width: own?.init?.width,
    height: own?.init?.height,
    frameRate: own?.frameRate,
    audioGroup: group?.groupId,
  };
}

function iframeVariant(rendition: LadderRendition): IFrameVariant | undefined {
  const { init, keyframeBitrate } = rendition.track('video') ?? {};
  if (init === undefined || keyframeBitrate === undefined || keyframeBitrate.peak === 0) return undefined;
  return {
    uri: `${rendition.name}/iframes.m3u8`,
    bandwidth: keyframeBitrate.peak,
    averageBandwidth: keyframeBitrate.average,
    codecs: [init.codec],
    width: init.width,
    height: init.height,
  };
}
