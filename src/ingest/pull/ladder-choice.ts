import type { UpstreamLadder } from '../../upstream/follow/upstream-ladder.ts';
import { chooseVariant } from '../../upstream/playlist/choose-variant.ts';
import { AppError } from '../../util/errors.ts';

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
  const { variant, audio } = chooseVariant(playlist);
  const main = renditions.find((rendition) => rendition.variant === variant);
  if (main === undefined) throw new AppError('BAD_MEDIA', 'the best variant of the source has no address');
  const sound = audio?.uri && renditions.find(({ media }) => media === audio);
  // Some list the variant's own playlist as its sound.
  const isSame = audio?.uri?.href === variant.uri.href;
  return { main: main.id, audio: isSame ? undefined : sound?.id };
}
