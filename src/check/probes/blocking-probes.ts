import type { MediaPlaylist } from '../m3u8/media-playlist.ts';
import { lastMsn } from '../m3u8/timeline.ts';
import type { ObservedPlaylist } from '../record.ts';
import { canBlock, newest } from '../record.ts';
import { positionQuery } from '../playlist-observer.ts';
import type { ProbeSession } from './session.ts';

/** A position is out of reach when it is more than this many parts after the newest (section 6.2.5.2). */
export function advancePartLimit(partTargetS: number): number {
  return partTargetS < 1 ? Math.ceil(3 / partTargetS) : 3;
}

/** How often a question that the stream's progress made meaningless is asked again. */
const ATTEMPTS = 4;

/** A question has arrived by then. */
const ARRIVAL_MS = 200;

/** Parts that may come between a question and its arrival. */
const PART_RACE = 2;

/** Asks for positions: malformed, far ahead, near ahead, old, and past the end of a segment. */
export async function probeBlocking(session: ProbeSession, playlist: ObservedPlaylist): Promise<void> {
  const { playlist: first } = newest(playlist);
  if (first.ended) {
    await session.askPlaylist('ended-directive', playlist, `_HLS_msn=${lastMsn(first) + 100}&_HLS_part=0`);
    return;
  }
  if (!canBlock(first)) return;
  const ahead = [probeLegalAhead(session, playlist), probeWholeSegment(session, playlist)];
  const open = first.open.msn;
  for (const query of ['_HLS_part=0', '_HLS_msn=abc', '_HLS_msn=-1', '_HLS_msn=1.5', `_HLS_msn=${open}&_HLS_part=x`]) {
    await session.askPlaylist('bad-directive', playlist, query);
  }
  await probeOld(session, playlist);
  await session.askPosition('far-ahead', playlist, {
    msn: lastMsn(newest(playlist).playlist) + 100_000,
    part: undefined,
  });
  await probeJustTooFar(session, playlist);
  await probePartTooFar(session, playlist);
  await probePartOverflow(session, playlist);
  await Promise.all(ahead);
}

async function probeLegalAhead(session: ProbeSession, playlist: ObservedPlaylist): Promise<void> {
  await session.askPosition('legal-ahead', playlist, { msn: lastMsn(newest(playlist).playlist) + 2, part: undefined });
}

async function probeWholeSegment(session: ProbeSession, playlist: ObservedPlaylist): Promise<void> {
  await session.askPosition('whole-segment', playlist, { msn: newest(playlist).playlist.open.msn, part: undefined });
}

async function probeOld(session: ProbeSession, playlist: ObservedPlaylist): Promise<void> {
  const { mediaSequence, open, partTargetS } = newest(playlist).playlist;
  await session.askPosition('old-position', playlist, { msn: mediaSequence, part: undefined });
  await session.askPosition('old-position', playlist, {
    msn: open.msn - 1,
    part: partTargetS === undefined ? undefined : 0,
  });
}

/** Four after the last whole segment: too far also for those who count the open one as the last. */
async function probeJustTooFar(session: ProbeSession, playlist: ObservedPlaylist): Promise<void> {
  await untilTimely(session, playlist, (before) => {
    const msn = before.open.msn + 3;
    return { query: positionQuery({ msn, part: undefined }), isTimely: (now) => now.open.msn === before.open.msn };
  });
}

async function probePartTooFar(session: ProbeSession, playlist: ObservedPlaylist): Promise<void> {
  if (newest(playlist).playlist.partTargetS === undefined) return;
  await untilTimely(session, playlist, ({ open, partTargetS = 1 }) => {
    const part = open.parts.length - 1 + advancePartLimit(partTargetS) + PART_RACE + 1;
    const isTimely = (now: MediaPlaylist): boolean =>
      now.open.msn === open.msn && now.open.parts.length <= open.parts.length + PART_RACE;
    return { query: positionQuery({ msn: open.msn, part }), isTimely };
  });
}

async function probePartOverflow(session: ProbeSession, playlist: ObservedPlaylist): Promise<void> {
  const last = newest(playlist).playlist.segments.at(-1);
  if (last === undefined || last.parts.length === 0) return;
  await session.askPosition('part-overflow', playlist, { msn: last.msn, part: last.parts.length });
}

/** Asks right after a change, and again if the stream went on before the question can have arrived. */
async function untilTimely(
  session: ProbeSession,
  playlist: ObservedPlaylist,
  question: (before: MediaPlaylist) => { query: string; isTimely: (now: MediaPlaylist) => boolean },
): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS && !session.isOver(); attempt += 1) {
    const { query, isTimely } = question(await session.afterChange(playlist));
    const probe = await session.askPlaylist('far-ahead', playlist, query);
    const arrivedAtMs = probe.exchange.sentAtMs + ARRIVAL_MS;
    const then = playlist.versions.findLast(({ atMs }) => atMs <= arrivedAtMs)?.playlist;
    if (probe.exchange.status === 400 || then === undefined || isTimely(then)) return;
    const index = session.probes.indexOf(probe);
    if (index >= 0) session.probes.splice(index, 1);
  }
}
