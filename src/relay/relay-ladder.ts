import { RenderedPlaylist } from '../hls/rendered-playlist.ts';
import type { UpstreamLadder, UpstreamRendition } from '../upstream/follow/upstream-ladder.ts';
import type { RenditionReport } from '../upstream/playlist/low-latency.ts';
import { renderRelayMultivariant } from './relay-multivariant.ts';

/** A playlist that is relayed. */
interface RelayedRendition {
  readonly rendition: UpstreamRendition;
  /** Signed URI of its playlist, relative to the multivariant playlist. */
  readonly uri: string;
  /** Path of its playlist where the source has it. */
  readonly path: string | undefined;
}

/** What a source offers, as it is relayed: each playlist once, whatever it is listed as. */
export class RelayLadder {
  /** The multivariant playlist. */
  readonly multivariant: RenderedPlaylist;
  /** By id. */
  readonly renditions: ReadonlyMap<string, RelayedRendition>;

  /** @param uriOf the signed URI of a rendition's playlist, relative to the multivariant playlist */
  constructor(ladder: UpstreamLadder, uriOf: (id: string) => string) {
    // Sound that also is a variant is one playlist, and fetched once.
    const byHref = new Map(ladder.renditions.map((rendition) => [hrefOf(rendition), rendition]));
    const shared = (rendition: UpstreamRendition): UpstreamRendition => byHref.get(hrefOf(rendition)) ?? rendition;
    this.renditions = new Map(
      [...byHref.values()].map((rendition) => {
        const path = (rendition.variant ?? rendition.media)?.uri?.pathname;
        return [rendition.id, { rendition, path, uri: uriOf(rendition.id) }];
      }),
    );
    this.multivariant = new RenderedPlaylist(
      renderRelayMultivariant(ladder, (rendition) => uriOf(shared(rendition).id)),
    );
  }
}

/** How far upstream says that another playlist is, by its path there. */
export function reportedEdges(
  reports: readonly RenditionReport[],
): ReadonlyMap<string | undefined, { readonly lastMsn: number; readonly lastPart: number }> {
  return new Map(
    reports.flatMap(({ uri, lastSequence: lastMsn, lastPart }) =>
      lastMsn === undefined || lastPart === undefined ? [] : [[uri.pathname, { lastMsn, lastPart }] as const],
    ),
  );
}

function hrefOf({ variant, media }: UpstreamRendition): string | undefined {
  return (variant ?? media)?.uri?.href;
}
