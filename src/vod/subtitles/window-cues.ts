import { AppError } from '../../util/errors.ts';
import type { Title } from '../source/title.ts';
import type { Cue } from './cue.ts';
import type { SubtitleExtractor } from './subtitle-extractor.ts';
import type { Turns } from './turns.ts';

/** A window answers for what a player asks next, too. */
const WINDOW_TICKS = 60 * 90_000;
const MAX_WINDOWS = 16;

interface Window {
  readonly track: number;
  readonly first: number;
  readonly end: number;
  readonly cues: Promise<readonly Cue[]>;
}

/** Cues of tracks in the file found by reading only a part of it. The last few windows are kept. */
export class WindowCues {
  readonly #title: Title;
  readonly #tools: { readonly extractor: SubtitleExtractor; readonly windows: Turns };
  readonly #signal: AbortSignal;
  #windows: Window[] = [];

  /** @param signal ends all runs */
  constructor(title: Title, tools: { extractor: SubtitleExtractor; windows: Turns }, signal: AbortSignal) {
    this.#title = title;
    this.#tools = tools;
    this.#signal = signal;
  }

  /**
   * Cues, among them all that are seen in a segment.
   * @throws AppError if the track is not in the file or cannot be read
   */
  find(track: number, index: number): Promise<readonly Cue[]> {
    const known = this.#windows.find((window) => window.track === track && window.first <= index && index < window.end);
    return (known ?? this.#open(track, index)).cues;
  }

  /** Resolves when no run is under way any more. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#windows.map(({ cues }) => cues));
  }

  #open(track: number, first: number): Window {
    const { boundaries } = this.#title.plan;
    const [fromTicks = 0, lastTicks = 0] = [boundaries[first], boundaries.at(-1)];
    const limitTicks = fromTicks + WINDOW_TICKS;
    const beyond = boundaries.findIndex((ticks) => ticks > limitTicks);
    const end = Math.max(first + 1, beyond === -1 ? boundaries.length - 1 : beyond - 1);
    const toTicks = boundaries[end] ?? lastTicks;
    const cues = this.#extract(track, { fromMs: fromTicks / 90, toMs: toTicks / 90 });
    const window = { track, first, end, cues };
    this.#windows = [...this.#windows.slice(1 - MAX_WINDOWS), window];
    cues.catch(() => (this.#windows = this.#windows.filter((other) => other !== window)));
    return window;
  }

  async #extract(track: number, range: { fromMs: number; toMs: number }): Promise<readonly Cue[]> {
    const { extractor, windows } = this.#tools;
    if (this.#title.subtitles[track]?.streamIndex === undefined) {
      throw new AppError('NOT_FOUND', `subtitle track ${track} is not in the file`);
    }
    return windows.run(() => extractor.window(this.#title, { track, ...range }, this.#signal), this.#signal);
  }
}
