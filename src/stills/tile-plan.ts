import type { Keyframe } from './keyframe.ts';

/** Tiles of a sheet. */
export const SHEET_COLUMNS = 5;
export const SHEET_ROWS = 5;
/** Tiles are numbered since the Unix epoch; a sheet holds this many in a row. */
export const SHEET_TILES = SHEET_COLUMNS * SHEET_ROWS;

/** How far apart tiles may be, in seconds. */
const INTERVALS_S = [10, 20, 30, 60, 120, 300, 600, 1200, 3600];
/** A storyboard with more tiles takes the next interval. */
const MAX_TILES = 200;

/** One tile of a storyboard. */
export interface Tile {
  /** Program date divided by the interval, whole. */
  readonly number: number;
  /** Where it is within the list of segments, in ms from the start of the first. */
  readonly startMs: number;
  readonly endMs: number;
  /** The first keyframe of its time. */
  readonly keyframe: Keyframe;
}

/** The interval for a time-shift window, in seconds. */
export function tileIntervalS(keyframes: readonly Keyframe[]): number {
  const windowS = windowMs(keyframes) / 1000;
  return INTERVALS_S.find((interval) => windowS <= interval * MAX_TILES) ?? INTERVALS_S.at(-1) ?? 10;
}

/**
 * Lays tiles over a window. Times are those of the list, where a hole in the program date (the publisher was away) takes no
 * time; a segment that the keyframes skip does.
 */
export function planTiles(keyframes: readonly Keyframe[], intervalS: number): Tile[] {
  const tiles: { number: number; startMs: number; endMs: number; keyframe: Keyframe }[] = [];
  let endMs = 0;
  let previous: Keyframe | undefined;
  for (const keyframe of keyframes) {
    const startMs = endMs + skippedMs(previous, keyframe);
    endMs = startMs + keyframe.durationMs;
    const number = Math.floor(keyframe.programDateTimeMs / (intervalS * 1000));
    const last = tiles.at(-1);
    // The program date may be set back a little; tiles go forwards all the same.
    if (last !== undefined && number <= last.number) last.endMs = endMs;
    else tiles.push({ number, startMs, endMs, keyframe });
    previous = keyframe;
  }
  return tiles;
}

/**
 * The interval that a sheet number belongs to, since numbers of one window at different intervals are never the same;
 * `undefined` if the sheet lies outside of the window.
 */
export function intervalOfSheet(sheet: number, keyframes: readonly Keyframe[]): number | undefined {
  const first = keyframes[0]?.programDateTimeMs ?? 0;
  const last = keyframes.at(-1)?.programDateTimeMs ?? 0;
  return INTERVALS_S.find((interval) => {
    const sheetMs = SHEET_TILES * interval * 1000;
    return Math.floor(first / sheetMs) <= sheet && sheet <= Math.floor(last / sheetMs);
  });
}

function windowMs(keyframes: readonly Keyframe[]): number {
  const [first] = keyframes;
  const last = keyframes.at(-1);
  if (first === undefined || last === undefined) return 0;
  return last.programDateTimeMs + last.durationMs - first.programDateTimeMs;
}

function skippedMs(previous: Keyframe | undefined, keyframe: Keyframe): number {
  if (previous === undefined || keyframe.msn <= previous.msn + 1) return 0;
  return Math.max(0, keyframe.programDateTimeMs - previous.programDateTimeMs - previous.durationMs);
}
