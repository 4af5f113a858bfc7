/**
 * Tells whether a broadcast can be played right now. An ended one stays readable for a while, so its variants are asked.
 *
 * @param {string} playlist path of the multivariant playlist
 * @returns {Promise<'absent' | 'live' | 'ended'>}
 */
export async function probeBroadcast(playlist) {
  const multivariant = await read(playlist);
  const variant = multivariant?.split('\n').find((line) => line !== '' && !line.startsWith('#'));
  if (variant === undefined) return 'absent';
  const media = await read(new URL(variant.trim(), new URL(playlist, location.href)));
  if (media === undefined) return 'absent';
  return media.includes('#EXT-X-ENDLIST') ? 'ended' : 'live';
}

async function read(url) {
  try {
    const answer = await fetch(url, { cache: 'no-store' });
    return answer.ok ? await answer.text() : undefined;
  } catch {
    return undefined;
  }
}
