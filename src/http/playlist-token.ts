import { RenderedPlaylist } from '../hls/rendered-playlist.ts';

/** Versions of one playlist that are kept for the tokens that ask for it: CDNs give many viewers the same one. */
const MAX_TOKENS = 16;

const versions = new WeakMap<RenderedPlaylist, Map<string, RenderedPlaylist>>();

/** The playlist with `token=…` as last parameter of every URI in it, so that whoever guards the media sees it too. */
export function withToken(playlist: RenderedPlaylist, token: string): RenderedPlaylist {
  const known = versions.get(playlist) ?? new Map<string, RenderedPlaylist>();
  const made = known.get(token) ?? new RenderedPlaylist(addToken(playlist.plain.toString(), token));
  if (known.size >= MAX_TOKENS) known.clear();
  versions.set(playlist, known.set(token, made));
  return made;
}

function addToken(text: string, token: string): string {
  const parameter = `token=${encodeURIComponent(token)}`;
  const extend = (uri: string): string => `${uri}${uri.includes('?') ? '&' : '?'}${parameter}`;
  return text.replace(/^[^#\r\n].*$|(?<=[:,]URI=")[^"]*(?=")/gm, extend);
}
