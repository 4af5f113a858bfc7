import type { ByteRange } from './byte-range.ts';
import type { Key } from './key.ts';

/** A media initialization section: EXT-X-MAP (RFC 8216, 4.3.2.5). The same object for all segments that it is in force for. */
export interface MediaMap {
  readonly uri: URL;
  readonly byteRange: ByteRange | undefined;
  /** What it is encrypted with; as `Segment.key`. */
  readonly key: Key | undefined;
}

/** A partial segment: EXT-X-PART (RFC 8216bis, 4.4.4.9). */
export interface Part {
  readonly uri: URL;
  readonly durationMs: number;
  readonly byteRange: ByteRange | undefined;
  readonly independent: boolean;
  readonly gap: boolean;
}

/** All that tags before a segment's address say of it. */
export interface SegmentHead {
  /** The playlist's own media sequence number. */
  readonly sequence: number;
  readonly discontinuitySequence: number;
  /** Whether EXT-X-DISCONTINUITY is before it. */
  readonly discontinuity: boolean;
  /** The key itself if there is one, else that of the first DRM system; `undefined` if it is not encrypted. */
  readonly key: Key | undefined;
  /** All keys in force: one for each key format. */
  readonly keys: readonly Key[];
  readonly map: MediaMap | undefined;
  /** Of EXT-X-PROGRAM-DATE-TIME before it, ms since 1970; not carried on from segments before. */
  readonly programDateTimeMs: number | undefined;
  readonly isGap: boolean;
  readonly parts: readonly Part[];
  /** Lines of other tags before it, e.g. EXT-X-DATERANGE, EXT-X-CUE-OUT and unknown ones, variables put in. */
  readonly otherTags: readonly string[];
}

/** A segment of a media playlist. Immutable; so are the URLs by agreement. */
export interface Segment extends SegmentHead {
  readonly uri: URL;
  /** 0 to 600,000. */
  readonly durationMs: number;
  /** Empty if there is none. */
  readonly title: string;
  readonly byteRange: ByteRange | undefined;
  /** Of EXT-X-BITRATE; `undefined` for parts of files. */
  readonly bitrateKbps: number | undefined;
}
