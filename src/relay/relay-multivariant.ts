import type { UpstreamLadder, UpstreamRendition } from '../upstream/follow/upstream-ladder.ts';
import type { MediaRendition, MultivariantPlaylist } from '../upstream/playlist/multivariant-playlist.ts';
import { startLine } from './relay-playlist.ts';
import { attributeList, isHarmless, quoted } from './tag-text.ts';

/** Said of a source that does not tell, bit/s. There is one variant then, so nobody chooses by it. */
const UNKNOWN_BANDWIDTH = 2_000_000;

/** What is said by others here, or would send players elsewhere. */
const DROPPED_TAGS = /^#EXT-X-(?:CONTENT-STEERING|DEFINE)\b/;

/**
 * Renders the multivariant playlist of a source: attributes stay as they were, addresses are those of this server. A source
 * that has none gets one with a single variant.
 * @param uriOf the URI of a rendition's media playlist, relative to this playlist
 */
export function renderRelayMultivariant(
  ladder: UpstreamLadder,
  uriOf: (rendition: UpstreamRendition) => string,
): string {
  const { playlist, renditions } = ladder;
  const lines = playlist === undefined ? ['#EXTM3U', '#EXT-X-VERSION:3'] : headLines(playlist);
  for (const media of playlist?.media ?? []) {
    const rendition = renditions.find((candidate) => candidate.media === media);
    // One with an address that is not followed cannot be had here.
    if (rendition === undefined && media.uri !== undefined) continue;
    lines.push(mediaLine(media, rendition && uriOf(rendition)));
  }
  for (const rendition of renditions) {
    const { kind, variant } = rendition;
    const uri = uriOf(rendition);
    if (kind === 'iframes' && variant !== undefined) {
      lines.push(`#EXT-X-I-FRAME-STREAM-INF:${attributeList(variant.attributes, { URI: quoted(uri) })}`);
    } else if (kind === 'variant') {
      const attributes = variant === undefined ? '' : attributeList(variant.attributes);
      const rate = variant?.attributes.has('BANDWIDTH') === true ? '' : `BANDWIDTH=${UNKNOWN_BANDWIDTH}`;
      lines.push(`#EXT-X-STREAM-INF:${[rate, attributes].filter((text) => text !== '').join(',')}`, uri);
    }
  }
  return `${lines.join('\n')}\n`;
}

function headLines(playlist: MultivariantPlaylist): string[] {
  const { version, independentSegments, start, sessionKeys, otherTags } = playlist;
  const lines = ['#EXTM3U', `#EXT-X-VERSION:${version}`];
  if (independentSegments) lines.push('#EXT-X-INDEPENDENT-SEGMENTS');
  if (start !== undefined) lines.push(startLine(start));
  for (const { uri, attributes } of sessionKeys) {
    // Keys that are relayed have an address for each place where they are used.
    if (uri !== undefined) continue;
    const given = attributes.get('URI')?.text ?? '';
    lines.push(`#EXT-X-SESSION-KEY:${attributeList(attributes, { URI: quoted(given) })}`);
  }
  return [...lines, ...otherTags.filter((tag) => isHarmless(tag) && !DROPPED_TAGS.test(tag))];
}

function mediaLine({ attributes }: MediaRendition, uri: string | undefined): string {
  return `#EXT-X-MEDIA:${attributeList(attributes, uri === undefined ? {} : { URI: quoted(uri) })}`;
}
