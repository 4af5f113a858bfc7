import type { RelaySource } from '../../src/relay/relay-channel.ts';
import type { RelayedPlaylist } from '../../src/relay/relay-track.ts';
import type { PlaylistSnapshot } from '../../src/upstream/follow/playlist-snapshot.ts';
import { ladderOf, type UpstreamLadder } from '../../src/upstream/follow/upstream-ladder.ts';
import { parseMultivariant } from '../../src/upstream/playlist/multivariant-playlist.ts';
import { GrowingBytes } from '../../src/upstream/pool/growing-bytes.ts';
import type { MediaItem } from '../../src/upstream/pool/media-item.ts';
import type { Clock } from '../../src/util/clock.ts';
import { UPSTREAM } from './relay-snapshots.ts';

/** Something that was asked for, whose bytes the test gives. */
class AskedMedia {
  readonly item: MediaItem;
  readonly bytes: GrowingBytes;
  /** Length that upstream tells. */
  size: number | undefined;
  released = false;

  constructor(item: MediaItem, bytes: GrowingBytes) {
    this.item = item;
    this.bytes = bytes;
  }

  ready(signal?: AbortSignal): Promise<void> {
    return this.bytes.ready(signal);
  }

  pieces(signal?: AbortSignal): AsyncIterable<Buffer> {
    return this.bytes.pieces(signal);
  }

  release(): void {
    this.released = true;
  }
}

/** A playlist of a source that goes on when the test says so. */
export class ScriptedFollowed implements RelayedPlaylist {
  confirmedAtMs: number | undefined;
  releases = 0;
  /** How many times somebody waited for a newer one. */
  waits = 0;
  readonly #clock: Clock;
  readonly #ask: (item: MediaItem) => AskedMedia;
  readonly #waiters = new Set<{ resolve: (snapshot: PlaylistSnapshot) => void; reject: (error: Error) => void }>();
  #current: PlaylistSnapshot | undefined;

  constructor(clock: Clock, ask: (item: MediaItem) => AskedMedia) {
    this.#clock = clock;
    this.#ask = ask;
  }

  current(): PlaylistSnapshot | undefined {
    return this.#current;
  }

  next(_afterVersion: number, signal: AbortSignal): Promise<PlaylistSnapshot> {
    this.waits += 1;
    return new Promise((resolve, reject) => {
      const waiter = { resolve, reject };
      this.#waiters.add(waiter);
      signal.addEventListener('abort', () => {
        this.#waiters.delete(waiter);
        reject(new Error('aborted'));
      });
    });
  }

  ask(item: MediaItem): AskedMedia {
    return this.#ask(item);
  }

  release(): void {
    this.releases += 1;
  }

  /** Upstream gave a playlist. */
  push(snapshot: PlaylistSnapshot): void {
    this.#current = { ...snapshot, version: (this.#current?.version ?? -1) + 1 };
    this.confirmedAtMs = this.#clock.nowMs();
    for (const { resolve } of this.#take()) resolve(this.#current);
  }

  /** Nothing can be loaded. */
  fail(error: Error): void {
    for (const { reject } of this.#take()) reject(error);
  }

  #take() {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    return waiters;
  }
}

/** A source with the playlists `v0` and `v1`, and media that comes when the test gives it. */
export class ScriptedSource implements RelaySource {
  readonly asked: AskedMedia[] = [];
  readonly followed = new Map<string, ScriptedFollowed>();
  readonly #clock: Clock;
  readonly #ladder: UpstreamLadder;
  ladderError: Error | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    const text = '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=2\n../hi.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=1\n../lo.m3u8\n';
    this.#ladder = ladderOf(parseMultivariant(text, UPSTREAM));
  }

  ladder(): Promise<UpstreamLadder> {
    return this.ladderError === undefined ? Promise.resolve(this.#ladder) : Promise.reject(this.ladderError);
  }

  follow(id: string): ScriptedFollowed {
    return this.playlist(id);
  }

  /** The playlist of a rendition, followed or not. */
  playlist(id: string): ScriptedFollowed {
    const known = this.followed.get(id) ?? new ScriptedFollowed(this.#clock, (item) => this.#ask(item));
    this.followed.set(id, known);
    return known;
  }

  #ask(item: MediaItem): AskedMedia {
    // All who ask for the same share its bytes.
    const bytes = this.asked.find((media) => media.item.id === item.id)?.bytes ?? new GrowingBytes();
    const media = new AskedMedia(item, bytes);
    this.asked.push(media);
    return media;
  }
}
