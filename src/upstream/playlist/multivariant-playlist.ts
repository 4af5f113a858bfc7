import { AppError } from '../../util/errors.ts';
import { type Attributes, isYes, textOf } from './attribute-list.ts';
import { type Key, parseKey } from './key.ts';
import { PLAYLIST_LIMITS } from './limits.ts';
import { parseStart, type StartPoint } from './low-latency.ts';
import { decimalFrom, integerFrom } from './number-text.ts';
import { PlaylistScope, tagOf, valueOf } from './playlist-scope.ts';
import { badLine, type Line, linesOf } from './playlist-text.ts';

const MAX_BANDWIDTH = 1e12;
const MAX_CODECS = 20;
const MAX_SIDE = 65_536;
const MEDIA_TYPES = { AUDIO: 'audio', VIDEO: 'video', SUBTITLES: 'subtitles', 'CLOSED-CAPTIONS': 'closed-captions' };
/** Tags that only a playlist of segments may have (RFC 8216, 4.3.2 and 4.3.3). */
const MEDIA_TAGS = new Set(['EXTINF', 'EXT-X-TARGETDURATION', 'EXT-X-MEDIA-SEQUENCE', 'EXT-X-ENDLIST', 'EXT-X-PART']);

/** One choice of a multivariant playlist: EXT-X-STREAM-INF or EXT-X-I-FRAME-STREAM-INF (RFC 8216, 4.3.4.2). */
export interface Variant {
  readonly uri: URL;
  readonly attributes: Attributes;
  /** Bit/s; 0 if it is not told. */
  readonly bandwidth: number;
  /** Bit/s. */
  readonly averageBandwidth: number | undefined;
  /** As written, e.g. `avc1.64001f`; empty if they are not told. */
  readonly codecs: readonly string[];
  readonly resolution: { readonly width: number; readonly height: number } | undefined;
  readonly frameRate: number | undefined;
  /** `SDR`, `HLG`, `PQ` or what else it says. */
  readonly videoRange: string | undefined;
  readonly audioGroup: string | undefined;
  readonly videoGroup: string | undefined;
  readonly subtitlesGroup: string | undefined;
  /** `NONE` says that there are none. */
  readonly closedCaptionsGroup: string | undefined;
}

/** What a rendition is of. */
export type MediaType = 'audio' | 'video' | 'subtitles' | 'closed-captions';

/** A rendition: EXT-X-MEDIA (RFC 8216, 4.3.4.1). */
export interface MediaRendition {
  readonly type: MediaType;
  /** `undefined` if it is inside the segments of the variants. */
  readonly uri: URL | undefined;
  readonly attributes: Attributes;
  readonly groupId: string;
  readonly name: string;
  readonly language: string | undefined;
  readonly isDefault: boolean;
  readonly isAutoselect: boolean;
  readonly isForced: boolean;
  readonly characteristics: string | undefined;
  readonly channels: string | undefined;
  readonly instreamId: string | undefined;
}

/** A playlist of playlists, as somebody else wrote it (RFC 8216, 4.3.4). Immutable. */
export interface MultivariantPlaylist {
  readonly version: number;
  readonly independentSegments: boolean;
  readonly start: StartPoint | undefined;
  /** By name, for the playlists that it names. */
  readonly variables: ReadonlyMap<string, string>;
  /** At least one. */
  readonly variants: readonly Variant[];
  readonly media: readonly MediaRendition[];
  readonly iFrames: readonly Variant[];
  readonly sessionKeys: readonly Key[];
  /** Lines of other tags, e.g. EXT-X-SESSION-DATA, EXT-X-CONTENT-STEERING and unknown ones, variables put in. */
  readonly otherTags: readonly string[];
}

/**
 * Reads a playlist of playlists in one pass; costs no more than `PLAYLIST_LIMITS`.
 * @param base address that it came from, after redirects
 * @throws AppError `BAD_MEDIA` with the line if it is none or beyond a limit
 */
export function parseMultivariant(text: string, base: URL): MultivariantPlaylist {
  const reader = new MultivariantReader(new PlaylistScope(base));
  for (const line of linesOf(text)) reader.take(line);
  return reader.build();
}

class MultivariantReader {
  readonly #scope: PlaylistScope;
  readonly #variants: Variant[] = [];
  readonly #media: MediaRendition[] = [];
  readonly #iFrames: Variant[] = [];
  readonly #sessionKeys: Key[] = [];
  readonly #otherTags: string[] = [];
  #version = 1;
  #independentSegments = false;
  #start: StartPoint | undefined;
  /** Attributes of the variant whose address comes next. */
  #next: Attributes | undefined;

  constructor(scope: PlaylistScope) {
    this.#scope = scope;
  }

  take(line: Line): void {
    const name = tagOf(line);
    if (name === undefined) this.#takeUri(line);
    else if (MEDIA_TAGS.has(name)) throw badLine(line, 'belongs to segments, where variants are expected');
    else if (name === 'EXT-X-STREAM-INF') this.#next = this.#scope.attributes(line);
    else if (name === 'EXT-X-I-FRAME-STREAM-INF') this.#takeIFrames(line);
    else if (name === 'EXT-X-MEDIA') this.#takeMedia(line);
    else if (name === 'EXT-X-SESSION-KEY') this.#takeSessionKey(line);
    else if (name === 'EXT-X-DEFINE') this.#scope.define(line);
    else if (name === 'EXT-X-VERSION') this.#version = integerFrom(valueOf(line), 1_000) ?? 1;
    else if (name === 'EXT-X-INDEPENDENT-SEGMENTS') this.#independentSegments = true;
    else if (name === 'EXT-X-START') this.#start = parseStart(this.#scope.attributes(line));
    else this.#otherTags.push(this.#scope.substitute(line, line.text));
  }

