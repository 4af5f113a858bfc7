import { withoutBody } from '../http-client.ts';
import { holdTimeoutMs } from '../playlist-observer.ts';
import type { ObservedPlaylist } from '../record.ts';
import { newest } from '../record.ts';
import type { ProbeSession } from './session.ts';

/** Hinted parts that are asked for, per playlist. */
const REQUESTS = 3;

/** Asks for hinted parts as soon as the hint is seen, and for a part that nobody hinted at. */
export async function probeHints(session: ProbeSession, playlist: ObservedPlaylist): Promise<void> {
  const unknown = unknownUrl(newest(playlist).playlist.hints[0]?.url ?? newest(playlist).playlist.segments.at(-1)?.url);
  if (unknown !== undefined) await session.ask('unknown-media', playlist, unknown, { signal: session.signal });
  for (let count = 0; count < REQUESTS && !session.isOver(); count += 1) {
    const now = await session.afterChange(playlist);
    const hint = now.hints.find(({ type }) => type === 'PART');
    if (session.isOver() || hint === undefined || now.ended) return;
    const options = { signal: session.signal, timeoutMs: holdTimeoutMs(now) };
    const exchange = await session.client.request(hint.url, options);
    if (session.isOver()) return;
    const digests = await session.sampler.digests(exchange, now.open.map, playlist);
    session.hints.push({ playlist, url: hint.url, line: hint.line, exchange: withoutBody(exchange), digests });
  }
}

/** The URL of a file like this one that cannot be there: one more letter at the end of its stem. */
function unknownUrl(url: string | undefined): string | undefined {
  if (url === undefined || !URL.canParse(url)) return undefined;
  const changed = new URL(url);
  changed.pathname = changed.pathname.replace(/([^/]*?)(\.[^./]+)?$/, '$1zz$2');
  return changed.href;
}
