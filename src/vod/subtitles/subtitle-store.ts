import { mkdir, rm } from 'node:fs/promises';
import type { FfmpegBinary } from '../../ffmpeg/ffmpeg-binary.ts';
import type { Clock } from '../../util/clock.ts';
import { type Closable, Closer } from '../../util/closer.ts';
import { AppError } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import type { Title } from '../source/title.ts';
import { SubtitleEntries, type SubtitleCache } from './subtitle-entries.ts';
import { SubtitleExtractor } from './subtitle-extractor.ts';
import { TitleSubtitles, type SubtitleTools, type SubtitleTrackReport } from './title-subtitles.ts';
import { Turns } from './turns.ts';

const PASSES_AT_ONCE = 2;
const WINDOWS_AT_ONCE = 4;
const MAX_WAITING = 200;
const IDLE_MS = 10 * 60_000;
const SWEEP_MS = 60_000;
const MAX_TITLES = 500;
const MAX_BYTES = 128 * 1024 * 1024;

/** What subtitles are made with. */
export interface SubtitleStoreOptions {
  readonly cache: SubtitleCache;
  readonly binary: FfmpegBinary;
  /** For files that live as long as a run of ffmpeg; emptied when the store opens. Nobody else's. */
  readonly folder: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The text subtitles of titles as WebVTT: all tracks of a title, those in the file and the files beside it, are extracted
 * once and kept in the segment cache. Those of a title that nobody asked for in ten minutes leave the memory.
 */
export class SubtitleStore implements Closable {
  readonly #tools: SubtitleTools;
  readonly #titles = new Map<string, TitleSubtitles>();
  readonly #closing = new Set<Promise<void>>();
  readonly #closer = new Closer();

  private constructor({ cache, binary, folder, clock, logger }: SubtitleStoreOptions) {
    this.#tools = {
      extractor: new SubtitleExtractor({ binary, folder }),
      entries: new SubtitleEntries({ cache, binary }),
      passes: new Turns({ atOnce: PASSES_AT_ONCE, maxWaiting: MAX_TITLES }),
      windows: new Turns({ atOnce: WINDOWS_AT_ONCE, maxWaiting: MAX_WAITING }),
      clock,
      logger,
    };
    this.#closer.add(() => {
      for (const [key, title] of this.#titles) this.#drop(key, title);
      return Promise.all(this.#closing);
    });
    this.#closer.add(clock.every(SWEEP_MS, () => this.#sweep()));
  }

  static async open(options: SubtitleStoreOptions): Promise<SubtitleStore> {
    await rm(options.folder, { recursive: true, force: true });
    await mkdir(options.folder, { recursive: true });
    return new SubtitleStore(options);
  }

  /** Begins to extract the tracks of a local title in the background; a remote one would be loaded whole by that. */
  ensure(title: Title): void {
    if (title.source.kind === 'file' && !this.#closer.closed) this.#find(title)?.start();
  }

  /**
   * One segment of a text track, `text/vtt` in UTF-8. While the track is being extracted, a short run over a part of the
   * file answers; a track that cannot be extracted is without a word.
   * @param track index in `Title.subtitles`
   * @throws AppError `NOT_FOUND` if there is no such track or segment, `GONE` if aborted, `UNAVAILABLE` if too many ask
   */
  async segment(title: Title, track: number, index: number, signal: AbortSignal): Promise<Buffer> {
    return this.#open(title).segment(track, index, signal);
  }

  /**
   * Resolves when each text track of the title is in the cache, or cannot be extracted.
   * @throws AppError `GONE` if aborted, `UNAVAILABLE` if too many ask
   */
  async complete(title: Title, signal: AbortSignal): Promise<void> {
    await this.#open(title).complete(signal);
  }

  /** How far the text tracks of a title are; empty if nobody asked for them lately. */
  report(title: Title): SubtitleTrackReport[] {
    return this.#titles.get(keyOf(title))?.report() ?? [];
  }

  /** Ends all runs; what is not complete yet is extracted anew at the next time. */
  close(): Promise<void> {
    return this.#closer.close();
  }

  #open(title: Title): TitleSubtitles {
    if (this.#closer.closed) throw new AppError('UNAVAILABLE', 'the server is shutting down');
    const found = this.#find(title);
    if (found === undefined) {
      throw new AppError('UNAVAILABLE', `subtitles of ${MAX_TITLES} titles are in use already; try again later`);
    }
    return found;
  }

  /** The title, as the last used one; `undefined` if there is no room for it. */
  #find(title: Title): TitleSubtitles | undefined {
    const key = keyOf(title);
    const known = this.#titles.get(key);
    if (known === undefined) {
      this.#makeRoom();
      if (this.#titles.size >= MAX_TITLES) return undefined;
    }
    const found = known ?? new TitleSubtitles(title, this.#tools);
    this.#titles.delete(key);
    this.#titles.set(key, found);
    return found;
  }

  #makeRoom(): void {
    let bytes = [...this.#titles.values()].reduce((sum, title) => sum + title.bytes, 0);
    for (const [key, title] of this.#titles) {
      if (this.#titles.size < MAX_TITLES && bytes <= MAX_BYTES) return;
      if (title.isBusy) continue;
      bytes -= title.bytes;
      this.#drop(key, title);
    }
  }

  #sweep(): void {
    const idleSinceMs = this.#tools.clock.nowMs() - IDLE_MS;
    for (const [key, title] of this.#titles)
      if (!title.isBusy && title.lastUsedMs <= idleSinceMs) this.#drop(key, title);
  }

  #drop(key: string, title: TitleSubtitles): void {
    this.#titles.delete(key);
    const closing = title.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}

/** Files beside a film come and go, and its end may turn out to be earlier than it said. */
function keyOf({ source, subtitles, durationTicks }: Title): string {
  const tracks = subtitles.map(({ streamIndex, sidecarPath }) => sidecarPath ?? streamIndex);
  return JSON.stringify([source.identity, durationTicks, tracks]);
}
