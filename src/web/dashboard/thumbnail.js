import { element } from '../dom.js';

const REFRESH_MS = 5_000;

/** One picture a broadcast, kept while its card changes, and refreshed while somebody can see it. */
const pictures = new Map();

/**
 * The newest picture of a broadcast; takes no room while there is none (a radio, or too early).
 *
 * @param {string} playlist of the broadcast
 * @returns {HTMLImageElement}
 */
export function thumbnailOf(playlist) {
  const known = pictures.get(playlist);
  if (known !== undefined) return known;
  const picture = element('img', { className: 'thumbnail', alt: '', width: 160, hidden: true });
  picture.addEventListener('load', () => (picture.hidden = false));
  picture.addEventListener('error', () => (picture.hidden = true));
  pictures.set(playlist, picture);
  refresh(playlist, picture);
  return picture;
}

function refresh(playlist, picture) {
  picture.src = `${new URL('thumbnail.jpg', new URL(playlist, location.href)).pathname}?at=${Date.now()}`;
}

setInterval(() => {
  if (document.hidden) return;
  for (const [playlist, picture] of pictures) {
    if (picture.isConnected) refresh(playlist, picture);
    else pictures.delete(playlist);
  }
}, REFRESH_MS);
