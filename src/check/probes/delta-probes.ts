import { withQuery } from '../http-client.ts';
import { comparePositions, newestPosition, nextPosition } from '../m3u8/timeline.ts';
import { fetchPlaylist, holdTimeoutMs, positionQuery } from '../playlist-observer.ts';
import type { DeltaPair, ObservedPlaylist } from '../record.ts';
import { canBlock, newest } from '../record.ts';
import type { ProbeSession } from './session.ts';

/** Pairs that must be of one version; the stream may go on between two requests. */
const ATTEMPTS = 5;
/** The skip boundary moves on between them. */
const ROUNDS = 6;

/** Asks for a delta update and the full playlist of the same version, both ways that a delta may be asked for. */
export async function probeDelta(session: ProbeSession, playlist: ObservedPlaylist): Promise<void> {
  if (newest(playlist).playlist.serverControl?.has('CAN-SKIP-UNTIL') !== true) {
    await session.askPlaylist('skip-not-offered', playlist, '_HLS_skip=YES');
    return;
  }
  for (let round = 0; round < ROUNDS && !session.isOver(); round += 1) {
    for (const directive of ['YES', 'v2'] as const) await probeDirective(session, playlist, directive);
    const { targetDurationS = 2 } = newest(playlist).playlist;
    await session.clock.wait(1_000 * targetDurationS, session.signal);
  }
}

async function probeDirective(
  session: ProbeSession,
  playlist: ObservedPlaylist,
  directive: DeltaPair['directive'],
): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS && !session.isOver(); attempt += 1) {
    const pair = await fetchPair(session, playlist, directive);
    if (pair === undefined) continue;
    session.deltas.push(pair);
    return;
  }
}

async function fetchPair(
  { client, signal }: ProbeSession,
  playlist: ObservedPlaylist,
  directive: DeltaPair['directive'],
): Promise<DeltaPair | undefined> {
  const older = newest(playlist).playlist;
  const blocking = canBlock(older) && !older.ended ? positionQuery(nextPosition(older)) : undefined;
  const options = { signal, timeoutMs: holdTimeoutMs(older) };
  const skip = `_HLS_skip=${directive}`;
  const [full, delta] = await Promise.all([
    fetchPlaylist(client, blocking === undefined ? playlist.url : withQuery(playlist.url, blocking), options),
    fetchPlaylist(client, withQuery(playlist.url, blocking === undefined ? skip : `${blocking}&${skip}`), options),
  ]);
  if (signal.aborted) return undefined;
  if (full.playlist === undefined || delta.playlist === undefined) return undefined;
  const sameVersion = comparePositions(newestPosition(full.playlist), newestPosition(delta.playlist)) === 0;
  if (!sameVersion || full.playlist.mediaSequence !== delta.playlist.mediaSequence) return undefined;
  return { playlist, directive, older, full: full.playlist, delta: delta.playlist, exchange: delta.exchange };
}
