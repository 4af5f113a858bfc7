// What the pages read of playlists themselves, beside the player.

/** The query that asks for the newest segments only: enough to know where the live edge is, and small. */
const SHORT = '?dvr=0';

/**
 * Tells whether a broadcast can be played right now. An ended one stays readable for a while, so its variants are asked.
 *
 * @param {string} playlist path of the multivariant playlist
 * @returns {Promise<'absent' | 'live' | 'ended'>}
 */
export async function probeBroadcast(playlist) {
  const variants = await readVariants(`${playlist}${SHORT}`);
  const [first] = variants ?? [];
  const media = first === undefined ? undefined : await read(first);
  if (media === undefined) return 'absent';
  return media.text.includes('#EXT-X-ENDLIST') ? 'ended' : 'live';
}

/**
 * The page of the film that a source turned out to be; `undefined` for a broadcast.
 *
 * @param {string} playlist path of the multivariant playlist
 * @returns {Promise<string | undefined>}
 */
export async function filmPage(playlist) {
  const found = await read(playlist);
  const id = /^\/vod\/([^/]+)\/index\.m3u8$/.exec(found === undefined ? '' : new URL(found.url).pathname)?.[1];
  return id && `/watch/vod/${id}`;
}

/**
 * The addresses of everything that a multivariant playlist offers, pictures and sounds; `undefined` if it is not there.
 *
 * @param {string} playlist
 * @returns {Promise<string[] | undefined>}
 */
export async function readVariants(playlist) {
  const found = await read(playlist);
  if (found === undefined) return undefined;
  return found.text
    .split('\n')
    .map((line) => (line.startsWith('#EXT-X-MEDIA:') ? /[,:]URI="([^"]*)"/.exec(line)?.[1] : line.trim()))
    .filter((uri) => uri && !uri.startsWith('#'))
    .map((uri) => new URL(uri, found.url).href);
}

/**
 * Where a media playlist ends: `position` is a text that changes with every segment and part, `isOver` tells that nothing
 * will follow. `undefined` if it cannot be read.
 *
 * @param {string} playlist
 * @returns {Promise<{ position: string, isOver: boolean } | undefined>}
 */
export async function readLiveEdge(playlist) {
  const url = new URL(playlist, location.href);
  url.searchParams.set('dvr', '0');
  const found = await read(url);
  if (found === undefined) return undefined;
  const { text } = found;
  const count = (tag) => text.split(tag).length - 1;
  const first = /#EXT-X-MEDIA-SEQUENCE:\d+/.exec(text)?.[0];
  return {
    position: [first, count('#EXTINF:'), count('#EXT-X-PART:')].join(' '),
    isOver: text.includes('#EXT-X-ENDLIST'),
  };
}

/** With the address that it came from in the end. `no-cache` asks the server each time, and costs no bytes if nothing has changed. */
async function read(url) {
  try {
    const answer = await fetch(url, { cache: 'no-cache' });
    return answer.ok ? { text: await answer.text(), url: answer.url } : undefined;
  } catch {
    return undefined;
  }
}
