import type { Clock } from '../util/clock.ts';
import type { BroadcastReply } from './schemas.ts';

/** A change that an admin may want to know of at once. */
export interface BroadcastEvent {
  readonly type: `broadcast-${BroadcastReply['state']}` | `rendition-${'added' | 'playable' | 'withheld' | 'removed'}`;
  /** `app/name`. */
  readonly broadcast: string;
  readonly rendition?: string;
}

/** What of a broadcast is watched. */
export type WatchedBroadcast = Pick<BroadcastReply, 'name' | 'state'> & {
  readonly renditions: readonly Pick<BroadcastReply['renditions'][number], 'name' | 'state'>[];
};

type Listener = (events: readonly BroadcastEvent[]) => void;

const POLL_MS = 500;

/** Tells changes of what REST shows: looks twice a second while somebody listens, once for all of them. */
export class BroadcastEvents {
  readonly #view: () => readonly WatchedBroadcast[];
  readonly #clock: Clock;
  readonly #listeners = new Set<Listener>();
  #known: readonly WatchedBroadcast[] = [];
  #stop: (() => void) | undefined;

  constructor({ view, clock }: { view: () => readonly WatchedBroadcast[]; clock: Clock }) {
    this.#view = view;
    this.#clock = clock;
  }

  /**
   * Calls `listener` at once with what is, as if all of it had just begun, and later with what changes.
   * @returns what ends that
   */
  listen(listener: Listener): () => void {
    this.#look();
    this.#listeners.add(listener);
    this.#stop ??= this.#clock.every(POLL_MS, () => this.#look());
    listener(changes([], this.#known));
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#stop?.();
      this.#stop = undefined;
    };
  }

  #look(): void {
    const now = this.#view();
    const events = changes(this.#known, now);
    this.#known = now.map(({ name, state, renditions }) => ({ name, state, renditions }));
    if (events.length > 0) this.#listeners.forEach((listener) => listener(events));
  }
}

/** What happened between two looks; what is new counts as begun. */
export function changes(before: readonly WatchedBroadcast[], after: readonly WatchedBroadcast[]): BroadcastEvent[] {
  const [old, current] = [byName(before), byName(after)];
  const gone = before.filter(({ name, state }) => !current.has(name) && state !== 'ended');
  return [
    ...gone.map(({ name }) => ({ type: 'broadcast-ended' as const, broadcast: name })),
    ...after.flatMap((broadcast) => changesOf(old.get(broadcast.name), broadcast)),
  ];
}

function changesOf(before: WatchedBroadcast | undefined, after: WatchedBroadcast): BroadcastEvent[] {
  const broadcast = after.name;
  const [old, current] = [byName(before?.renditions ?? []), byName(after.renditions)];
  const event = (type: BroadcastEvent['type'], rendition?: string): BroadcastEvent[] => [
    { type, broadcast, ...(rendition !== undefined && { rendition }) },
  ];
  return [
    ...(before?.state === after.state ? [] : event(`broadcast-${after.state}`)),
    ...[...old.keys()].filter((name) => !current.has(name)).flatMap((name) => event('rendition-removed', name)),
    ...after.renditions.flatMap(({ name, state }) => [
      ...(old.has(name) ? [] : event('rendition-added', name)),
      ...(state === 'starting' || old.get(name)?.state === state ? [] : event(`rendition-${state}`, name)),
    ]),
  ];
}

function byName<T extends { readonly name: string }>(rows: readonly T[]): Map<string, T> {
  return new Map(rows.map((row) => [row.name, row]));
}
