import type { MediaFile } from '../../hls/media-file.ts';
import type { Closable } from '../../util/closer.ts';
import { AppError, reasonOf } from '../../util/errors.ts';
import { segmentCount } from '../source/title.ts';
import type { RenditionEncoderOptions } from './encoder-options.ts';
import type { Urgency } from './encoder-slots.ts';
import type { EncodedSegment, EncodingHead } from './encoding-head.ts';
import { HeadRun, type RunEnd, type RunOwner } from './head-run.ts';
import { Filling } from './filling.ts';
import type { PooledHeadReport } from './pool-report.ts';
import type { EntryRun } from './rendition-entry.ts';
import type { RenditionProgress } from './rendition-handle.ts';
import { RunSet } from './run-set.ts';
import { SegmentWishes } from './segment-wishes.ts';
import { Troubles } from './troubles.ts';
import { type Watcher, Watchers } from './watchers.ts';
import { withdrawn, Wishes } from './wishes.ts';

/** An encoder that somebody waits for and that makes nothing for so long is ended. */
const STALL_MS = 60_000;

/**
 * Encodes any segment of one rendition when it is wanted, for all who watch it, and a little ahead of them. What is in
 * the cache is never encoded again, what two want is encoded once, and what nobody wants makes room.
 */
export class RenditionEncoder implements Closable {
  readonly segmentCount: number;
  readonly #options: RenditionEncoderOptions;
  readonly #runs = new RunSet();
  readonly #watchers: Watchers;
  readonly #segmentWishes = new SegmentWishes();
  readonly #initWishes = new Wishes<MediaFile>();
  readonly #filling: Filling;
  readonly #listeners = new Set<() => void>();
  readonly #troubles: Troubles;
  readonly #closing = new AbortController();
  readonly #owner: RunOwner;
  #closed: Promise<void> | undefined;
  #unusedSinceMs: number | undefined;
  #madeCount = 0;

