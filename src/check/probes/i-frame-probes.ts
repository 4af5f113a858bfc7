import type { Listing } from '../m3u8/multivariant.ts';
import { fetchPlaylist } from '../playlist-observer.ts';
import type { IFrameObservation, ObservedPlaylist } from '../record.ts';
import type { ProbeSession } from './session.ts';

/** Entries of an I-frame playlist that are fetched. */
const ENTRIES = 3;

/** Loads an I-frame playlist and the newest of its pictures. `playlist` is any that was observed. */
export async function probeIFrames(
  session: ProbeSession,
  listing: Listing,
  playlist: ObservedPlaylist,
): Promise<IFrameObservation> {
  const answer = await fetchPlaylist(session.client, listing.url ?? '');
  const newest = answer.playlist?.segments.filter(({ gap }) => !gap).slice(-ENTRIES) ?? [];
  const entries = await Promise.all(
    newest.map(async (entry) => ({
      url: entry.url,
      line: entry.line,
      media: await session.sampler.fetch('segment', entry, entry.map, playlist),
    })),
  );
  return { listing, exchange: answer.exchange, playlist: answer.playlist, entries };
}
