import type { MediaPlaylist, Resource } from '../m3u8/media-playlist.ts';
import { lengthS } from '../m3u8/timeline.ts';
import type { ObservedPlaylist } from '../record.ts';
import { resourceKey } from '../record.ts';
import type { ProbeSession } from './session.ts';

/** Between two versions and a request. */
const MARGIN_MS = 500;

/** What left a playlist while it was watched, and when. */
interface Removed extends Resource {
  readonly atMs: number;
  readonly durationS: number;
}

/**
 * Once the observation is over, asks for the part and the segment that left each playlist the longest ago of those that
 * must still be there, and for hints that never came true.
 */
export async function probeRemoved(session: ProbeSession, playlist: ObservedPlaylist): Promise<void> {
  const { versions } = playlist;
  const last = versions.at(-1)?.playlist;
  if (last === undefined) return;
  const partLifeMs = 3_000 * (last.targetDurationS ?? 0);
  const parts = removed(playlist, partsOf).map((part) => ({ ...part, lifeMs: partLifeMs }));
  const longestMs = 1_000 * Math.max(...versions.map((version) => lengthS(version.playlist)));
  const segments = removed(playlist, segmentsOf).map((segment) => ({
    ...segment,
    lifeMs: longestMs + segment.durationS * 1_000,
  }));
  await askOldest(session, playlist, 'removed-part', parts);
  await askOldest(session, playlist, 'removed-segment', segments);
  for (const url of abandonedHints(playlist).slice(0, 3)) await session.ask('abandoned-hint', playlist, url);
}

async function askOldest(
  session: ProbeSession,
  playlist: ObservedPlaylist,
  kind: 'removed-part' | 'removed-segment',
  candidates: readonly (Removed & { readonly lifeMs: number })[],
): Promise<void> {
  const nowMs = session.clock.nowMs();
  const alive = candidates.filter(({ atMs, lifeMs }) => nowMs - atMs < lifeMs - MARGIN_MS);
  const oldest = alive.toSorted((a, b) => a.atMs - b.atMs)[0];
  if (oldest === undefined) return;
  const { url, range } = oldest;
  const first = range?.offset ?? 0;
  await session.ask(kind, playlist, url, {
    headers: { range: `bytes=${first}-${first + 15}` },
    maxBytes: 64 * 1024 * 1024,
  });
}

function removed(
  { versions }: ObservedPlaylist,
  list: (playlist: MediaPlaylist) => readonly (Resource & { readonly durationS: number })[],
): Removed[] {
  const gone = new Map<string, Removed>();
  for (const [index, { playlist, atMs }] of versions.entries()) {
    const before = versions[index - 1];
    if (before === undefined) continue;
    const present = new Set(list(playlist).map(resourceKey));
    for (const { url, range, durationS } of list(before.playlist)) {
      const key = resourceKey({ url, range });
      if (!present.has(key)) gone.set(key, { url, range, durationS, atMs });
    }
  }
  return [...gone.values()];
}

function partsOf({ segments, open }: MediaPlaylist) {
  return [...segments, open].flatMap(({ parts }) => parts.filter(({ gap }) => !gap));
}

function segmentsOf({ segments }: MediaPlaylist) {
  return segments.filter(({ gap }) => !gap);
}

/** Hints that later versions neither repeat nor list as a part. */
export function abandonedHints({ versions }: Pick<ObservedPlaylist, 'versions'>): string[] {
  const last = versions.at(-1)?.playlist;
  const current = new Set(last?.hints.map(({ url }) => url));
  const listed = new Set(versions.flatMap(({ playlist }) => partsOf(playlist).map(({ url }) => url)));
  const hinted = new Set(versions.flatMap(({ playlist }) => playlist.hints.map(({ url }) => url)));
  return [...hinted].filter((url) => !listed.has(url) && !current.has(url));
}
