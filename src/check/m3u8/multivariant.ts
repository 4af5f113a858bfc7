import { type Attributes, parseAttributes, resolveUrl } from './attribute-list.ts';

/** A tag of a multivariant playlist that names a media playlist. */
export interface Listing {
  readonly attributes: Attributes;
  /** `undefined` for an `EXT-X-MEDIA` whose media are in the variants themselves. */
  readonly url: string | undefined;
  /** The tag's line. */
  readonly line: string;
}

/** A multivariant playlist as its lines say. */
export interface Multivariant {
  readonly variants: readonly Listing[];
  readonly media: readonly Listing[];
  readonly iFrames: readonly Listing[];
  readonly independentSegments: boolean;
}

const MAX_LISTINGS = 200;

/** True for a playlist that lists other playlists. */
export function isMultivariant(text: string): boolean {
  return /^#EXT-X-STREAM-INF:/m.test(text);
}

/** Reads a multivariant playlist (draft-pantos-hls-rfc8216bis, section 4.4.6); of each kind the first 200 listings. */
export function parseMultivariant(text: string, baseUrl: string): Multivariant {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const listing = (line: string, uri: string | undefined): Listing => {
    const attributes = parseAttributes(line.slice(line.indexOf(':') + 1));
    const own = uri ?? attributes.get('URI');
    return { attributes, url: own === undefined ? undefined : resolveUrl(own, baseUrl), line };
  };
  const tagged = (tag: string): Listing[] =>
    lines
      .filter((line) => line.startsWith(`#${tag}:`))
      .slice(0, MAX_LISTINGS)
      .map((line) => listing(line, undefined));
  const variants = lines.flatMap((line, index) => {
    if (!line.startsWith('#EXT-X-STREAM-INF:')) return [];
    const uri = lines.slice(index + 1, index + 20).find((next) => next !== '' && !next.startsWith('#'));
    return [listing(line, uri)];
  });
  return {
    variants: variants.slice(0, MAX_LISTINGS),
    media: tagged('EXT-X-MEDIA'),
    iFrames: tagged('EXT-X-I-FRAME-STREAM-INF'),
    independentSegments: lines.includes('#EXT-X-INDEPENDENT-SEGMENTS'),
  };
}
