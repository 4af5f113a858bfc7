import type { Closable } from '../../util/closer.ts';

/** How a remote source is going. */
export interface PullStatus {
  /** `waiting`: nothing comes at present, it is tried again; `ended`: it told its end; `failed`: it cannot be published. */
  readonly state: 'starting' | 'live' | 'waiting' | 'ended' | 'failed';
  /** The address at present, without credentials and query. */
  readonly address?: string | undefined;
  /** How often another address took over. */
  readonly failovers: number;
  /** What went wrong last; without secrets. */
  readonly lastError?: string | undefined;
  /** Totals by name. */
  readonly counters: Readonly<Record<string, number>>;
}

/** Publishes a remote source until it ends, or is closed. It runs from its construction on. */
export interface Puller extends Closable {
  status(): PullStatus;
  /** Resolves when it has come to its end, whether by itself (`ended`, `failed`) or by `close()`; never rejects. */
  readonly done: Promise<void>;
}
