import type { Clock } from '../../util/clock.ts';
import { deferred } from '../../util/deferred.ts';
import { AppError, reasonOf } from '../../util/errors.ts';
import type { EncodedSegment, EncodingHead, HeadEnd } from './encoding-head.ts';
import type { EncoderSlots, SlotUser, Urgency } from './encoder-slots.ts';
import type { HeadReport } from './rendition-handle.ts';
import type { EntryRun } from './rendition-entry.ts';

/** Who owns a run. */
export interface RunOwner {
  /** How much the run is needed now. */
  urgencyOf(run: HeadRun): Urgency;
  /** The run may start: makes its encoder. */
  createHead(run: HeadRun, onSegment: (segment: EncodedSegment) => void): EncodingHead;
  /** Takes its init; segments come after that. If it rejects, the run fails with that. */
  begin(run: HeadRun, init: Buffer): Promise<EntryRun>;
  /** A segment is there, and `run.next` is the one after it. The run slows down until this resolves; never rejects. */
  segment(run: HeadRun, segment: EncodedSegment, entryRun: EntryRun): Promise<void>;
  /** No encoder became free for it in time; it is about to end. */
  refused(run: HeadRun, error: AppError): void;
  /** The encoder is gone. */
  ended(run: HeadRun, end: RunEnd): void;
}

/** How a run ended. */
export interface RunEnd {
  readonly ended: HeadEnd['ended'];
  /** Given for `failed`. */
  readonly error: AppError | undefined;
  /** True if it ended soon after its start and made nothing. */
  readonly isBarren: boolean;
}

interface HeadRunOptions {
  readonly owner: RunOwner;
  readonly slots: EncoderSlots;
  readonly clock: Clock;
  /** An encoder that somebody waits for and that makes nothing for so long has failed. */
  readonly stallMs: number;
}

/** Segments that may be on their way to the disk at a time before an encoder has to wait. */
const MAX_UNWRITTEN = 2;
/** An encoder that ends within this time and made nothing cannot work at all. */
const BARREN_MS = 10_000;

/** One encoder from the moment it is needed: waits for its turn, runs, is paused while it is not needed, ends. */
export class HeadRun implements SlotUser {
  readonly first: number;
  readonly #options: HeadRunOptions;
  #next: number;
  #end: number;
  #state: HeadReport['state'] = 'waiting';
  #head: EncodingHead | undefined;
  #entryRun: EntryRun | undefined;
  readonly #early: EncodedSegment[] = [];
  readonly #writes = new Set<Promise<void>>();
  readonly #finished = deferred();
  #stopped: Pick<RunEnd, 'ended' | 'error'> | undefined;
  #startedMs = 0;
  /** Since when it has been at work on `next`; `undefined` while it is paused. */
  #busySinceMs: number | undefined;
  /** From when on its pace is measured; `undefined` while nothing is needed of it. */
  #paceFromMs: number | undefined;
  #idleSinceMs: number | undefined;
  #msPerSegment: number | undefined;
  #mediaMsPerSegment = 0;

  /**
   * Waits for a slot at once.
   * @throws AppError `UNAVAILABLE` if too many wait already
   */
  constructor(first: number, end: number, options: HeadRunOptions) {
    this.first = first;
    this.#next = first;
    this.#end = end;
    this.#options = options;
    options.slots.enter(this);
  }

  /** The segment that it makes next. */
  get next(): number {
    return this.#next;
  }

  /** The segment before which it ends. */
  get end(): number {
    return this.#end;
  }

  get state(): HeadReport['state'] {
    return this.#state;
  }

  /** Which generation of its entry it makes segments for; `undefined` until its init is known. */
  get generation(): number | undefined {
    return this.#entryRun?.generation;
  }

  get urgency(): Urgency {
    return this.#options.owner.urgencyOf(this);
  }

  /** Seconds of media that it makes in a second; `undefined` until that is known. */
  get speed(): number | undefined {
    return this.#msPerSegment === undefined ? undefined : this.#mediaMsPerSegment / Math.max(1, this.#msPerSegment);
  }

  /** Wall time that it takes for a segment; `undefined` until that is known. */
  get msPerSegment(): number | undefined {
    return this.#msPerSegment;
  }

  /** True if it will make this segment. */
  covers(index: number): boolean {
    return this.#state !== 'ending' && index >= this.#next && index < this.#end;
  }

