import { type EventEmitter, once } from 'node:events';
import type { Clock } from '../../util/clock.ts';
import type { Exchange, HttpClient, RequestOptions } from '../http-client.ts';
import { withoutBody, withQuery } from '../http-client.ts';
import type { MediaPlaylist } from '../m3u8/media-playlist.ts';
import type { Position } from '../m3u8/timeline.ts';
import type { MediaSampler } from '../media-sampler.ts';
import { fetchPlaylist, holdTimeoutMs, positionQuery } from '../playlist-observer.ts';
import type { DeltaPair, HintRequest, ObservedPlaylist, Probe, ProbeKind } from '../record.ts';
import { newest } from '../record.ts';

/** What probes have to work with, and where they leave what they saw. */
export class ProbeSession {
  readonly client: HttpClient;
  readonly clock: Clock;
  readonly sampler: MediaSampler;
  /** Emits `version` when any playlist changed. */
  readonly changes: EventEmitter;
  /** Aborts when the observation ends; what is unfinished then is not kept. */
  readonly signal: AbortSignal;
  readonly probes: Probe[] = [];
  readonly deltas: DeltaPair[] = [];
  readonly hints: HintRequest[] = [];
  readonly roundTripsMs: number[] = [];

  constructor(parts: Pick<ProbeSession, 'client' | 'clock' | 'sampler' | 'changes' | 'signal'>) {
    this.client = parts.client;
    this.clock = parts.clock;
    this.sampler = parts.sampler;
    this.changes = parts.changes;
    this.signal = parts.signal;
  }

  /** True once the observation has ended. */
  isOver(): boolean {
    return this.signal.aborted;
  }

  /** Asks for a media playlist with further query parameters, and keeps the answer as a probe. */
  async askPlaylist(kind: ProbeKind, playlist: ObservedPlaylist, query: string, position?: Position): Promise<Probe> {
    const before = newest(playlist).playlist;
    const url = withQuery(playlist.url, query);
    const options = { signal: this.signal, timeoutMs: holdTimeoutMs(before) };
    const answer = await fetchPlaylist(this.client, url, options);
    const probe: Probe = { kind, playlist, exchange: answer.exchange, before, answer: answer.playlist };
    const kept = position === undefined ? probe : { ...probe, position };
    if (!this.isOver()) this.probes.push(kept);
    return kept;
  }

  /** Asks for a position of a media playlist. */
  askPosition(kind: ProbeKind, playlist: ObservedPlaylist, position: Position): Promise<Probe> {
    return this.askPlaylist(kind, playlist, positionQuery(position), position);
  }

  /** Asks for anything, and keeps the answer without its body. */
  async ask(
    kind: ProbeKind,
    playlist: ObservedPlaylist | undefined,
    url: string,
    options: RequestOptions = {},
  ): Promise<Exchange> {
    const exchange = await this.client.request(url, options);
    this.probes.push({ kind, playlist, exchange: withoutBody(exchange) });
    return exchange;
  }

  /** The next version of the playlist, or what there is when the observation ends. */
  async afterChange(playlist: ObservedPlaylist): Promise<MediaPlaylist> {
    const before = newest(playlist);
    while (!this.isOver() && newest(playlist) === before) {
      await once(this.changes, 'version', { signal: this.signal }).catch(() => undefined);
    }
    return newest(playlist).playlist;
  }
}
