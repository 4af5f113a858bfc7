import { textOf } from './attribute-list.ts';
import { type ByteRange, ByteRanges, parseByteRange } from './byte-range.ts';
import { KeysInForce, parseKey } from './key.ts';
import { PLAYLIST_LIMITS } from './limits.ts';
import { parsePart } from './low-latency.ts';
import { dateTimeFrom, integerFrom, millisecondsFrom } from './number-text.ts';
import { type PlaylistScope, valueOf } from './playlist-scope.ts';
import { badLine, type Line, shown } from './playlist-text.ts';
import type { MediaMap, Part, Segment, SegmentHead } from './segment.ts';

const MAX_BITRATE_KBPS = 10_000_000;

/** Where a playlist says that it begins. */
interface Origin {
  readonly mediaSequence: number;
  readonly discontinuitySequence: number;
}

/** Collects segments from the lines of a media playlist that concern them. */
export class SegmentBuilder {
  readonly #scope: PlaylistScope;
  readonly #keys = new KeysInForce();
  readonly #segmentRanges = new ByteRanges();
  readonly #partRanges = new ByteRanges();
  /** Numbered from 0 until all is read, since the numbers may come last. */
  readonly #segments: Draft<Segment>[] = [];
  #map: MediaMap | undefined;
  #bitrateKbps: number | undefined;
  #discontinuities = 0;
  #partCount = 0;
  #next = new NextSegment();

  constructor(scope: PlaylistScope) {
    this.#scope = scope;
  }

  /** Takes a tag; false if it does not concern segments. @throws AppError `BAD_MEDIA` */
  takeTag(line: Line, name: string): boolean {
    const next = this.#next;
    if (name === 'EXTINF') this.#takeDuration(line);
    else if (name === 'EXT-X-BYTERANGE') next.byteRange = parseByteRange(line, valueOf(line));
    else if (name === 'EXT-X-DISCONTINUITY') {
      // Twice before one segment is still one break.
      if (!next.discontinuity) this.#discontinuities += 1;
      next.discontinuity = true;
    } else if (name === 'EXT-X-KEY') this.#keys.take(line, parseKey(line, this.#scope));
    else if (name === 'EXT-X-MAP') this.#map = this.#parseMap(line);
    else if (name === 'EXT-X-PROGRAM-DATE-TIME') next.programDateTimeMs = dateTimeFrom(valueOf(line));
    else if (name === 'EXT-X-GAP') next.isGap = true;
    else if (name === 'EXT-X-BITRATE') this.#bitrateKbps = integerFrom(valueOf(line), MAX_BITRATE_KBPS);
    else if (name === 'EXT-X-PART') this.#takePart(line);
    else return false;
    return true;
  }

  /** Takes a tag that is only handed on. */
  takeOther(line: Line): void {
    this.#next.otherTags.push(this.#scope.substitute(line, line.text));
  }

  /** Takes the address of a segment. @throws AppError `BAD_MEDIA` */
  takeUri(line: Line): void {
    const { durationMs, title, byteRange } = this.#next;
    if (durationMs === undefined) throw badLine(line, 'is the address of a segment without EXTINF');
    if (this.#segments.length === PLAYLIST_LIMITS.segments) {
      throw badLine(line, `is one segment too many; ${PLAYLIST_LIMITS.segments} are the limit`);
    }
    const uri = this.#scope.resolve(line, this.#scope.substitute(line, line.text));
    if (byteRange === undefined) this.#segmentRanges.interrupt();
    const draft = this.#head() as Draft<Segment>;
    draft.uri = uri;
    draft.durationMs = durationMs;
    draft.title = title;
    draft.byteRange = byteRange && this.#segmentRanges.next(line, uri, byteRange);
    draft.bitrateKbps = byteRange === undefined ? this.#bitrateKbps : undefined;
    this.#segments.push(draft);
    this.#next = new NextSegment();
  }

  /** All segments, and what is in force after the last one. To be called once, at the end. */
  build({ mediaSequence, discontinuitySequence }: Origin): { segments: readonly Segment[]; trailing: SegmentHead } {
    const trailing = this.#head();
    for (const head of [...this.#segments, trailing]) {
      head.sequence += mediaSequence;
      head.discontinuitySequence += discontinuitySequence;
      Object.freeze(head);
    }
    return { segments: Object.freeze(this.#segments), trailing };
  }

  #head(): Draft<SegmentHead> {
    const { discontinuity, programDateTimeMs, isGap, parts, otherTags } = this.#next;
    return {
      sequence: this.#segments.length,
      discontinuitySequence: this.#discontinuities,
      discontinuity,
      key: this.#keys.first,
      keys: this.#keys.all,
      map: this.#map,
      programDateTimeMs,
      isGap,
      parts,
      otherTags,
    };
  }

  #takeDuration(line: Line): void {
    const value = valueOf(line);
    const comma = value.indexOf(',');
    const text = (comma < 0 ? value : value.slice(0, comma)).trim();
    const durationMs = millisecondsFrom(text, PLAYLIST_LIMITS.segmentMs);
    if (durationMs === undefined) {
      const hint = text.startsWith('-1') ? ': a list of channels is no HLS playlist' : '';
      throw badLine(line, `has a duration of ${shown(text)}, not of 0 to 600 seconds${hint}`);
    }
    this.#next.durationMs = durationMs;
    this.#next.title = comma < 0 ? '' : value.slice(comma + 1).trim();
  }

  #takePart(line: Line): void {
    this.#partCount += 1;
    if (this.#partCount > PLAYLIST_LIMITS.parts) {
      throw badLine(line, `is one part too many; ${PLAYLIST_LIMITS.parts} are the limit`);
    }
    this.#next.parts.push(parsePart(line, this.#scope, this.#partRanges));
  }

  #parseMap(line: Line): MediaMap {
    const attributes = this.#scope.attributes(line);
    const uri = this.#scope.uriOf(line, attributes);
    if (uri === undefined) throw badLine(line, 'is a map without URI');
    const range = textOf(attributes, 'BYTERANGE');
    const { length, offset = 0 } = range === undefined ? { length: 0 } : parseByteRange(line, range);
    const byteRange: ByteRange | undefined = range === undefined ? undefined : { offset, length };
    return Object.freeze({ uri, byteRange, key: this.#keys.first });
  }
}

type Draft<T> = { -readonly [K in keyof T]: T[K] };

/** What is known of the segment whose address comes next. */
class NextSegment {
  durationMs: number | undefined = undefined;
  title = '';
  byteRange: { length: number; offset: number | undefined } | undefined = undefined;
  discontinuity = false;
  programDateTimeMs: number | undefined = undefined;
  isGap = false;
  readonly parts: Part[] = [];
  readonly otherTags: string[] = [];
}
