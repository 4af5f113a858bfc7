import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Closable } from '../util/closer.ts';
import type { ByteBudget } from './byte-budget.ts';
import type { DiskContext } from './disk-context.ts';
import { safeName } from './safe-name.ts';
import { TrackStore } from './track-store.ts';

interface BroadcastStoreOptions {
  readonly folder: string;
  readonly budget: ByteBudget;
  readonly context: DiskContext;
  readonly onClosed: () => void;
}

/** The files of one life of a broadcast. */
export class BroadcastStore implements Closable {
  readonly #options: BroadcastStoreOptions;
  readonly #tracks: TrackStore[] = [];
  #closing: Promise<void> | undefined;

  constructor(options: BroadcastStoreOptions) {
    this.#options = options;
  }

  /** Bytes on disk or on their way. */
  get bytes(): number {
    return this.#options.budget.bytes;
  }

  /** Files that went before their time, to stay below this broadcast's limit. */
  get evicted(): number {
    return this.#options.budget.evicted;
  }

  /** A place for a track; `name` is only there to be read. */
  track(name: string): TrackStore {
    const folder = path.join(this.#options.folder, `${this.#tracks.length}-${safeName(name)}`);
    const track = new TrackStore(folder, this.#options.context);
    this.#tracks.push(track);
    return track;
  }

  /** Deletes everything of it, also what is still being written. */
  close(): Promise<void> {
    this.#closing ??= this.#remove();
    return this.#closing;
  }

  async #remove(): Promise<void> {
    this.#options.onClosed();
    for (const track of this.#tracks) track.clear();
    // What is being written may make the folder anew.
    await this.#options.context.queue.drained();
    await rm(this.#options.folder, { recursive: true, force: true }).catch(() => undefined);
  }
}
