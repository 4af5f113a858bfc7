import { AppError } from '../../util/errors.ts';
import type { MediaRendition, MultivariantPlaylist, Variant } from './multivariant-playlist.ts';

/** The longer and the shorter side of the largest picture that is taken. */
const MAX_PICTURE = { long: 4_096, short: 2_304 };
const PICTURE_CODECS = ['avc1', 'avc3', 'hvc1', 'hev1', 'av01', 'vp09'];
const SOUND_CODECS = ['mp4a', 'ac-3', 'ec-3', 'ac-4', 'opus', 'flac', 'mp3'];

/** What to pull of a multivariant playlist. */
export interface ChosenVariant {
  readonly variant: Variant;
  /** The sound that goes with it; without an address it is inside the variant. `undefined` if none is listed apart. */
  readonly audio: MediaRendition | undefined;
}

/**
 * The best variant that can be made into a ladder: the largest picture of up to 4096x2304, then SDR before HDR, then the
 * highest bandwidth; one without a picture only if there is no other.
 * @throws AppError `BAD_MEDIA` if no variant can be used
 */
export function chooseVariant({ variants, media }: MultivariantPlaylist): ChosenVariant {
  const usable = variants.filter((variant) => hasKnownPicture(variant) && fits(variant));
  const sounds = variants.filter(hasSoundOnly);
  const [variant] = (usable.length > 0 ? usable : sounds).toSorted(byWorth);
  if (variant === undefined) {
    throw new AppError(
      'BAD_MEDIA',
      `none of the ${variants.length} variants can be used: a picture of H.264, HEVC, AV1 or VP9 of up to 4096x2304 is needed`,
    );
  }
  const group = media.filter(({ type, groupId }) => type === 'audio' && groupId === variant.audioGroup);
  const audio = group.find(({ isDefault }) => isDefault) ?? group.find(({ isAutoselect }) => isAutoselect) ?? group[0];
  return { variant, audio };
}

/** A variant that declares no codecs may have any. */
function hasKnownPicture({ codecs, resolution }: Variant): boolean {
  if (codecs.some((codec) => startsWithAny(codec, PICTURE_CODECS))) return true;
  if (codecs.length === 0) return true;
  return resolution !== undefined && codecs.every((codec) => startsWithAny(codec, SOUND_CODECS));
}

function hasSoundOnly({ codecs, resolution }: Variant): boolean {
  return codecs.length > 0 && resolution === undefined && codecs.every((codec) => startsWithAny(codec, SOUND_CODECS));
}

function fits({ resolution }: Variant): boolean {
  if (resolution === undefined) return true;
  const { width, height } = resolution;
  return Math.max(width, height) <= MAX_PICTURE.long && Math.min(width, height) <= MAX_PICTURE.short;
}

function byWorth(one: Variant, other: Variant): number {
  return (
    pixelsOf(other) - pixelsOf(one) || Number(isHdr(one)) - Number(isHdr(other)) || other.bandwidth - one.bandwidth
  );
}

function pixelsOf({ resolution }: Variant): number {
  return resolution === undefined ? 0 : resolution.width * resolution.height;
}

function isHdr({ videoRange }: Variant): boolean {
  return videoRange !== undefined && videoRange !== 'SDR';
}

function startsWithAny(codec: string, prefixes: readonly string[]): boolean {
  return prefixes.some((prefix) => codec.toLowerCase().startsWith(prefix));
}
