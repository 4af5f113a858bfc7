import { lookAtRemote } from '../../remote/remote-range.ts';
import { parseRemoteUrl } from '../../remote/remote-url.ts';
import { isPlaylist } from '../../upstream/playlist/playlist-text.ts';
import type { FilmShelf } from './film/film-shelf.ts';
import { PlaylistSource } from './film/playlist-source.ts';
import type { MediaSource } from './media-source.ts';
import { type RemoteAccess, RemoteSource } from './remote-source.ts';

/**
 * Opens what is at an http(s) address: an HLS playlist, which is told by its first bytes whatever its address and its type
 * say, or else a file.
 * @throws AppError `BAD_REQUEST` for a bad address, `FORBIDDEN` for one that may not be fetched, `BAD_MEDIA` if its server
 *   serves no parts of files, the file is empty or the playlist is no film that can be played, `UNAVAILABLE` if it cannot be
 *   reached
 */
export async function openRemote(
  access: RemoteAccess,
  shelf: FilmShelf,
  address: string,
  signal?: AbortSignal,
): Promise<MediaSource> {
  const target = parseRemoteUrl(address);
  const look = await lookAtRemote(access.client, target, signal);
  if (isPlaylist(look.start.toString('utf8'))) return PlaylistSource.open({ access, shelf, target }, signal);
  return new RemoteSource(access, look.facts());
}