  constructor(options: RenditionEncoderOptions) {
    const { title, entry, clock, aheadSegments, idleMs, gate } = options;
    this.#options = options;
    this.segmentCount = segmentCount(title);
    this.#troubles = new Troubles(title, clock);
    this.#watchers = new Watchers(clock, aheadSegments, idleMs);
    this.#filling = new Filling({
      entry,
      segmentCount: this.segmentCount,
      gate: () => gate(title, this.#closing.signal),
      clock,
    });
    this.#owner = {
      urgencyOf: (run) => this.#urgencyOf(run),
      createHead: (run, onSegment) => this.#createHead(run, onSegment),
      begin: (_run, init) => this.#begin(init),
      segment: (_run, segment, entryRun) => this.#made(segment, entryRun),
      refused: (run, error) => this.#refused(run, error),
      ended: (run, end) => this.#ended(run, end),
    };
  }

  /** How many requests wait for a segment. */
  get wanted(): number {
    return this.#segmentWishes.size;
  }

  /** True if encoding does not work and never has, as far as it is known. */
  get isBroken(): boolean {
    return this.#madeCount === 0 && this.#troubles.isBroken;
  }

  join(watcher: Watcher): void {
    this.#watchers.add(watcher);
    this.#unusedSinceMs = undefined;
  }

  leave(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    this.#tend();
  }

  /** As `RenditionHandle.init`. */
  async init(watcher: Watcher, signal: AbortSignal): Promise<MediaFile> {
    await this.#open(signal);
    const { init } = this.#options.entry;
    if (init !== undefined) return init;
    const refusal = this.#troubles.initRefusal();
    if (refusal !== undefined) throw refusal;
    const isGuessed = watcher.position === undefined;
    this.#watchers.moved(watcher, watcher.position ?? watcher.startAt);
    const answer = this.#initWishes.wait(signal, () => {
      if (isGuessed && watcher.position === watcher.startAt) watcher.position = undefined;
      this.#tend();
    });
    this.#tend();
    return await answer;
  }

  /** As `RenditionHandle.segment`. */
  async segment(watcher: Watcher, index: number, signal: AbortSignal): Promise<MediaFile> {
    if (!Number.isInteger(index) || index < 0 || index >= this.segmentCount) {
      throw new AppError('NOT_FOUND', `there is no segment ${index}: the last one is ${this.segmentCount - 1}`);
    }
    this.#watchers.moved(watcher, index);
    await this.#open(signal);
    const { entry, counters } = this.#options;
    do {
      const file = await entry.find(index);
      if (file !== undefined) {
        counters.hits += 1;
        this.#tend();
        return file;
      }
    } while (entry.has(index));
    if (signal.aborted) {
      this.#withdraw(watcher, index);
      throw withdrawn();
    }
    const refusal = this.#troubles.refusal(index);
    if (refusal !== undefined) throw refusal;
    this.#runs.makeWay(index);
    const answer = this.#segmentWishes.wait(index, signal, () => this.#withdraw(watcher, index));
    this.#tend();
    return await answer;
  }

  /** As `RenditionHandle.fill`. */
  async fill(signal: AbortSignal): Promise<void> {
    await this.#open(signal);
    if (this.#options.entry.isComplete) return;
    if (this.#troubles.general !== undefined) throw this.#troubles.general;
    const filled = this.#filling.wait(signal, () => this.#tend());
    this.#tend();
    await filled;
  }

  progress(): RenditionProgress {
    const { entry } = this.#options;
    const speeds = [...this.#runs].filter(({ state }) => state === 'running').map(({ speed }) => speed ?? 0);
    const speed = speeds.reduce((sum, each) => sum + each, 0);
    return {
      segmentCount: this.segmentCount,
      encoded: entry.storedCount,
      bytes: entry.storedBytes,
      isComplete: entry.isComplete,
      heads: [...this.#runs].map((run) => run.report()),
      speed: speed > 0 ? speed : undefined,
      failed: this.#troubles.general?.message,
    };
  }

  onProgress(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What it encodes now. */
  report(): PooledHeadReport[] {
    const { title, rendition } = this.#options;
    const names = { source: title.source.label, rendition: rendition.name };
    return [...this.#runs].map((run) => ({ ...names, ...run.report() }));
  }

  /** To be called now and then: ends what nobody needs, and finds what has come to a halt. */
  sweep(): void {
    for (const run of this.#runs) run.sweep(this.#options.idleMs);
    this.#filling.tryToSeal();
    this.#tend();
    const isUsed = this.#watchers.size + this.wanted > 0 || this.#filling.isWanted || this.#filling.isSealing;
    this.#unusedSinceMs = isUsed ? undefined : (this.#unusedSinceMs ?? this.#options.clock.nowMs());
  }

  /** True once nobody has used it for so long. */
  isUnusedFor(ms: number): boolean {
    return this.#unusedSinceMs !== undefined && this.#options.clock.nowMs() - this.#unusedSinceMs >= ms;
  }

  /** Ends all runs; what they made stays. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    this.#refuseAll(new AppError('UNAVAILABLE', 'the server is shutting down'));
    await Promise.all([...this.#runs].map((run) => run.close()));
    await this.#filling.settled();
    await this.#options.entry.release();
  }

  async #open(signal: AbortSignal): Promise<void> {
    if (this.#closing.signal.aborted) throw new AppError('UNAVAILABLE', 'the server is shutting down');
    if (signal.aborted) throw withdrawn();
    await this.#options.entry.ready();
  }

  #withdraw(watcher: Watcher, index: number): void {
    if (watcher.position === index) watcher.position = undefined;
    this.#tend();
  }

  /** Starts what is missing, pauses and ends what nobody needs. May be called at any time. */
  #tend(): void {
    if (this.#closing.signal.aborted) return;
    const { entry, slots } = this.#options;
    for (const run of this.#runs) {
      if (run.generation !== undefined && run.generation !== entry.generation) void run.close();
    }
    for (const index of this.#segmentWishes.indexes()) this.#startFor(index);
    if (!this.#isAtWork && this.#initWishes.size > 0) this.#startForInit();
    else if (!this.#isAtWork && this.#filling.isWanted) this.#startToFill();
    for (const run of this.#runs) {
      run.update();
      if (run.state === 'waiting' && run.urgency === 'idle') void run.close();
    }
    slots.update();
    for (const listener of this.#listeners) listener();
  }

  get #isAtWork(): boolean {
    return [...this.#runs].some(({ state }) => state !== 'ending');
  }

  #startFor(index: number): void {
    if (this.#runs.covering(index) !== undefined) return;
    const { suspected } = this.#troubles.sourceEnd;
    if (suspected === undefined || index < suspected) this.#start(index);
    else if (this.#runs.covering(suspected) === undefined) this.#start(suspected);
  }

  #startForInit(): void {
    const index = this.#watchers.likelyStart();
    this.#start(this.#troubles.sourceEnd.beyond(index) === undefined ? index : 0);
  }

  #startToFill(): void {
    const next = this.#filling.next();
    if (next === undefined) return;
    const refusal = this.#troubles.refusal(next.index) ?? next.refusal;
    if (refusal !== undefined) this.#filling.refuse(refusal);
    else this.#startFor(next.index);
  }

  #start(first: number): void {
    const { entry, slots, clock } = this.#options;
    const end = this.#runs.gapEnd(
      first,
      this.segmentCount,
      (index) => entry.has(index),
      (index) => this.#segmentWishes.has(index),
    );
    try {
      this.#runs.add(new HeadRun(first, end, { owner: this.#owner, slots, clock, stallMs: STALL_MS }));
    } catch (error) {
      const refusal = toAppError(error);
      this.#segmentWishes.refuse(first, refusal);
      if (!this.#isAtWork) this.#initWishes.refuse(refusal);
    }
  }

  #urgencyOf(run: HeadRun): Urgency {
    const isFirst = run.generation === undefined;
    if (isFirst && this.#initWishes.size > 0) return 'demand';
    if (this.#awaitedFrom(run).length > 0) return 'demand';
    if (this.#troubles.isFull) return 'idle';
    if (this.#watchers.need(run)) return 'ahead';
    return this.#filling.isWanted ? 'fill' : 'idle';
  }

  /** The segments that somebody waits for until the run makes them, or has found out whether they exist. */
  #awaitedFrom(run: HeadRun): number[] {
    const isProbe = this.#troubles.sourceEnd.suspected === run.next;
    return this.#segmentWishes.indexes().filter((index) => index >= run.next && (index < run.end || isProbe));
  }

  #createHead(run: HeadRun, onSegment: (segment: EncodedSegment) => void): EncodingHead {
    const { title, rendition, slots, createHead, counters, logger } = this.#options;
    const last = this.#awaitedFrom(run).findLast((index) => index < run.end);
    // While others wait it makes only what is awaited, which also is the quickest way to that.
    if (slots.isContended && last !== undefined) run.cut(last + 1);
    counters.headsStarted += 1;
    const fields = { source: title.source.label, rendition: rendition.name, first: run.first, end: run.end };
    logger.debug(fields, 'starts an encoder');
    return createHead({ title, rendition, first: run.first, end: run.end, onSegment });
  }

  async #begin(init: Buffer): Promise<EntryRun> {
    const { entry } = this.#options;
    try {
      const run = await entry.beginRun(init);
      if (entry.init !== undefined) this.#initWishes.grant(entry.init);
      this.#tend();
      return run;
    } catch (thrown) {
      const error = toAppError(thrown);
      this.#troubles.breakDown(error);
      this.#refuseAll(error);
      throw error;
    }
  }

  async #made(segment: EncodedSegment, entryRun: EntryRun): Promise<void> {
    const { entry, counters, logger } = this.#options;
    if (entryRun.generation !== entry.generation) return;
    counters.segmentsEncoded += 1;
    this.#madeCount += 1;
    this.#filling.made();
    this.#troubles.made(segment.index);
    const written = entryRun.write(segment);
    this.#segmentWishes.grant(segment.index, { contentType: this.#contentType, bytes: segment.bytes });
    this.#tend();
    try {
      await written;
      this.#filling.tryToSeal();
    } catch (thrown) {
      const error = toAppError(thrown);
      if (!this.#troubles.isFull) logger.warn({ reason: error.message }, 'a segment could not be kept');
      this.#troubles.notKept(error);
      this.#filling.refuse(error);
    }
    this.#tend();
  }

  get #contentType(): string {
    return `${this.#options.rendition.kind}/mp4`;
  }

  #ended(run: HeadRun, { ended, error, isBarren }: RunEnd): void {
    this.#runs.delete(run);
    if (this.#closing.signal.aborted) return;
    if (ended === 'failed' && error !== undefined) this.#failed(run, error, isBarren);
    if (ended === 'early') this.#endedEarly(run);
    this.#tend();
  }

  #refused(run: HeadRun, error: AppError): void {
    for (const index of this.#awaitedFrom(run)) this.#segmentWishes.refuse(index, error);
    if (!this.#isAtWork) this.#initWishes.refuse(error);
  }

  #failed(run: HeadRun, { code, message }: AppError, isBarren: boolean): void {
    const { title, rendition, entry, counters, logger } = this.#options;
    counters.headsFailed += 1;
    const { label } = title.source;
    logger.warn({ source: label, rendition: rendition.name, segment: run.next, reason: message }, 'an encoder failed');
    const error = new AppError(code, `segment ${run.next} of ${rendition.name} of ${label}: ${message}`);
    const isHopeless = isBarren && this.#madeCount === 0 && entry.storedCount === 0;
    if (this.#troubles.failed(error, isHopeless)) {
      this.#refuseAll(error);
      if (isHopeless) void entry.invalidate('nothing of it could be encoded');
      return;
    }
    if (!isBarren) this.#initWishes.refuse(error);
    const awaited = this.#awaitedFrom(run);
    const tried = this.#filling.isWanted ? new Set([run.next, ...awaited]) : awaited;
    for (const index of tried) {
      if (!this.#troubles.segmentFailed(index, error)) continue;
      this.#segmentWishes.refuse(index, error);
      if (index === run.next) this.#filling.refuse(error);
    }
  }

  #endedEarly({ first, next }: HeadRun): void {
    const { title, rendition, onShortened } = this.#options;
    const { sourceEnd } = this.#troubles;
    // The first time it is tried once more, as soon as somebody wants what comes there.
    const error = sourceEnd.note(first, next);
    if (error === undefined) return;
    for (const index of this.#segmentWishes.indexes()) if (index >= next) this.#segmentWishes.refuse(index, error);
    if (next === 0) this.#initWishes.refuse(error);
    this.#filling.refuse(error);
    const isWholeTitle = rendition.kind === 'video' || title.video === undefined;
    if (isWholeTitle && next > 0 && title.source.kind === 'file') onShortened(title, next);
  }

  #refuseAll(error: AppError): void {
    this.#segmentWishes.refuseAll(error);
    this.#initWishes.refuse(error);
    this.#filling.refuse(error);
  }
}

function toAppError(thrown: unknown): AppError {
  return thrown instanceof AppError ? thrown : new AppError('INTERNAL', reasonOf(thrown), { cause: thrown });
}
