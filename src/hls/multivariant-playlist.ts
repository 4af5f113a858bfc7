import { PLAYLIST_VERSION } from './media-playlist.ts';

/** An `EXT-X-MEDIA` audio rendition, alone in its group. */
export interface AudioGroup {
  readonly groupId: string;
  readonly uri: string;
  readonly channels: number | undefined;
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
}

/** What a multivariant playlist says. */
export interface MultivariantSnapshot {
  readonly audioGroups: readonly AudioGroup[];
  /** In the order in which they are listed; players start with the first. */
  readonly variants: readonly Variant[];
}

/** Renders a multivariant playlist (draft-pantos-hls-rfc8216bis, section 4.4.6). */
export function renderMultivariantPlaylist({ audioGroups, variants }: MultivariantSnapshot): string {
  const media = audioGroups.map((group) => `#EXT-X-MEDIA:${audioAttributes(group)}`);
  const streams = variants.flatMap((variant) => [`#EXT-X-STREAM-INF:${streamAttributes(variant)}`, variant.uri]);
  const head = ['#EXTM3U', `#EXT-X-VERSION:${PLAYLIST_VERSION}`, '#EXT-X-INDEPENDENT-SEGMENTS'];
  return `${[...head, ...media, ...streams].join('\n')}\n`;
}

/** The middle rung first, where players start; then the others from high to low, those without a picture last. */
export function orderVariants(variants: readonly Variant[]): Variant[] {
  const pixels = ({ width = 0, height = 0 }: Variant): number => width * height;
  const sorted = [...variants].sort(
    (a, b) => pixels(b) - pixels(a) || b.bandwidth - a.bandwidth || (a.uri < b.uri ? -1 : 1),
  );
  const withPicture = sorted.filter((variant) => pixels(variant) > 0);
  const middle = withPicture[Math.floor((withPicture.length - 1) / 2)];
  return middle === undefined ? sorted : [middle, ...sorted.filter((variant) => variant !== middle)];
}

function audioAttributes({ groupId, uri, channels }: AudioGroup): string {
  const attributes = ['TYPE=AUDIO', `GROUP-ID="${groupId}"`, 'NAME="audio"', 'DEFAULT=YES', 'AUTOSELECT=YES'];
  if (channels !== undefined) attributes.push(`CHANNELS="${channels}"`);
  return [...attributes, `URI="${uri}"`].join(',');
}

function streamAttributes(variant: Variant): string {
  const { width, height, frameRate, audioGroup } = variant;
  const attributes = [
    `BANDWIDTH=${variant.bandwidth}`,
    `AVERAGE-BANDWIDTH=${variant.averageBandwidth}`,
    `CODECS="${[...new Set(variant.codecs)].join(',')}"`,
  ];
  if (width !== undefined && height !== undefined) attributes.push(`RESOLUTION=${width}x${height}`);
  if (frameRate !== undefined) attributes.push(`FRAME-RATE=${frameRate.toFixed(3)}`);
  if (audioGroup !== undefined) attributes.push(`AUDIO="${audioGroup}"`);
  return attributes.join(',');
}
