import type { CacheLease } from '../../cache/cache-lease.ts';
import { untilAborted } from '../../util/abort.ts';
import type { Clock } from '../../util/clock.ts';
import type { Closable } from '../../util/closer.ts';
import { type Deferred, deferred } from '../../util/deferred.ts';
import { AppError, reasonOf } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import { TIMELINE_ORIGIN_TICKS } from '../encode/canonical-fragment.ts';
import type { Title } from '../source/title.ts';
import type { Cue } from './cue.ts';
import type { SubtitleEntries } from './subtitle-entries.ts';
import type { ExtractedTrack, SubtitleExtractor } from './subtitle-extractor.ts';
import type { Turns } from './turns.ts';
import { writeSubtitleSegment } from './webvtt-writer.ts';
import { WindowCues } from './window-cues.ts';

/** A pass that takes no longer than this needs no window before it. */
const PATIENCE_MS = 150;

/** What a cue takes besides its text. */
const CUE_BYTES = 100;

/** What all titles share. */
export interface SubtitleTools {
  readonly extractor: SubtitleExtractor;
  readonly entries: SubtitleEntries;
  /** Runs over whole files. */
  readonly passes: Turns;
  /** Runs over a part of a file. */
  readonly windows: Turns;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** State of one text track. */
export interface SubtitleTrackReport {
  /** Index in `Title.subtitles`. */
  readonly track: number;
  /** A failed one has no cues, or only those that a short run over a part of the file finds. */
  readonly state: 'pending' | 'ready' | 'failed';
  readonly cues: number;
  /** Why it failed. */
  readonly reason?: string;
}

/** The text subtitles of one title: all tracks, extracted once, held as long as this is open. */
export class TitleSubtitles implements Closable {
  readonly #title: Title;
  readonly #tools: SubtitleTools;
  readonly #tracks: readonly number[];
  readonly #found = new Map<number, ExtractedTrack>();
  readonly #arrivals = new Map<number, Deferred<void>>();
  readonly #windows: WindowCues;
  readonly #end = new AbortController();
  #loading: Promise<void> | undefined;
  #isLoading = false;
  #bytes = 0;
  #lease: CacheLease | undefined;
  #users = 0;
  #lastUsedMs: number;

  constructor(title: Title, tools: SubtitleTools) {
    this.#title = title;
    this.#tools = tools;
    this.#tracks = title.subtitles.flatMap(({ kind }, track) => (kind === 'text' ? [track] : []));
    for (const track of this.#tracks) this.#arrivals.set(track, deferred());
    this.#windows = new WindowCues(title, tools, this.#end.signal);
    this.#lastUsedMs = tools.clock.nowMs();
  }

  /** True while somebody waits for something of it, or it is being extracted. */
  get isBusy(): boolean {
    return this.#users > 0 || this.#isLoading;
  }

  /** When somebody last wanted something of it. */
  get lastUsedMs(): number {
    return this.#lastUsedMs;
  }

  /** What its cues take in memory, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Begins to find or extract all tracks, unless that has begun. */
  start(): void {
    this.#lastUsedMs = this.#tools.clock.nowMs();
    this.#loading ??= this.#load();
  }

  /** Resolves when every track is there or has failed; rejects if aborted or closed. */
  complete(signal: AbortSignal): Promise<void> {
    this.start();
    return this.#use(async () => {
      await untilAborted(this.#loading ?? Promise.resolve(), signal, gone);
      if (this.#end.signal.aborted) throw new AppError('UNAVAILABLE', 'the server is shutting down');
    });
  }

  /** One segment as WebVTT. A track that failed is silent. */
  segment(track: number, index: number, signal: AbortSignal): Promise<Buffer> {
    const { boundaries } = this.#title.plan;
    const [fromTicks, toTicks] = [boundaries[index], boundaries[index + 1]];
    const arrival = this.#arrivals.get(track);
    if (arrival === undefined || fromTicks === undefined || toTicks === undefined) {
      return Promise.reject(new AppError('NOT_FOUND', `there is no segment ${index} of subtitle track ${track}`));
    }
    this.start();
    return this.#use(async () => {
      const isThere = this.#found.has(track) || (await this.#arrivesSoon(arrival.promise, signal));
      const cues = await untilAborted(
        isThere ? this.#cuesOf(track, index) : this.#cuesWithoutPass(track, index, arrival.promise),
        signal,
        gone,
      );
      // What comes before the first frame belongs to the first segment.
      const fromMs = index === 0 ? 0 : fromTicks / 90;
      return writeSubtitleSegment(cues, { fromMs, toMs: toTicks / 90, originTicks: TIMELINE_ORIGIN_TICKS });
    });
  }

