import { addressLabel } from '../remote/remote-url.ts';
import { addressesOf } from './source-address.ts';
import type { SourceState } from './source-run.ts';
import type { Source } from './source.ts';

/** A source as its owner may see it: nothing of credentials, queries and headers. */
export interface SourceView {
  readonly name: string;
  readonly mode: 'ladder' | 'relay';
  readonly onDemand: boolean;
  /** Where it was registered. */
  readonly from: 'config' | 'api';
  readonly user?: string;
  readonly maxConnections?: number;
  readonly recorded?: 'channel' | 'film';
  readonly state: SourceState;
  /** ISO 8601. */
  readonly since: string;
  readonly addresses: readonly string[];
  /** The one at present. */
  readonly address?: string;
  readonly lastError?: { readonly message: string; readonly at: string };
  /** Paths of the multivariant playlist and of the page that plays it. */
  readonly playlist: string;
  readonly watch: string;
  readonly viewers: number;
  readonly failovers: number;
  /** Totals since the server's start. */
  readonly counters: Readonly<Record<string, number>>;
}

/** Shows a source. */
export function viewSource<Channel>(source: Source<Channel>): SourceView {
  const { entry, name, fault, status, film } = source;
  const { mode, user, maxConnections, recorded } = entry;
  const paths =
    film ??
    (mode === 'ladder'
      ? { playlist: `/hls/${source.broadcast}/index.m3u8`, watch: `/watch/${source.broadcast}` }
      : { playlist: `/relay/${name}/index.m3u8`, watch: `/watch/relay/${name}` });
  return {
    ...{ name, mode, onDemand: source.onDemand, from: source.from },
    ...(user !== undefined && { user }),
    ...(maxConnections !== undefined && { maxConnections }),
    ...(recorded !== undefined && { recorded }),
    ...{ state: source.state, since: new Date(source.sinceMs).toISOString() },
    addresses: addressesOf(entry).map(addressLabel),
    ...(status?.address !== undefined && { address: status.address }),
    ...(fault !== undefined && { lastError: { message: fault.message, at: new Date(fault.atMs).toISOString() } }),
    ...paths,
    ...{ viewers: source.viewers, failovers: source.failovers, counters: source.counters },
  };
}
