import { BroadcastPattern } from '../util/broadcast-pattern.ts';
import type { BroadcastEntry, Config } from './schema.ts';

/** What applies to one broadcast. */
export interface BroadcastSettings {
  /** How long it waits for a publisher that has gone; 0: it ends at once. */
  readonly graceMs: number;
  /** Whether a still picture and silence go on meanwhile; a text is the absolute path of the picture. */
  readonly slate: boolean | string;
  /** How far back viewers may go, ms. */
  readonly dvrMs: number;
  /** Whether it stays as a recording when it ends. */
  readonly archive: boolean;
}

/** Answers for any broadcast: of all entries whose pattern fits and that name a setting, the narrowest has its way. */
export function broadcastSettings({
  broadcasts,
  publish,
  hls,
}: Pick<Config, 'broadcasts' | 'publish' | 'hls'>): (broadcast: string) => BroadcastSettings {
  const { graceMs, slate } = publish;
  const { dvrMs, archive } = hls;
  const widestFirst = broadcasts
    .map(({ broadcast, ...settings }: BroadcastEntry) => ({ pattern: new BroadcastPattern(broadcast), settings }))
    .sort((a, b) => a.pattern.specificity - b.pattern.specificity);
  return (broadcast) =>
    widestFirst
      .filter(({ pattern }) => pattern.matches(broadcast))
      .reduce<BroadcastSettings>((merged, entry) => ({ ...merged, ...entry.settings }), {
        graceMs,
        slate,
        dvrMs,
        archive,
      });
}