  /** Lets it end earlier, at a segment that it has not made yet. */
  cut(end: number): void {
    if (end >= this.#end) return;
    this.#end = end;
    if (this.#next >= end) void this.close();
  }

  /** Runs or pauses it, as it is needed; to be called when its urgency may have changed. */
  update(): void {
    const nowMs = this.#options.clock.nowMs();
    const isNeeded = this.urgency !== 'idle';
    this.#idleSinceMs = isNeeded ? undefined : (this.#idleSinceMs ?? nowMs);
    if (this.#state !== 'running' && this.#state !== 'paused') return;
    const mayRun = isNeeded && this.#writes.size < MAX_UNWRITTEN && this.#early.length === 0;
    if (mayRun && this.#state === 'paused') {
      this.#state = 'running';
      this.#busySinceMs = nowMs;
      this.#paceFromMs = nowMs;
      this.#head?.resume();
    } else if (!mayRun && this.#state === 'running') {
      this.#state = 'paused';
      this.#busySinceMs = undefined;
      if (!isNeeded) this.#paceFromMs = undefined;
      this.#head?.pause();
    }
  }

  /** Ends it if it has not been needed for `idleMs`, or makes nothing although somebody waits; to be called now and then. */
  sweep(idleMs: number): void {
    const { clock, stallMs } = this.#options;
    const nowMs = clock.nowMs();
    if (this.#idleSinceMs !== undefined && nowMs - this.#idleSinceMs >= idleMs) void this.close();
    if (this.#busySinceMs === undefined || nowMs - this.#busySinceMs < stallMs || this.urgency !== 'demand') return;
    this.#fail(new AppError('TRANSCODER_FAILED', `the encoder made nothing for ${stallMs / 1000} s`));
  }

  /** Ends it; resolves when its encoder is gone and what it made is written. Idempotent, never rejects. */
  close(): Promise<void> {
    this.#stop({ ended: 'closed', error: undefined });
    return this.#finished.promise;
  }

  granted(): void {
    const { owner, clock } = this.#options;
    this.#state = 'running';
    this.#startedMs = clock.nowMs();
    this.#busySinceMs = this.#startedMs;
    this.#paceFromMs = this.#startedMs;
    this.#head = owner.createHead(this, (segment) => this.#arrived(segment));
    void this.#drive(this.#head);
  }

  refused(error: AppError): void {
    this.#stop({ ended: 'closed', error: undefined });
    this.#options.owner.refused(this, error);
  }

  giveWay(): void {
    void this.close();
  }

  report(): HeadReport {
    return { next: this.#next, end: this.#end, state: this.#state };
  }

  async #drive(head: EncodingHead): Promise<void> {
    const begun = head.init.then(
      ({ bytes }) => this.#begin(bytes),
      () => undefined,
    );
    head.start();
    const end = await head.done;
    // A short run may be over before its first segment could be taken.
    await begun;
    await this.#settle(end);
  }

  async #begin(init: Buffer): Promise<void> {
    if (this.#state === 'ending') return;
    try {
      this.#entryRun = await this.#options.owner.begin(this, init);
    } catch (error) {
      this.#fail(error instanceof AppError ? error : new AppError('INTERNAL', reasonOf(error), { cause: error }));
      return;
    }
    for (const segment of this.#early.splice(0)) this.#take(segment, this.#entryRun);
    this.update();
  }

  #arrived(segment: EncodedSegment): void {
    if (this.#entryRun !== undefined) this.#take(segment, this.#entryRun);
    else this.#early.push(segment);
    this.update();
  }

  #take(segment: EncodedSegment, entryRun: EntryRun): void {
    if (this.#state === 'ending') return;
    if (segment.index !== this.#next) {
      this.#fail(new AppError('INTERNAL', `the encoder made segment ${segment.index} instead of ${this.#next}`));
      return;
    }
    this.#next += 1;
    this.#notePace(segment);
    const written = this.#options.owner.segment(this, segment, entryRun).finally(() => {
      this.#writes.delete(written);
      this.update();
    });
    this.#writes.add(written);
    if (this.#next >= this.#end) void this.close();
  }

  #notePace({ durationTicks }: EncodedSegment): void {
    const nowMs = this.#options.clock.nowMs();
    if (this.#busySinceMs !== undefined) this.#busySinceMs = nowMs;
    if (this.#paceFromMs === undefined) return;
    this.#msPerSegment = nowMs - this.#paceFromMs;
    this.#mediaMsPerSegment = durationTicks / 90;
    this.#paceFromMs = nowMs;
  }

  #fail(error: AppError): void {
    this.#stop({ ended: 'failed', error });
  }

  #stop(why: Pick<RunEnd, 'ended' | 'error'>): void {
    if (this.#state === 'ending') return;
    this.#state = 'ending';
    this.#stopped = why;
    if (this.#head === undefined) void Promise.resolve(CLOSED).then((end) => this.#settle(end));
    else void this.#head.close();
  }

  async #settle(end: HeadEnd): Promise<void> {
    const { owner, slots, clock } = this.#options;
    this.#state = 'ending';
    const isBarren = this.#next === this.first && clock.nowMs() - this.#startedMs < BARREN_MS;
    const isWhole = this.#next >= this.#end;
    const { ended, error } = isWhole ? COMPLETE : (this.#stopped ?? ownEnd(end));
    slots.leave(this);
    owner.ended(this, { ended, error, isBarren });
    await Promise.all(this.#writes);
    await this.#entryRun?.end();
    this.#finished.resolve();
  }
}

const CLOSED: HeadEnd = { ended: 'closed', lastIndex: undefined };
const COMPLETE = { ended: 'complete', error: undefined } as const;

function ownEnd({
  ended,
  code = 'TRANSCODER_FAILED',
  reason = 'no reason is known',
}: HeadEnd): Pick<RunEnd, 'ended' | 'error'> {
  if (ended === 'failed') return { ended, error: new AppError(code, reason) };
  // It ended by itself, and not where it should have.
  return { ended: 'early', error: undefined };
}
