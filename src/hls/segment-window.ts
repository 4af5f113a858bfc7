import type { StoredBytes } from '../cache/track-store.ts';
import { LADDER_TIMESCALE, type TrackInit } from '../media/fragment.ts';
import type { Segment } from './segment.ts';

/** A playlist that lists less is of no use to a player, however large its segments are. */
const MIN_LISTED = 3;

/** Where segments go besides memory. */
export interface WindowStore {
  /** Takes a new segment, gap or not, in its own time. */
  add(segment: Segment, init: TrackInit): void;
  /** Bytes of a segment, wherever they are; `undefined` if they are not kept. */
  find(name: string): StoredBytes | undefined;
  /** True if a segment is kept and will be for a while. */
  isFresh(name: string): boolean;
  delete(name: string): void;
}

interface SegmentWindowOptions {
  /** Segments that are listed at least; twice as many stay in memory. */
  readonly liveSegments: number;
  /** How far back the playlist reaches, as long as the store has the media; as far as `liveSegments` at least. */
  readonly dvrMs: number;
  /** Media in memory; the oldest goes first. */
  readonly maxMemoryBytes: number;
  readonly store?: WindowStore | undefined;
}

/**
 * The segments of one track that can be played, without holes in their numbers: the newest in memory, those before on disk.
 * What has left the list stays fetchable for as long as the list is.
 */
export class SegmentWindow {
  readonly #options: SegmentWindowOptions;
  #kept: Segment[] = [];
  #keptMs = 0;
  #memoryBytes = 0;
  /** Number of the oldest segment in memory. */
  #memoryFrom = 0;
  /** Number of the oldest segment that may be listed. */
  #listFrom = 0;
  #listedMs = 0;
  #listed: readonly Segment[] = [];
  readonly #inits = new Map<string, { readonly init: TrackInit; segments: number }>();
  #newestInit = '';

  constructor(options: SegmentWindowOptions) {
    this.#options = options;
  }

  /** Bytes of media in memory. */
  get bytes(): number {
    return this.#memoryBytes;
  }

  /** Everything that is known, oldest first. */
  get kept(): readonly Segment[] {
    return this.#kept;
  }

  /** What the playlist lists, oldest first; the same array until something changes. */
  get listed(): readonly Segment[] {
    return this.#listed;
  }

  /** Makes an init known before the segments that need it. */
  addInit(name: string, init: TrackInit): void {
    if (this.#inits.get(this.#newestInit)?.segments === 0) this.#inits.delete(this.#newestInit);
    this.#newestInit = name;
    this.#inits.set(name, { init, segments: 0 });
  }

  /** The init of a name, for as long as a kept segment needs it. */
  init(name: string): TrackInit | undefined {
    return this.#inits.get(name)?.init;
  }

  /** Takes the next segment. */
  add(segment: Segment): void {
    const { store } = this.#options;
    const used = this.#inits.get(segment.initName);
    if (used !== undefined) {
      used.segments += 1;
      store?.add(segment, used.init);
    }
    if (this.#kept.length === 0) this.#listFrom = segment.slot.msn;
    this.#kept.push(segment);
    this.#keptMs += plannedMs(segment);
    this.#listedMs += plannedMs(segment);
    this.#memoryBytes += segment.media === undefined ? 0 : segment.bytes;
    this.#leaveMemory();
    this.#forget();
    this.#list();
  }

  /** Unlists everything up to the newest gap; what follows it stays. */
  unlistThroughGaps(): void {
    const gap = this.#kept.findLast((segment) => segment.gap);
    if (gap !== undefined) this.#unlistThrough(gap.slot.msn);
    this.#list();
  }

  /** Forgets everything, on disk too. */
  clear(): void {
    while (this.#kept.length > 0) this.#forgetOldest();
    this.#list();
  }

  /** The kept segment of a number. */
  find(msn: number): Segment | undefined {
    const first = this.#kept[0];
    return first === undefined ? undefined : this.#kept[msn - first.slot.msn];
  }

  /** The media of a segment, wherever it is; `undefined` if there is none. */
  file(msn: number): StoredBytes | undefined {
    const segment = this.find(msn);
    return segment?.media ?? (segment === undefined ? undefined : this.#options.store?.find(segment.name));
  }

  #leaveMemory(): void {
    const { liveSegments, maxMemoryBytes } = this.#options;
    const newest = this.#kept.at(-1)?.slot.msn ?? 0;
    this.#memoryFrom = Math.max(this.#memoryFrom, this.#kept[0]?.slot.msn ?? 0);
    for (;;) {
      const inMemory = newest + 1 - this.#memoryFrom;
      if (inMemory <= 2 * liveSegments && (this.#memoryBytes <= maxMemoryBytes || inMemory <= MIN_LISTED)) return;
      this.#dropMedia(this.#memoryFrom);
      this.#memoryFrom += 1;
    }
  }

  #dropMedia(msn: number): void {
    const segment = this.find(msn);
    const first = this.#kept[0];
    if (segment?.media === undefined || first === undefined) return;
    this.#memoryBytes -= segment.bytes;
    this.#kept[msn - first.slot.msn] = { ...segment, media: undefined };
    // It never got to the disk: neither it nor what lies before it can be listed any more.
    if (this.#options.store?.find(segment.name) === undefined) this.#unlistThrough(msn);
  }

  /** What was removed from the list stays for as long as the list is. */
  #forget(): void {
    const { liveSegments, dvrMs } = this.#options;
    for (let [oldest] = this.#kept; oldest !== undefined; [oldest] = this.#kept) {
      const isNeeded = this.#keptMs - plannedMs(oldest) <= 2 * dvrMs;
      if (this.#kept.length <= 2 * liveSegments || isNeeded) return;
      this.#forgetOldest();
    }
  }

  #forgetOldest(): void {
    const [oldest] = this.#kept;
    if (oldest === undefined) return;
    this.#unlistThrough(oldest.slot.msn);
    this.#kept.shift();
    this.#keptMs -= plannedMs(oldest);
    if (oldest.media !== undefined) this.#memoryBytes -= oldest.bytes;
    this.#options.store?.delete(oldest.name);
    const used = this.#inits.get(oldest.initName);
    if (used === undefined) return;
    used.segments -= 1;
    if (used.segments === 0 && oldest.initName !== this.#newestInit) this.#inits.delete(oldest.initName);
  }

  /** Moves the beginning of the list; never back. */
  #list(): void {
    const { liveSegments, dvrMs } = this.#options;
    const from = this.#kept[0]?.slot.msn ?? 0;
    for (let head = this.find(this.#listFrom); head !== undefined; head = this.find(this.#listFrom)) {
      const count = this.#kept.length - (this.#listFrom - from);
      const isOld = count > liveSegments && this.#listedMs > dvrMs;
      if (!isOld && this.#isDeliverable(head)) break;
      this.#unlistThrough(head.slot.msn);
    }
    this.#listed = this.#kept.slice(Math.max(0, this.#listFrom - from));
  }

  #unlistThrough(msn: number): void {
    for (; this.#listFrom <= msn; this.#listFrom += 1) {
      const segment = this.find(this.#listFrom);
      if (segment !== undefined) this.#listedMs -= plannedMs(segment);
    }
  }

  #isDeliverable({ gap, media, name }: Segment): boolean {
    return gap || media !== undefined || this.#options.store?.isFresh(name) === true;
  }
}

/** Length of its slot, which all renditions share: so all lists have the same beginning. */
function plannedMs({ slot, durationMs }: Segment): number {
  return slot.endPts === undefined ? durationMs : ((slot.endPts - slot.startPts) * 1000) / LADDER_TIMESCALE;
}
