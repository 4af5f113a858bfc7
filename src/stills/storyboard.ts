import { readTrackInit } from '../media/cmaf/init-reader.ts';
import { AppError, toError } from '../util/errors.ts';
import type { Keyframe, KeyframeSource } from './keyframe.ts';
import type { PictureSize } from './picture-size.ts';
import { drawSheet, type SheetTile } from './sprite-sheet.ts';
import { StillCache } from './still-cache.ts';
import type { StillRenderer, StillTurn } from './still-renderer.ts';
import { intervalOfSheet, planTiles, SHEET_COLUMNS, SHEET_TILES, type Tile, tileIntervalS } from './tile-plan.ts';

/** What a `Storyboard` works with. */
export interface StoryboardDeps {
  readonly keyframes: KeyframeSource;
  readonly renderer: StillRenderer;
}

const TILE_WIDTH = 160;
const TILE_HEIGHTS = { min: 32, max: 320 };
const MAX_CACHE_BYTES = 32 * 1024 * 1024;
/** What remembering a failure is counted as. */
const FAILURE_BYTES = 1024;
const MAX_SIZE_BYTES = 256 * 1024;
/** What remembering a size is counted as. */
const SIZE_BYTES = 128;

interface Sheet {
  /** Number of the newest tile on it. */
  readonly newestTile: number;
  readonly jpeg: Buffer | Error;
}

/**
 * Small pictures of a broadcast's whole time-shift window: a WebVTT file that names a tile for each few seconds, and the
 * sheets that the tiles are on. Sheets are numbered by program date, so that a number shows the same however the window
 * slides.
 */
export class Storyboard {
  readonly #deps: StoryboardDeps;
  readonly #sheets = new StillCache<Sheet>({ maxBytes: MAX_CACHE_BYTES });
  readonly #sizes = new StillCache<PictureSize>({ maxBytes: MAX_SIZE_BYTES });

  constructor(deps: StoryboardDeps) {
    this.#deps = deps;
  }

  /**
   * WebVTT whose cues are `storyboard-SHEET.jpg#xywh=x,y,width,height`, relative to the broadcast's folder. Times count from
   * the start of the first segment of the media playlists; a note has its date. A tile each 10 s, in windows of more than
   * 33 minutes fewer, at most 200.
   * @throws AppError `NOT_FOUND` if nothing of the broadcast can be shown.
   */
  vtt(broadcast: string): string {
    const keyframes = this.#keyframes(broadcast);
    const size = this.#tileSize(broadcast, keyframes);
    const tiles = planTiles(keyframes, tileIntervalS(keyframes));
    const zero = new Date(keyframes[0].programDateTimeMs).toISOString();
    return ['WEBVTT', `NOTE 00:00:00.000 is ${zero}`, ...tiles.map((tile) => cue(tile, size))].join('\n\n') + '\n';
  }

  /**
   * A sheet as JPEG. One whose time is not over is drawn again when it has got another tile.
   * @throws AppError `NOT_FOUND` for a sheet outside of the window, or if its media are gone; `BAD_MEDIA` or
   *   `TRANSCODER_FAILED` if none of it can be decoded; what `StillRenderer.render()` throws.
   */
  async sprite(broadcast: string, sheet: number, signal?: AbortSignal): Promise<Buffer> {
    const keyframes = this.#keyframes(broadcast);
    const intervalS = intervalOfSheet(sheet, keyframes);
    const tiles =
      intervalS === undefined ? [] : planTiles(keyframes, intervalS).filter(({ number }) => sheetOf(number) === sheet);
    const newestTile = tiles.at(-1)?.number;
    if (newestTile === undefined) {
      throw new AppError('NOT_FOUND', `storyboard sheet ${sheet} of ${broadcast} is not within its time-shift window`);
    }
    const key = `${broadcast} ${sheet}`;
    const made = this.#sheets.get(key);
    if (made?.newestTile === newestTile) {
      if (Buffer.isBuffer(made.jpeg)) return made.jpeg;
      throw made.jpeg;
    }
    const size = this.#tileSize(broadcast, keyframes);
    const draw = (turn: StillTurn): Promise<Buffer> => this.#draw({ key, tiles, newestTile, size, turn });
    return this.#deps.renderer.render(`sheet ${key} ${newestTile}`, draw, signal);
  }

  async #draw({ key, tiles, newestTile, size, turn }: Drawing): Promise<Buffer> {
    let jpeg: Buffer | Error;
    try {
      jpeg = await drawSheet(tiles.map(onSheet), size, turn);
    } catch (thrown) {
      if (turn.signal.aborted) throw thrown;
      jpeg = toError(thrown);
    }
    this.#sheets.set(key, { newestTile, jpeg }, Buffer.isBuffer(jpeg) ? jpeg.length : FAILURE_BYTES);
    if (Buffer.isBuffer(jpeg)) return jpeg;
    throw jpeg;
  }

  #keyframes(broadcast: string): readonly [Keyframe, ...Keyframe[]] {
    const [first, ...others] = this.#deps.keyframes(broadcast);
    if (first !== undefined) return [first, ...others];
    this.#sizes.delete(broadcast);
    throw new AppError('NOT_FOUND', `broadcast ${broadcast} shows no picture now`);
  }

  /** Of the picture's shape when the first tile was asked for: a list and its sheets have to agree. */
  #tileSize(broadcast: string, [{ init }]: readonly [Keyframe, ...Keyframe[]]): PictureSize {
    const known = this.#sizes.get(broadcast);
    if (known !== undefined) return known;
    const { width = 16, height = 9 } = readTrackInit(init);
    const fitting = 2 * Math.round((TILE_WIDTH * height) / width / 2);
    const size = { width: TILE_WIDTH, height: Math.min(TILE_HEIGHTS.max, Math.max(TILE_HEIGHTS.min, fitting)) };
    this.#sizes.set(broadcast, size, SIZE_BYTES);
    return size;
  }
}

interface Drawing {
  readonly key: string;
  readonly tiles: readonly Tile[];
  readonly newestTile: number;
  readonly size: PictureSize;
  readonly turn: StillTurn;
}

function sheetOf(tileNumber: number): number {
  return Math.floor(tileNumber / SHEET_TILES);
}

function onSheet({ number, keyframe }: Tile): SheetTile {
  return { place: number % SHEET_TILES, keyframe };
}

function cue({ number, startMs, endMs }: Tile, { width, height }: PictureSize): string {
  const place = number % SHEET_TILES;
  const x = (place % SHEET_COLUMNS) * width;
  const y = Math.floor(place / SHEET_COLUMNS) * height;
  const picture = `storyboard-${sheetOf(number)}.jpg#xywh=${x},${y},${width},${height}`;
  return `${timestamp(startMs)} --> ${timestamp(endMs)}\n${picture}`;
}

/** WebVTT `hh:mm:ss.ttt`. */
function timestamp(ms: number): string {
  const whole = Math.round(ms);
  const pad = (value: number, digits = 2): string => String(Math.floor(value)).padStart(digits, '0');
  return `${pad(whole / 3_600_000)}:${pad((whole / 60_000) % 60)}:${pad((whole / 1000) % 60)}.${pad(whole % 1000, 3)}`;
}
