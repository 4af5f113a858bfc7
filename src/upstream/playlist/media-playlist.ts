import { AppError } from '../../util/errors.ts';
import { textOf } from './attribute-list.ts';
import { PLAYLIST_LIMITS } from './limits.ts';
import {
  parsePreloadHint,
  parseRenditionReport,
  parseServerControl,
  parseStart,
  type PreloadHint,
  type RenditionReport,
  type ServerControl,
  type StartPoint,
} from './low-latency.ts';
import { decimalFrom, integerFrom, millisecondsFrom } from './number-text.ts';
import { PlaylistScope, tagOf, valueOf } from './playlist-scope.ts';
import { badLine, type Line, linesOf, shown } from './playlist-text.ts';
import { SegmentBuilder } from './segment-builder.ts';
import type { Part, Segment, SegmentHead } from './segment.ts';

const MAX_SEQUENCE = Number.MAX_SAFE_INTEGER - 2 * PLAYLIST_LIMITS.segments;
const MIN_TARGET_MS = 1_000;
/** Tags that only a multivariant playlist may have (RFC 8216, 4.3.4). */
const MULTIVARIANT_TAGS = new Set(['EXT-X-STREAM-INF', 'EXT-X-I-FRAME-STREAM-INF', 'EXT-X-MEDIA']);

/** A playlist of segments, as somebody else wrote it (RFC 8216, 4.3.3). Immutable. */
export interface MediaPlaylist {
  readonly version: number;
  /** At least 1000; that of the longest segment, in whole seconds, if the playlist does not tell. */
  readonly targetDurationMs: number;
  readonly mediaSequence: number;
  readonly discontinuitySequence: number;
  /** Whether nothing will be added any more. */
  readonly ended: boolean;
  readonly type: 'event' | 'vod' | undefined;
  readonly independentSegments: boolean;
  readonly iFramesOnly: boolean;
  readonly start: StartPoint | undefined;
  readonly segments: readonly Segment[];
  /** What is in force after the last segment: for the parts of the one that is not whole yet. */
  readonly trailing: SegmentHead;
  /** The parts of `trailing`. */
  readonly trailingParts: readonly Part[];
  readonly serverControl: ServerControl | undefined;
  readonly partTargetMs: number | undefined;
  readonly preloadHint: PreloadHint | undefined;
  readonly renditionReports: readonly RenditionReport[];
  /** EXT-X-DATERANGE lines, variables put in; each is also among the `otherTags` of the segment that it stands before. */
  readonly dateRanges: readonly string[];
}

/**
 * Reads a playlist of segments in one pass; costs no more than `PLAYLIST_LIMITS`.
 * @param base address that it came from, after redirects
 * @param imports variables of the multivariant playlist that names it
 * @throws AppError `BAD_MEDIA` with the line if it is none or beyond a limit
 */
export function parseMediaPlaylist(text: string, base: URL, imports?: ReadonlyMap<string, string>): MediaPlaylist {
  const reader = new MediaPlaylistReader(new PlaylistScope(base, imports));
  for (const line of linesOf(text)) reader.take(line);
  return reader.build();
}

class MediaPlaylistReader {
  readonly #scope: PlaylistScope;
  readonly #builder: SegmentBuilder;
  readonly #renditionReports: RenditionReport[] = [];
  #version = 1;
  #targetMs: number | undefined;
  #mediaSequence = 0;
  #discontinuitySequence = 0;
  #ended = false;
  #type: 'event' | 'vod' | undefined;
  #independentSegments = false;
  #iFramesOnly = false;
  #start: StartPoint | undefined;
  #serverControl: ServerControl | undefined;
  #partTargetMs: number | undefined;
  #preloadHint: PreloadHint | undefined;

  constructor(scope: PlaylistScope) {
    this.#scope = scope;
    this.#builder = new SegmentBuilder(scope);
  }

