import { type HlsOptions, targetDurationSeconds } from './hls-options.ts';
import type {
  MediaPlaylistSnapshot,
  OpenEntry,
  PlaylistEntry,
  RenditionPosition,
  ServerControl,
} from './media-playlist.ts';
import type { PackagedTrack } from './packaged-track.ts';
import type { PlaylistView } from './playback.ts';
import type { Segment } from './segment.ts';

/** What all media playlists of a broadcast have in common. */
export interface PlaylistCommons {
  readonly options: HlsOptions;
  /** True if nothing will be added. */
  readonly ended: boolean;
  /** True if nothing will be added, whether or not the playlists say so yet. */
  readonly ending: boolean;
  /** True if the publisher is away: what comes next, and when, nobody knows. */
  readonly away: boolean;
  /** The longest part of all. */
  readonly partTargetMs: number;
  /** Where the other playlists are. */
  readonly reports: readonly RenditionPosition[];
}

/** A segment's parts are listed while it ends within so many target durations of the playlist's end. */
const PART_LIST_DURATIONS = 3;

const HOLD_BACK_DURATIONS = 3;
const SKIP_DURATIONS = 6;
const PART_HOLD_BACK_PARTS = 3;

/**
 * Captures what a track's playlist says at this moment: gives a function that tells it for any view, also later, when the
 * track has gone on.
 */
export function captureSnapshot(
  track: PackagedTrack,
  commons: PlaylistCommons,
): (view: PlaylistView) => MediaPlaylistSnapshot {
  const { options, ended, reports } = commons;
  const { listed, live } = track;
  const isLow = options.latency === 'low';
  const targetMs = 1_000 * targetDurationSeconds(options.segmentTargetMs);
  const open = openEntry(track);
  const openMs = open?.parts.reduce((sum, { durationMs }) => sum + durationMs, 0) ?? 0;
  // hls.js takes the end for reached only when sound and picture both reach the last listed part, and they seldom do.
  const tail = ended ? new Map<Segment, PlaylistEntry>() : tailEntries(track, openMs, PART_LIST_DURATIONS * targetMs);
  const control: ServerControl = {
    canBlockReload: isLow && !commons.away,
    canSkipUntilMs: SKIP_DURATIONS * targetMs,
    holdBackMs: HOLD_BACK_DURATIONS * targetMs,
    partHoldBackMs: isLow ? PART_HOLD_BACK_PARTS * commons.partTargetMs : undefined,
  };
  // A part that may never come, or goes with another init, is no good hint; but no playlist may end with a segment.
  const isSure = !commons.away && !commons.ending && track.goesOn;
  const hasHint = isLow && !ended && (isSure || reports.length === 0);
  const hintUri = hasHint ? track.nextPartName : undefined;
  const partTargetMs = isLow ? track.partTargetMs : undefined;
  return ({ window, skip }) => {
    const rows = window === 'live' ? live : listed;
    const first = rows[0]?.slot;
    return {
      targetDurationSeconds: targetMs / 1_000,
      mediaSequence: first?.msn ?? 0,
      discontinuitySequence: first === undefined ? 0 : first.discontinuitySequence - Number(first.discontinuity),
      entries: rows.map((segment) => tail.get(segment) ?? entryOf(segment)),
      skipped: skip ? countSkipped(rows, openMs, control.canSkipUntilMs) : 0,
      reports: ended ? [] : reports.map((report) => ({ ...report, uri: uriFor(report.uri, window) })),
      ...{ control, partTargetMs, open, hintUri, ended },
    };
  };
}

/** How far a track's playlist is, for those of the other tracks. */
export function positionOf(track: PackagedTrack, uri: string): RenditionPosition | undefined {
  const { edge } = track;
  if (edge === undefined) return undefined;
  if (edge.openParts > 0) return { uri, lastMsn: edge.msn + 1, lastPart: edge.openParts - 1 };
  if (edge.parts === 0) return { uri, lastMsn: edge.msn, lastPart: undefined };
  // A gap has no parts to count: whoever asks for the one after its first is sent to the next segment.
  return { uri, lastMsn: edge.msn, lastPart: Number.isFinite(edge.parts) ? edge.parts - 1 : 0 };
}

function uriFor(uri: string, window: PlaylistView['window']): string {
  return window === 'live' ? `${uri}?dvr=0` : uri;
}

function openEntry(track: PackagedTrack): OpenEntry | undefined {
  const { openPlace } = track;
  const parts = openPlace === undefined ? [] : track.partsOf(openPlace.slot.msn);
  if (openPlace === undefined || parts.length === 0) return undefined;
  const { slot, initName, programDateTimeMs } = openPlace;
  const { discontinuity, pdtAnchor } = slot;
  return { mapUri: initName, discontinuity, programDateTimeMs, pdtAnchor, parts };
}

/** The newest rows, with their parts. */
function tailEntries(track: PackagedTrack, openMs: number, listMs: number): Map<Segment, PlaylistEntry> {
  const tail = new Map<Segment, PlaylistEntry>();
  let afterMs = openMs;
  for (const segment of [...track.live].reverse()) {
    if (afterMs > listMs) break;
    const parts = track.partsOf(segment.slot.msn);
    if (parts.length > 0) tail.set(segment, { ...entryOf(segment), parts });
    afterMs += segment.durationMs;
  }
  return tail;
}

/** Segments that end further from the playlist's end than the skip boundary. */
function countSkipped(rows: readonly Segment[], openMs: number, boundaryMs: number): number {
  let afterMs = openMs;
  return (
    rows.findLastIndex(({ durationMs }) => {
      const isBeyond = afterMs >= boundaryMs;
      afterMs += durationMs;
      return isBeyond;
    }) + 1
  );
}

/** Rows never change, so that their entries, and what is rendered of these, are made once. */
const entries = new WeakMap<Segment, PlaylistEntry>();

function entryOf(segment: Segment): PlaylistEntry {
  const known = entries.get(segment);
  if (known !== undefined) return known;
  const { slot, name, durationMs, programDateTimeMs, initName, gap } = segment;
  const { discontinuity, pdtAnchor } = slot;
  const entry = { uri: name, durationMs, mapUri: initName, gap, discontinuity, programDateTimeMs, pdtAnchor };
  entries.set(segment, entry);
  return entry;
}
