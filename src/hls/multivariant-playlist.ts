import { PLAYLIST_VERSION } from './media-playlist.ts';

/** One `EXT-X-MEDIA`: a sound, or subtitles, that go with variants. */
export interface MediaRendition {
  readonly type: 'AUDIO' | 'SUBTITLES';
  readonly groupId: string;
  /** Unique in its group; for people. */
  readonly name: string;
  readonly uri: string;
  /** BCP 47. */
  readonly language?: string | undefined;
  /** True for at most one of a group: what plays unless the viewer chooses. */
  readonly isDefault: boolean;
  /** True if players may choose it by language; the default always has it. */
  readonly isAutoselect: boolean;
  /** Subtitles that are to be shown even to those who want none. */
  readonly isForced?: boolean;
  /** Uniform type identifiers, separated by commas. */
  readonly characteristics?: string | undefined;
  readonly channels?: number | undefined;
}

/** One `EXT-X-STREAM-INF`. Rates are bit/s and include the audio group's. */
export interface Variant {
  readonly uri: string;
  readonly bandwidth: number;
  readonly averageBandwidth: number;
  /** RFC 6381, of all formats that the variant has. */
  readonly codecs: readonly string[];
  readonly width: number | undefined;
  readonly height: number | undefined;
  readonly frameRate: number | undefined;
  readonly audioGroup: string | undefined;
  readonly subtitleGroup?: string | undefined;
}

/** One `EXT-X-I-FRAME-STREAM-INF`. Rates are bit/s. */
export interface IFrameVariant {
  readonly uri: string;
  readonly bandwidth: number;
  readonly averageBandwidth: number;
  readonly codecs: readonly string[];
  readonly width: number | undefined;
  readonly height: number | undefined;
}

/** What a multivariant playlist says. */
export interface MultivariantSnapshot {
  readonly media: readonly MediaRendition[];
  /** In the order in which they are listed; players start with the first. */
  readonly variants: readonly Variant[];
  readonly iframeVariants: readonly IFrameVariant[];
}

/** The rate at which players should start (Apple's HLS authoring specification, 1.32), bit/s. */
const DEFAULT_BANDWIDTH = 2_000_000;

/**
 * Renders a multivariant playlist (draft-pantos-hls-rfc8216bis, section 4.4.6).
 * @param query appended to the URIs of all media playlists, without `?`
 */
export function renderMultivariantPlaylist(
  { media, variants, iframeVariants }: MultivariantSnapshot,
  query = '',
): string {
  const suffix = query === '' ? '' : `?${query}`;
  const choices = media.map((rendition) => `#EXT-X-MEDIA:${mediaAttributes(rendition, suffix)}`);
  const streams = variants.flatMap((variant) => [
    `#EXT-X-STREAM-INF:${streamAttributes(variant)}`,
    `${variant.uri}${suffix}`,
  ]);
  const iframes = iframeVariants.map(
    (variant) =>
      `#EXT-X-I-FRAME-STREAM-INF:${[...pictureAttributes(variant), `URI="${variant.uri}${suffix}"`].join(',')}`,
  );
  const head = ['#EXTM3U', `#EXT-X-VERSION:${PLAYLIST_VERSION}`, '#EXT-X-INDEPENDENT-SEGMENTS'];
  return `${[...head, ...choices, ...streams, ...iframes].join('\n')}\n`;
}

/** The rung nearest to 2 Mbit/s first, where players start; then the others from high to low, those without a picture last. */
export function orderVariants(variants: readonly Variant[]): Variant[] {
  const pixels = ({ width = 0, height = 0 }: Variant): number => width * height;
  const distance = ({ bandwidth }: Variant): number => Math.abs(bandwidth - DEFAULT_BANDWIDTH);
  const sorted = [...variants].sort(
    (a, b) => pixels(b) - pixels(a) || b.bandwidth - a.bandwidth || (a.uri < b.uri ? -1 : 1),
  );
  const [start] = sorted.filter((variant) => pixels(variant) > 0).sort((a, b) => distance(a) - distance(b));
  return start === undefined ? sorted : [start, ...sorted.filter((variant) => variant !== start)];
}

function mediaAttributes(rendition: MediaRendition, suffix: string): string {
  const { type, groupId, name, language, isDefault, isAutoselect, isForced, channels, characteristics, uri } =
    rendition;
  return [
    `TYPE=${type}`,
    `GROUP-ID="${groupId}"`,
    `NAME=${quoted(name)}`,
    ...(language === undefined ? [] : [`LANGUAGE=${quoted(language)}`]),
    `DEFAULT=${yesOrNo(isDefault)}`,
    `AUTOSELECT=${yesOrNo(isAutoselect || isDefault)}`,
    ...(type === 'SUBTITLES' ? [`FORCED=${yesOrNo(isForced === true)}`] : []),
    ...(characteristics === undefined ? [] : [`CHARACTERISTICS="${characteristics}"`]),
    ...(channels === undefined ? [] : [`CHANNELS="${channels}"`]),
    `URI="${uri}${suffix}"`,
  ].join(',');
}

function yesOrNo(value: boolean): 'YES' | 'NO' {
  return value ? 'YES' : 'NO';
}

/** A quoted string has neither quotes nor line ends (RFC 8216, section 4.2); a name may come from anybody. */
function quoted(text: string): string {
  return `"${text.replaceAll('"', "'").replace(/\p{Cc}+/gu, ' ')}"`;
}

function streamAttributes(variant: Variant): string {
  const attributes = pictureAttributes(variant);
  if (variant.frameRate !== undefined) attributes.push(`FRAME-RATE=${variant.frameRate.toFixed(3)}`);
  if (variant.audioGroup !== undefined) attributes.push(`AUDIO="${variant.audioGroup}"`);
  if (variant.subtitleGroup !== undefined) attributes.push(`SUBTITLES="${variant.subtitleGroup}"`);
  // Players that are not told look for captions in the media first, and Shaka Player fails on a short playlist by it.
  attributes.push('CLOSED-CAPTIONS=NONE');
  return attributes.join(',');
}

function pictureAttributes({ bandwidth, averageBandwidth, codecs, width, height }: IFrameVariant): string[] {
  const attributes = [
    `BANDWIDTH=${bandwidth}`,
    `AVERAGE-BANDWIDTH=${averageBandwidth}`,
    `CODECS="${[...new Set(codecs)].join(',')}"`,
  ];
  if (width !== undefined && height !== undefined) attributes.push(`RESOLUTION=${width}x${height}`);
  return attributes;
}
