import { type RemoteUrl, remoteUrl } from '../../../remote/remote-url.ts';
import { chooseVariant } from '../../../upstream/playlist/choose-variant.ts';
import { PLAYLIST_LIMITS } from '../../../upstream/playlist/limits.ts';
import { parseMediaPlaylist } from '../../../upstream/playlist/media-playlist.ts';
import { parseMultivariant } from '../../../upstream/playlist/multivariant-playlist.ts';
import { playlistKind } from '../../../upstream/playlist/playlist-text.ts';
import type { SourceFetcher } from '../../../upstream/pool/source-fetcher.ts';
import { AppError } from '../../../util/errors.ts';
import { type FilmTrack, filmTrack } from './film-track.ts';

const TIMEOUT_MS = 15_000;

/** What is played of a playlist. Immutable. */
export interface Film {
  /** The picture, usually with its sound. */
  readonly video: FilmTrack;
  /** The sound if it lies apart. */
  readonly audio: FilmTrack | undefined;
}

/**
 * Loads a playlist and, if it lists variants, that of the best one and of the sound that goes with it.
 * @throws AppError `BAD_MEDIA` if it is no film, `FORBIDDEN` or `UNAVAILABLE` if it cannot be fetched
 */
export async function loadFilm(fetcher: SourceFetcher, target: RemoteUrl, signal?: AbortSignal): Promise<Film> {
  const load = async (from: RemoteUrl): Promise<{ text: string; base: URL }> => {
    const answer = await fetcher.text(from, { maxBytes: PLAYLIST_LIMITS.bytes, timeoutMs: TIMEOUT_MS, signal });
    if (answer.status === 'unchanged') throw new AppError('INTERNAL', 'a playlist that was never loaded is unchanged');
    return { text: answer.text, base: answer.finalUrl };
  };
  const { text, base } = await load(target);
  if (playlistKind(text) === 'media') return { video: filmTrack(parseMediaPlaylist(text, base)), audio: undefined };
  const multivariant = parseMultivariant(text, base);
  const { variant, audio } = chooseVariant(multivariant);
  const track = async (uri: URL): Promise<FilmTrack> => {
    const list = await load(remoteUrl(uri));
    return filmTrack(parseMediaPlaylist(list.text, list.base, multivariant.variables));
  };
  const isApart = audio?.uri !== undefined && audio.uri.href !== variant.uri.href;
  const [video, sound] = await Promise.all([track(variant.uri), isApart ? track(audio.uri) : undefined]);
  return { video, audio: sound };
}
