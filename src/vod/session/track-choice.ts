import type { AudioFacts, SubtitleFacts, Title } from '../source/title.ts';
import { AppError } from '../../util/errors.ts';

/** Which subtitles are shown: none, a text track that is on from the start, or pictures that become part of the video. */
export type SubtitleChoice = 'off' | number | { readonly burn: number };

/** Indexes in `Title.audio` and `Title.subtitles`. */
export interface TrackChoice {
  readonly audio: number | undefined;
  readonly subtitles: SubtitleChoice | undefined;
}

/** The picture subtitles that are to be burned in, if any. */
export function burnOf({ subtitles }: Pick<TrackChoice, 'subtitles'>): number | undefined {
  return typeof subtitles === 'object' ? subtitles.burn : undefined;
}

/**
 * Checks that a title has what was chosen.
 * @throws AppError `BAD_REQUEST` that names the tracks that there are
 */
export function checkChoice(title: Title, choice: TrackChoice): void {
  const { audio, subtitles } = choice;
  if (audio !== undefined && title.audio[audio] === undefined) {
    const there = describeTracks(title.audio, describeAudio, 'no sound');
    throw new AppError('BAD_REQUEST', `there is no audio track ${audio}; the source has ${there}`);
  }
  if (subtitles === undefined || subtitles === 'off') return;
  const burn = burnOf(choice);
  const index = typeof subtitles === 'number' ? subtitles : subtitles.burn;
  const track = title.subtitles[index];
  if (track === undefined) {
    const there = describeTracks(title.subtitles, describeSubtitles, 'no subtitles');
    throw new AppError('BAD_REQUEST', `there is no subtitle track ${index}; the source has ${there}`);
  }
  if (track.kind === 'picture' && burn === undefined) {
    const advice = `ask for {"burn": ${index}} to have them in the video`;
    throw new AppError('BAD_REQUEST', `subtitle track ${index} is made of pictures (${track.codec}); ${advice}`);
  }
  if (track.kind === 'text' && burn !== undefined) {
    const advice = `ask for ${index}, and players show it`;
    throw new AppError(
      'BAD_REQUEST',
      `subtitle track ${index} is text (${track.codec}), which is not burned in; ${advice}`,
    );
  }
  if (burn !== undefined && title.video === undefined) {
    throw new AppError('BAD_REQUEST', `subtitle track ${index} cannot be burned in, since the source has no picture`);
  }
}

function describeTracks<T>(tracks: readonly T[], describe: (track: T) => string, none: string): string {
  return tracks.length === 0 ? none : tracks.map((track, index) => `${index} (${describe(track)})`).join(', ');
}

function describeAudio({ codec, channels, language, title }: AudioFacts): string {
  return [language, title && JSON.stringify(title), `${codec}, ${channels} channels`].filter(Boolean).join(', ');
}

function describeSubtitles({ codec, kind, language, title }: SubtitleFacts): string {
  return [language, title && JSON.stringify(title), `${codec}, ${kind}`].filter(Boolean).join(', ');
}