  take(line: Line): void {
    const name = tagOf(line);
    if (name === undefined) this.#builder.takeUri(line);
    else if (!this.#builder.takeTag(line, name) && !this.#takeTag(line, name)) this.#builder.takeOther(line);
  }

  build(): MediaPlaylist {
    const mediaSequence = this.#mediaSequence;
    const discontinuitySequence = this.#discontinuitySequence;
    const { segments, trailing } = this.#builder.build({ mediaSequence, discontinuitySequence });
    if (segments.length === 0 && this.#targetMs === undefined) {
      throw new AppError('BAD_MEDIA', 'the playlist has neither segments nor a target duration');
    }
    const longestMs = segments.reduce((most, { durationMs }) => Math.max(most, durationMs), 0);
    const all = [...segments, trailing];
    return Object.freeze({
      version: this.#version,
      targetDurationMs: Math.max(MIN_TARGET_MS, this.#targetMs ?? Math.ceil(longestMs / 1_000) * 1_000),
      ...{ mediaSequence, discontinuitySequence, segments, trailing },
      ...{ ended: this.#ended, type: this.#type, independentSegments: this.#independentSegments },
      ...{ iFramesOnly: this.#iFramesOnly, start: this.#start, trailingParts: trailing.parts },
      ...{ serverControl: this.#serverControl, partTargetMs: this.#partTargetMs, preloadHint: this.#preloadHint },
      renditionReports: Object.freeze(this.#renditionReports),
      dateRanges: Object.freeze(
        all.flatMap(({ otherTags }) => otherTags.filter((tag) => tag.startsWith('#EXT-X-DATERANGE:'))),
      ),
    });
  }

  /** Takes a tag that concerns the playlist; false if it is not known. */
  #takeTag(line: Line, name: string): boolean {
    if (MULTIVARIANT_TAGS.has(name)) {
      throw badLine(line, 'lists variants, where segments are expected: a variant must not lead to variants again');
    }
    const value = valueOf(line);
    if (name === 'EXT-X-VERSION') this.#version = integerFrom(value, 1_000) ?? 1;
    else if (name === 'EXT-X-TARGETDURATION') this.#targetMs = targetOf(line, value);
    else if (name === 'EXT-X-MEDIA-SEQUENCE') this.#mediaSequence = sequenceOf(line, value);
    else if (name === 'EXT-X-DISCONTINUITY-SEQUENCE') this.#discontinuitySequence = sequenceOf(line, value);
    else if (name === 'EXT-X-ENDLIST') this.#ended = true;
    else if (name === 'EXT-X-PLAYLIST-TYPE') this.#type = typeOf(value);
    else if (name === 'EXT-X-INDEPENDENT-SEGMENTS') this.#independentSegments = true;
    else if (name === 'EXT-X-I-FRAMES-ONLY') this.#iFramesOnly = true;
    else if (name === 'EXT-X-DEFINE') this.#scope.define(line);
    else if (name === 'EXT-X-START') this.#start = parseStart(this.#scope.attributes(line));
    else if (name === 'EXT-X-SKIP') throw badLine(line, 'leaves segments out, which was not asked for');
    else return this.#takeLowLatencyTag(line, name);
    return true;
  }

  #takeLowLatencyTag(line: Line, name: string): boolean {
    if (name === 'EXT-X-SERVER-CONTROL') this.#serverControl = parseServerControl(this.#scope.attributes(line));
    else if (name === 'EXT-X-PART-INF') {
      const target = textOf(this.#scope.attributes(line), 'PART-TARGET');
      this.#partTargetMs = millisecondsFrom(target, PLAYLIST_LIMITS.segmentMs);
    } else if (name === 'EXT-X-PRELOAD-HINT') this.#preloadHint ??= parsePreloadHint(line, this.#scope);
    else if (name === 'EXT-X-RENDITION-REPORT') {
      if (this.#renditionReports.length === PLAYLIST_LIMITS.listed) {
        throw badLine(line, `is one report too many; ${PLAYLIST_LIMITS.listed} are the limit`);
      }
      this.#renditionReports.push(parseRenditionReport(line, this.#scope));
    } else return false;
    return true;
  }
}

function targetOf(line: Line, value: string): number {
  const seconds = decimalFrom(value, PLAYLIST_LIMITS.segmentMs / 1_000);
  if (seconds === undefined) {
    throw badLine(line, `has a target duration of ${shown(value)}, not of up to 600 seconds`);
  }
  return Math.ceil(seconds) * 1_000;
}

function sequenceOf(line: Line, value: string): number {
  const sequence = integerFrom(value, MAX_SEQUENCE);
  if (sequence === undefined) throw badLine(line, `has a sequence number of ${shown(value)}`);
  return sequence;
}

function typeOf(value: string): 'event' | 'vod' | undefined {
  return value === 'VOD' ? 'vod' : value === 'EVENT' ? 'event' : undefined;
}
