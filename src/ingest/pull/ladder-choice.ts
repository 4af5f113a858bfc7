import type { UpstreamLadder } from '../../upstream/follow/upstream-ladder.ts';
import { type ChosenVariant, chooseVariant } from '../../upstream/playlist/choose-variant.ts';
import type { MultivariantPlaylist, Variant } from '../../upstream/playlist/multivariant-playlist.ts';
import { AppError } from '../../util/errors.ts';

/** Sound that fragments do not carry. */
const UNCARRIED = ['ac-3', 'ec-3', 'ac-4', 'flac', 'mp3', 'mp4a.40.34', 'mp4a.69', 'mp4a.6b'];

/** Which renditions of a source are published: their ids. */
export interface LadderChoice {
  /** Has the picture, and the sound unless there is `audio`. */
  readonly main: string;
  readonly audio: string | undefined;
}

/**
 * The best variant that can be made into a ladder, and the sound that goes with it if that has a playlist of its own.
 * @throws AppError `BAD_MEDIA` if there is none
 */
export function chooseLadder({ playlist, renditions }: UpstreamLadder): LadderChoice {
  const [first] = renditions;
  if (playlist === undefined && first !== undefined) return { main: first.id, audio: undefined };
  if (playlist === undefined) throw new AppError('BAD_MEDIA', 'the source offers nothing');
  const { variant, audio } = choose(playlist);
  const main = renditions.find((rendition) => rendition.variant === variant);
  if (main === undefined) throw new AppError('BAD_MEDIA', 'the best variant of the source has no address');
  const sound = audio?.uri && renditions.find(({ media }) => media === audio);
  // Some list the variant's own playlist as its sound.
  const isSame = audio?.uri?.href === variant.uri.href;
  return { main: main.id, audio: isSame ? undefined : sound?.id };
}

/** The best variant, or one of the same picture whose sound fits into fragments as it is. */
function choose(playlist: MultivariantPlaylist): ChosenVariant {
  const best = chooseVariant(playlist);
  if (isCarried(best.variant)) return best;
  const variants = playlist.variants.filter((variant) => isCarried(variant) && isSamePicture(variant, best.variant));
  return variants.length === 0 ? best : chooseVariant({ ...playlist, variants });
}

function isCarried({ codecs }: Variant): boolean {
  return !codecs.some((codec) => UNCARRIED.some((prefix) => codec.toLowerCase().startsWith(prefix)));
}

function isSamePicture(one: Variant, other: Variant): boolean {
  const size = ({ resolution }: Variant): string => `${resolution?.width}x${resolution?.height}`;
  return size(one) === size(other) && one.videoRange === other.videoRange;
}