  build(): MultivariantPlaylist {
    if (this.#variants.length === 0)
      throw new AppError('BAD_MEDIA', 'the playlist lists no variant that can be played');
    return Object.freeze({
      ...{ version: this.#version, independentSegments: this.#independentSegments, start: this.#start },
      variables: this.#scope.variables,
      variants: Object.freeze(this.#variants),
      media: Object.freeze(this.#media),
      iFrames: Object.freeze(this.#iFrames),
      sessionKeys: Object.freeze(this.#sessionKeys),
      otherTags: Object.freeze(this.#otherTags),
    });
  }

  #takeUri(line: Line): void {
    if (this.#next === undefined) throw badLine(line, 'is an address without EXT-X-STREAM-INF');
    const uri = this.#scope.resolve(line, this.#scope.substitute(line, line.text));
    this.#count(line);
    this.#variants.push(variantOf(this.#next, uri));
    this.#next = undefined;
  }

  #takeIFrames(line: Line): void {
    const attributes = this.#scope.attributes(line);
    const uri = this.#scope.uriOf(line, attributes);
    if (uri === undefined) throw badLine(line, 'is an I-frame variant without URI');
    this.#count(line);
    this.#iFrames.push(variantOf(attributes, uri));
  }

  #takeMedia(line: Line): void {
    const attributes = this.#scope.attributes(line);
    const type = mediaTypeOf(textOf(attributes, 'TYPE'));
    const groupId = textOf(attributes, 'GROUP-ID');
    // Later versions may know more kinds; clients ignore them (RFC 8216, 6.3.1).
    if (type === undefined) return;
    if (groupId === undefined) throw badLine(line, 'is a rendition without GROUP-ID');
    this.#count(line);
    this.#media.push(
      Object.freeze({
        ...{ type, groupId, attributes, uri: this.#scope.uriOf(line, attributes) },
        name: textOf(attributes, 'NAME') ?? '',
        language: textOf(attributes, 'LANGUAGE'),
        isDefault: isYes(attributes, 'DEFAULT'),
        isAutoselect: isYes(attributes, 'AUTOSELECT'),
        isForced: isYes(attributes, 'FORCED'),
        characteristics: textOf(attributes, 'CHARACTERISTICS'),
        channels: textOf(attributes, 'CHANNELS'),
        instreamId: textOf(attributes, 'INSTREAM-ID'),
      }),
    );
  }

  #takeSessionKey(line: Line): void {
    if (this.#sessionKeys.length === PLAYLIST_LIMITS.listed) {
      throw badLine(line, `is one session key too many; ${PLAYLIST_LIMITS.listed} are the limit`);
    }
    const key = parseKey(line, this.#scope);
    if (key !== undefined) this.#sessionKeys.push(key);
  }

  #count(line: Line): void {
    if (this.#variants.length + this.#iFrames.length + this.#media.length < PLAYLIST_LIMITS.variants) return;
    throw badLine(line, `is one variant or rendition too many; ${PLAYLIST_LIMITS.variants} are the limit`);
  }
}

function variantOf(attributes: Attributes, uri: URL): Variant {
  const text = (name: string): string | undefined => textOf(attributes, name);
  return Object.freeze({
    ...{ uri, attributes },
    bandwidth: integerFrom(text('BANDWIDTH'), MAX_BANDWIDTH) ?? 0,
    averageBandwidth: integerFrom(text('AVERAGE-BANDWIDTH'), MAX_BANDWIDTH),
    codecs: Object.freeze(codecsOf(text('CODECS'))),
    resolution: resolutionOf(text('RESOLUTION')),
    frameRate: decimalFrom(text('FRAME-RATE'), 1_000),
    videoRange: text('VIDEO-RANGE'),
    audioGroup: text('AUDIO'),
    videoGroup: text('VIDEO'),
    subtitlesGroup: text('SUBTITLES'),
    closedCaptionsGroup: text('CLOSED-CAPTIONS'),
  });
}

function codecsOf(text: string | undefined): string[] {
  const codecs = (text ?? '').split(',', MAX_CODECS).map((codec) => codec.trim());
  return codecs.filter((codec) => codec !== '');
}

function resolutionOf(text: string | undefined): { width: number; height: number } | undefined {
  const [width, height, more] = (text ?? '').split('x', 3).map((side) => integerFrom(side, MAX_SIDE));
  if (!width || !height || more !== undefined) return undefined;
  return Object.freeze({ width, height });
}

function mediaTypeOf(text: string | undefined): MediaType | undefined {
  return text !== undefined && Object.hasOwn(MEDIA_TYPES, text)
    ? (MEDIA_TYPES[text as keyof typeof MEDIA_TYPES] as MediaType)
    : undefined;
}
