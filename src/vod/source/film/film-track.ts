import type { ByteRange } from '../../../upstream/playlist/byte-range.ts';
import type { Key } from '../../../upstream/playlist/key.ts';
import type { MediaPlaylist } from '../../../upstream/playlist/media-playlist.ts';
import type { MediaMap, Segment } from '../../../upstream/playlist/segment.ts';
import { sequenceIv } from '../../../upstream/pool/decrypt.ts';
import { AppError } from '../../../util/errors.ts';
import { EncryptedMediaError } from '../encrypted-media.ts';
import type { InputPlace } from '../media-source.ts';

const ADVICE = 'register it as a source (POST /api/v1/sources) to play it as a channel';
/** Until version 3 segments tell their durations in whole seconds (RFC 8216, 7). */
const EXACT_VERSION = 3;
const ROUNDED_LEAD_MS = 12_000;

/** Something to be fetched, and what it is encrypted with. Holds nothing of the playlist's text. */
export interface FilmPiece {
  readonly href: string;
  readonly byteRange: ByteRange | undefined;
  readonly durationMs: number;
  /** AES-128. */
  readonly key: { readonly href: string; readonly iv: Buffer } | undefined;
}

/** A playlist that is a film: it has its end, and one timeline from its first segment to its last. Immutable. */
export interface FilmTrack {
  readonly segments: readonly FilmPiece[];
  /** The initialization section; fragmented MP4 has one, MPEG-TS has none. */
  readonly init: FilmPiece | undefined;
  /** When each segment begins as the durations tell, ms; one more for the end. */
  readonly startsMs: Float64Array;
  /** How far the durations may be wrong because they are rounded, ms. */
  readonly leadMs: number;
}

/**
 * Takes a playlist for a film.
 * @throws AppError `BAD_MEDIA` if it has no end, is broken, or encrypted in a way that needs more than a key
 */
export function filmTrack({ segments, ended, type, iFramesOnly, version }: MediaPlaylist): FilmTrack {
  if (!ended && type !== 'vod') throw new AppError('BAD_MEDIA', `the playlist has no end, so it is no film; ${ADVICE}`);
  const [first] = segments;
  if (first === undefined || iFramesOnly) throw new AppError('BAD_MEDIA', 'the playlist has no segments to be played');
  for (const segment of segments) checkSegment(segment, first);
  const startsMs = new Float64Array(segments.length + 1);
  segments.forEach(({ durationMs }, index) => (startsMs[index + 1] = (startsMs[index] ?? 0) + durationMs));
  const { map } = first;
  return Object.freeze({
    segments: Object.freeze(segments.map((segment) => pieceOf(segment, segment.sequence))),
    init: map && pieceOf({ ...map, durationMs: 0 }, 0),
    startsMs,
    leadMs: version < EXACT_VERSION ? ROUNDED_LEAD_MS : 0,
  });
}

/** The segment to begin with so that nothing is missed from a place on. */
export function segmentAt({ segments, startsMs, leadMs }: FilmTrack, from: InputPlace['from']): number {
  if (from === undefined) return 0;
  if ('lastSegments' in from) return Math.max(0, segments.length - from.lastSegments);
  const totalMs = startsMs.at(-1) ?? 0;
  const endMs = from.endTicks / 90;
  // Durations that are a little wrong add up: the real end tells by how much.
  const aimMs = (from.ticks / 90) * (totalMs / endMs) - 1.5 * Math.abs(totalMs - endMs) - leadMs;
  let [low, high] = [0, segments.length];
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((startsMs[middle] ?? Infinity) <= aimMs) low = middle;
    else high = middle;
  }
  return low;
}

/** What tells a track from others although the queries of addresses may change: their paths, and durations. */
export function fingerprintOf({ segments, init }: FilmTrack): unknown[] {
  return [...segments, ...(init === undefined ? [] : [init])].map(({ href, byteRange, durationMs }) => [
    ...[new URL(href).pathname, byteRange?.offset, byteRange?.length, durationMs],
  ]);
}

function pieceOf(
  { uri, byteRange, durationMs, key }: Pick<Segment, (keyof FilmPiece & keyof Segment) | 'uri'>,
  sequence: number,
): FilmPiece {
  const keyHref = key?.uri?.href;
  return Object.freeze({
    ...{ href: uri.href, byteRange, durationMs },
    key: keyHref === undefined ? undefined : { href: keyHref, iv: key?.iv ?? sequenceIv(sequence) },
  });
}

function checkSegment(segment: Segment, first: Segment): void {
  const { keys, key, map, isGap, discontinuity } = segment;
  const isBroken = segment !== first && (discontinuity || !isSameMap(map, first.map));
  if (isBroken || isGap) {
    const what = isGap
      ? 'leaves a segment out'
      : 'is made of several films (EXT-X-DISCONTINUITY), e.g. with advertisements';
    throw new AppError('BAD_MEDIA', `the playlist ${what}, so that its times do not go on; ${ADVICE}`);
  }
  const isProtected = keys.length > 0 && !isPlain(key);
  if (isProtected || (map?.key !== undefined && !isPlain(map.key))) throw new EncryptedMediaError();
}

function isPlain(key: Key | undefined): boolean {
  return key?.method === 'AES-128' && key.keyFormat === 'identity' && key.uri !== undefined;
}

function isSameMap(one: MediaMap | undefined, other: MediaMap | undefined): boolean {
  if (one === other) return true;
  return (
    one?.uri.pathname === other?.uri.pathname &&
    one?.byteRange?.offset === other?.byteRange?.offset &&
    one?.byteRange?.length === other?.byteRange?.length
  );
}
