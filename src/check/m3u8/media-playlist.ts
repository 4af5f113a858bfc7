import { AppError } from '../../util/errors.ts';
import { type Attributes, decimal, integer, parseAttributes, resolveUrl } from './attribute-list.ts';

/** Bytes of a file; `undefined` where the whole file is meant. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** What can be fetched: an init, a segment or a part. */
export interface Resource {
  readonly url: string;
  readonly range: ByteRange | undefined;
}

/** One `EXT-X-PART`. */
export interface Part extends Resource {
  readonly durationS: number;
  readonly independent: boolean;
  readonly gap: boolean;
  /** The line as it stands in the playlist. */
  readonly line: string;
}

/** What tags say of a segment, or of the one that is being made. */
export interface SegmentTags {
  readonly msn: number;
  readonly parts: readonly Part[];
  readonly discontinuity: boolean;
  readonly gap: boolean;
  /** Of its own tag. */
  readonly statedDateMs: number | undefined;
  /** Own or inherited. */
  readonly map: Resource | undefined;
}

/** A whole segment. */
export interface Segment extends SegmentTags, Resource {
  readonly durationS: number;
  /** The `EXTINF` line. */
  readonly line: string;
}

/** One `EXT-X-RENDITION-REPORT`. */
export interface RenditionReport {
  readonly url: string;
  readonly lastMsn: number | undefined;
  readonly lastPart: number | undefined;
  readonly line: string;
}

/** One `EXT-X-PRELOAD-HINT`. */
export interface PreloadHint {
  readonly type: string;
  readonly url: string;
  readonly line: string;
}

/** A media playlist as its lines say, right or wrong. */
export interface MediaPlaylist {
  readonly version: number | undefined;
  readonly targetDurationS: number | undefined;
  readonly mediaSequence: number;
  /** `undefined` without its tag. */
  readonly discontinuitySequence: number | undefined;
  readonly playlistType: string | undefined;
  readonly independentSegments: boolean;
  readonly iFramesOnly: boolean;
  readonly partTargetS: number | undefined;
  readonly serverControl: Attributes | undefined;
  readonly skip: Attributes | undefined;
  /** Oldest first; without those that `EXT-X-SKIP` replaces. */
  readonly segments: readonly Segment[];
  /** Parts after the last whole segment, and the tags before them. */
  readonly open: SegmentTags;
  readonly hints: readonly PreloadHint[];
  readonly reports: readonly RenditionReport[];
  readonly ended: boolean;
}

const MAX_LINES = 400_000;

/**
 * Reads a media playlist (draft-pantos-hls-rfc8216bis, section 4.4); URLs are resolved against `baseUrl`.
 * @throws AppError `BAD_MEDIA` if the text is no media playlist.
 */