  report(): SubtitleTrackReport[] {
    return this.#tracks.map((track) => {
      const found = this.#found.get(track);
      if (found === undefined) return { track, state: 'pending', cues: 0 };
      if ('cues' in found) return { track, state: 'ready', cues: found.cues.length };
      return { track, state: 'failed', cues: 0, reason: found.reason };
    });
  }

  async close(): Promise<void> {
    this.#end.abort();
    await this.#loading;
    await this.#windows.settled();
    await this.#lease?.release();
  }

  async #use<T>(task: () => Promise<T>): Promise<T> {
    this.#users += 1;
    try {
      return await task();
    } finally {
      this.#users -= 1;
      this.#lastUsedMs = this.#tools.clock.nowMs();
    }
  }

  async #arrivesSoon(arrival: Promise<void>, signal: AbortSignal): Promise<boolean> {
    const waiting = new AbortController();
    const patience = this.#tools.clock.wait(PATIENCE_MS, AbortSignal.any([signal, waiting.signal]));
    const isSoon = await Promise.race([arrival.then(() => true), patience.then(() => false)]);
    waiting.abort();
    return isSoon;
  }

  /** Of a track that has come, or has failed: then what a window finds of it, if anything. */
  async #cuesOf(track: number, index: number): Promise<readonly Cue[]> {
    const found = this.#found.get(track);
    if (found !== undefined && 'cues' in found) return found.cues;
    return this.#windows.find(track, index).catch(() => []);
  }

  /** While the pass is under way: from a window, or from the pass should that be there first. */
  async #cuesWithoutPass(track: number, index: number, arrival: Promise<void>): Promise<readonly Cue[]> {
    const fromPass = arrival.then(() => this.#cuesOf(track, index));
    return Promise.race([fromPass, this.#windows.find(track, index).catch(() => fromPass)]);
  }

  async #load(): Promise<void> {
    this.#isLoading = true;
    try {
      const cached = this.#tracks.length > 0 ? await this.#tools.entries.find(this.#title, this.#tracks) : undefined;
      if (cached === undefined) await this.#extract();
      else {
        this.#lease = cached.lease;
        for (const [at, track] of this.#tracks.entries()) this.#arrive(track, { cues: cached.tracks[at] ?? [] });
      }
    } catch (thrown) {
      const reason = reasonOf(thrown);
      for (const track of this.#tracks) if (!this.#found.has(track)) this.#arrive(track, { reason });
    } finally {
      this.#isLoading = false;
    }
  }

  async #extract(): Promise<void> {
    const { extractor, passes } = this.#tools;
    const { signal } = this.#end;
    const isEmbedded = (track: number): boolean => this.#title.subtitles[track]?.sidecarPath === undefined;
    for (const track of this.#tracks.filter((known) => !isEmbedded(known))) {
      const facts = this.#title.subtitles[track];
      if (facts !== undefined) this.#arrive(track, await extractor.sidecar(facts, signal));
    }
    const embedded = this.#tracks.filter(isEmbedded);
    const extracted = await passes.run(() => extractor.embedded(this.#title, embedded, signal), signal);
    for (const [at, found] of extracted.entries()) this.#arrive(embedded[at] ?? -1, found);
    await this.#keep();
  }

  /** Tracks that failed are tried anew when the title is opened the next time, hence then nothing is kept. */
  async #keep(): Promise<void> {
    const found = this.#tracks.map((track) => this.#found.get(track));
    const cues = found.flatMap((track) => (track !== undefined && 'cues' in track ? [track.cues] : []));
    if (cues.length === 0 || cues.length < this.#tracks.length) return;
    const { entries, logger } = this.#tools;
    try {
      this.#lease = await entries.add(this.#title, this.#tracks, cues);
    } catch (thrown) {
      logger.warn({ source: this.#title.source.label, reason: reasonOf(thrown) }, 'subtitles cannot be cached');
    }
  }

  #arrive(track: number, found: ExtractedTrack): void {
    this.#found.set(track, found);
    this.#arrivals.get(track)?.resolve(undefined);
    if ('cues' in found) this.#bytes += found.cues.reduce((sum, { text }) => sum + CUE_BYTES + 2 * text.length, 0);
    if ('cues' in found || this.#end.signal.aborted) return;
    const { label } = this.#title.source;
    this.#tools.logger.warn({ source: label, track, reason: found.reason }, 'subtitles cannot be extracted');
  }
}

function gone(): AppError {
  return new AppError('GONE', 'nobody waits for these subtitles any more');
}
