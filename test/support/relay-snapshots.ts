import { remoteUrl } from '../../src/remote/remote-url.ts';
import type { FollowedPart, FollowedSegment, PlaylistSnapshot } from '../../src/upstream/follow/playlist-snapshot.ts';
import { type MediaPlaylist, parseMediaPlaylist } from '../../src/upstream/playlist/media-playlist.ts';
import type { MediaMap, Part, Segment } from '../../src/upstream/playlist/segment.ts';
import type { MediaItem } from '../../src/upstream/pool/media-item.ts';

/** Where the playlists of these tests came from; none of it may get out. */
export const UPSTREAM = new URL('https://user:password@origin.example/live/v0/index.m3u8?token=SECRET');

/** A playlist of upstream under our numbers. */
export interface Stretch {
  readonly text: string;
  readonly era: number;
  /** Our number less upstream's. */
  readonly shift?: number;
  /** Whether the timeline breaks before it. */
  readonly isBreak?: boolean;
  /** Our discontinuity sequence number less upstream's. */
  readonly breaks?: number;
}

/** What a follower would make of playlists, the last one of which is the newest. */
export function snapshotOf(
  stretches: readonly Stretch[],
  { version = 0, isRecorded = false }: { version?: number; isRecorded?: boolean } = {},
): PlaylistSnapshot {
  const parsed = stretches.map((stretch) => ({ stretch, playlist: parseMediaPlaylist(stretch.text, UPSTREAM) }));
  const { stretch, playlist } = parsed.at(-1)!;
  const segments = parsed.flatMap((one) => segmentsOf(one.stretch, one.playlist));
  const { era, shift = 0, breaks = 0 } = stretch;
  const { trailing, serverControl, partTargetMs, preloadHint, trailingParts, renditionReports } = playlist;
  const number = trailing.sequence + shift;
  const trailingItems = partsOf(trailingParts, `${era}-${number}`);
  const hint =
    preloadHint && itemOf(`${era}-${number}.${trailingParts.length}`, { uri: preloadHint.uri, durationMs: 0 }, 'part');
  return {
    version,
    targetDurationMs: playlist.targetDurationMs,
    ended: playlist.ended,
    isRecorded,
    firstNumber: segments[0]?.number ?? number,
    discontinuitySequence: segments[0]?.discontinuitySequence ?? 0,
    segments,
    trailing: {
      ...{ number, era, discontinuity: trailing.discontinuity, head: trailing },
      discontinuitySequence: trailing.discontinuitySequence + breaks,
      init: initOf(era, trailing.map),
    },
    lowLatency:
      partTargetMs === undefined || serverControl === undefined
        ? undefined
        : { serverControl, partTargetMs, renditionReports, trailingParts: trailingItems, preloadHint: hint },
    playlist,
  };
}

function segmentsOf(stretch: Stretch, playlist: MediaPlaylist): FollowedSegment[] {
  const { era, shift = 0, isBreak = false, breaks = 0 } = stretch;
  return playlist.segments.map((segment: Segment, index) => {
    const number = segment.sequence + shift;
    return {
      ...{ number, era, segment },
      discontinuity: segment.discontinuity || (isBreak && index === 0),
      discontinuitySequence: segment.discontinuitySequence + breaks,
      item: itemOf(`${era}-${number}`, segment, 'segment'),
      init: initOf(era, segment.map),
      parts: partsOf(segment.parts, `${era}-${number}`),
    };
  });
}

function partsOf(parts: readonly Part[], id: string): FollowedPart[] {
  return parts.map((part, index) => ({ part, item: itemOf(`${id}.${index}`, part, 'part') }));
}

function initOf(era: number, map: MediaMap | undefined): MediaItem | undefined {
  return map && itemOf(`${era}-init ${map.uri.pathname}`, { uri: map.uri, durationMs: 0 }, 'init');
}

function itemOf(id: string, { uri, durationMs }: { uri: URL; durationMs: number }, kind: MediaItem['kind']): MediaItem {
  return { id, target: remoteUrl(uri), durationMs, kind };
}