export function parseMediaPlaylist(text: string, baseUrl: string): MediaPlaylist {
  const lines = text.split(/\r?\n/, MAX_LINES + 1);
  if (lines[0]?.trim() !== '#EXTM3U') throw new AppError('BAD_MEDIA', 'the first line is not #EXTM3U');
  if (lines.length > MAX_LINES) throw new AppError('BAD_MEDIA', `the playlist has more than ${MAX_LINES} lines`);
  const reader = new PlaylistReader(baseUrl);
  for (const line of lines) reader.read(line.trim());
  return reader.finish();
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Takes lines one by one. */
class PlaylistReader {
  readonly #baseUrl: string;
  readonly #segments: Segment[] = [];
  readonly #hints: PreloadHint[] = [];
  readonly #reports: RenditionReport[] = [];
  readonly #single = new Map<string, string>();
  #parts: Part[] = [];
  #pending: Mutable<Omit<SegmentTags, 'parts' | 'msn'>> = startOfSegment(undefined);
  #extinf: { line: string; durationS: number } | undefined;
  #range: string | undefined;
  #lastRangeEnd = 0;

  constructor(baseUrl: string) {
    this.#baseUrl = baseUrl;
  }

  read(line: string): void {
    if (line === '' || (line.startsWith('#') && !line.startsWith('#EXT'))) return;
    if (!line.startsWith('#')) this.#addSegment(line);
    else this.#readTag(line);
  }

  finish(): MediaPlaylist {
    const attributes = (tag: string): Attributes | undefined => {
      const value = this.#single.get(tag);
      return value === undefined ? undefined : parseAttributes(value);
    };
    const mediaSequence = integer(this.#single.get('EXT-X-MEDIA-SEQUENCE')) ?? 0;
    const skip = attributes('EXT-X-SKIP');
    const firstMsn = mediaSequence + (integer(skip?.get('SKIPPED-SEGMENTS')) ?? 0);
    return {
      version: integer(this.#single.get('EXT-X-VERSION')),
      targetDurationS: integer(this.#single.get('EXT-X-TARGETDURATION')),
      mediaSequence,
      discontinuitySequence: integer(this.#single.get('EXT-X-DISCONTINUITY-SEQUENCE')),
      playlistType: this.#single.get('EXT-X-PLAYLIST-TYPE'),
      independentSegments: this.#single.has('EXT-X-INDEPENDENT-SEGMENTS'),
      iFramesOnly: this.#single.has('EXT-X-I-FRAMES-ONLY'),
      partTargetS: decimal(attributes('EXT-X-PART-INF')?.get('PART-TARGET')),
      serverControl: attributes('EXT-X-SERVER-CONTROL'),
      skip,
      segments: this.#segments.map((segment, index) => ({ ...segment, msn: firstMsn + index })),
      open: { ...this.#pending, parts: this.#parts, msn: firstMsn + this.#segments.length },
      hints: this.#hints,
      reports: this.#reports,
      ended: this.#single.has('EXT-X-ENDLIST'),
    };
  }

  #readTag(line: string): void {
    const colon = line.indexOf(':');
    const tag = line.slice(1, colon < 0 ? undefined : colon);
    const value = colon < 0 ? '' : line.slice(colon + 1);
    switch (tag) {
      case 'EXTINF':
        this.#extinf = { line, durationS: decimal(value.split(',')[0]) ?? NaN };
        break;
      case 'EXT-X-PART':
        this.#addPart(line, parseAttributes(value));
        break;
      case 'EXT-X-DISCONTINUITY':
        this.#pending.discontinuity = true;
        break;
      case 'EXT-X-GAP':
        this.#pending.gap = true;
        break;
      case 'EXT-X-PROGRAM-DATE-TIME':
        this.#pending.statedDateMs = Date.parse(value);
        break;
      case 'EXT-X-MAP': {
        const map = parseAttributes(value);
        const url = resolveUrl(map.get('URI') ?? '', this.#baseUrl);
        this.#pending.map = { url, range: byteRange(map.get('BYTERANGE'), 0) };
        break;
      }
      case 'EXT-X-BYTERANGE':
        this.#range = value;
        break;
      case 'EXT-X-PRELOAD-HINT': {
        const hint = parseAttributes(value);
        const url = resolveUrl(hint.get('URI') ?? '', this.#baseUrl);
        this.#hints.push({ type: hint.get('TYPE') ?? '', url, line });
        break;
      }
      case 'EXT-X-RENDITION-REPORT': {
        const report = parseAttributes(value);
        const [lastMsn, lastPart] = [integer(report.get('LAST-MSN')), integer(report.get('LAST-PART'))];
        this.#reports.push({ url: resolveUrl(report.get('URI') ?? '', this.#baseUrl), lastMsn, lastPart, line });
        break;
      }
      default:
        this.#single.set(tag, value);
    }
  }

  #addPart(line: string, part: Attributes): void {
    this.#parts.push({
      url: resolveUrl(part.get('URI') ?? '', this.#baseUrl),
      range: byteRange(part.get('BYTERANGE'), this.#lastRangeEnd),
      durationS: decimal(part.get('DURATION')) ?? NaN,
      independent: part.get('INDEPENDENT') === 'YES',
      gap: part.get('GAP') === 'YES',
      line,
    });
    const range = this.#parts.at(-1)?.range;
    if (range !== undefined) this.#lastRangeEnd = range.offset + range.length;
  }

  #addSegment(uri: string): void {
    const range = byteRange(this.#range, this.#lastRangeEnd);
    this.#segments.push({
      ...this.#pending,
      msn: 0,
      parts: this.#parts,
      url: resolveUrl(uri, this.#baseUrl),
      range,
      durationS: this.#extinf?.durationS ?? NaN,
      line: this.#extinf?.line ?? uri,
    });
    this.#lastRangeEnd = range === undefined ? 0 : range.offset + range.length;
    this.#parts = [];
    this.#pending = startOfSegment(this.#pending.map);
    this.#extinf = undefined;
    this.#range = undefined;
  }
}

function startOfSegment(map: Resource | undefined): Mutable<Omit<SegmentTags, 'parts' | 'msn'>> {
  return { discontinuity: false, gap: false, statedDateMs: undefined, map };
}

/** `n[@o]`; without `o` the range goes on where the last one ended. */
function byteRange(text: string | undefined, follows: number): ByteRange | undefined {
  if (text === undefined) return undefined;
  const [length, offset] = text.split('@');
  return { length: integer(length) ?? NaN, offset: offset === undefined ? follows : (integer(offset) ?? NaN) };
}
