import type { FragmentSource } from '../broadcast/fragment-broadcaster.ts';
import type { PublisherRow, WaitingRow } from '../ingest/broadcast-source.ts';
import { SOURCE_RENDITION } from '../media/track-key.ts';
import type { HttpDeps } from './deps.ts';
import type { BroadcastReply, PublisherReply, SourceTrackReply } from './schemas.ts';

type ViewDeps = Pick<HttpDeps, 'directory' | 'publishers' | 'origin' | 'viewers'>;

/** Every broadcast that is live or can still be played, by name: what publisher, registry and packager know, side by side. */
export function viewBroadcasts({ directory, publishers, origin, viewers }: ViewDeps): BroadcastReply[] {
  const publishing = new Map(publishers.list().map((row) => [row.broadcast, row]));
  const waiting = new Map(publishers.waiting().map((row) => [row.broadcast, row]));
  const packaged = new Map(origin.describe().map((row) => [row.broadcast, row]));
  const tracks = directory.list().filter(({ key }) => key.rendition === SOURCE_RENDITION);
  const names = new Set([
    ...publishing.keys(),
    ...waiting.keys(),
    ...packaged.keys(),
    ...tracks.map(({ key }) => key.broadcast),
  ]);
  return [...names].sort().map((name) => {
    const publisher = publishing.get(name);
    const source = tracks.filter(({ key }) => key.broadcast === name);
    const { renditions = [], warnings = [], archive } = packaged.get(name) ?? {};
    return {
      name,
      ...viewState(waiting.get(name), publisher !== undefined || source.length > 0),
      playlist: `/hls/${name}/index.m3u8`,
      watch: `/watch/${name}`,
      viewers: viewers.count(name),
      ...(publisher !== undefined && { publisher: viewPublisher(publisher) }),
      source: source.map(viewTrack),
      renditions: [...renditions],
      warnings: [...warnings],
      ...(archive !== undefined && { archive }),
    };
  });
}

function viewState(
  waits: WaitingRow | undefined,
  isLive: boolean,
): Pick<BroadcastReply, 'state' | 'waitingUntil' | 'slate'> {
  if (waits === undefined) return { state: isLive ? 'live' : 'ended' };
  return { state: 'waiting', waitingUntil: new Date(waits.untilMs).toISOString(), slate: waits.slate };
}

function viewPublisher({ protocol, remote, sinceMs, stats }: PublisherRow): PublisherReply {
  return { protocol, remote, since: new Date(sinceMs).toISOString(), ...stats };
}

function viewTrack({ key, init }: FragmentSource): SourceTrackReply {
  const { codec, width, height, frameRate, sampleRate, channels } = init;
  return {
    track: key.track,
    codec,
    ...(width !== undefined && { width }),
    ...(height !== undefined && { height }),
    ...(frameRate !== undefined && { frameRate }),
    ...(sampleRate !== undefined && { sampleRate }),
    ...(channels !== undefined && { channels }),
  };
}
