import { AppError, toError } from '../util/errors.ts';
import type { Keyframe } from './keyframe.ts';
import { fitFilter, type PictureSize } from './picture-size.ts';
import { PICTURE_INPUT_OPTIONS, PictureStream } from './picture-stream.ts';
import type { StillTurn } from './still-renderer.ts';
import { SHEET_COLUMNS, SHEET_ROWS } from './tile-plan.ts';

/** A keyframe and its place on the sheet, row by row from 0. */
export interface SheetTile {
  readonly place: number;
  readonly keyframe: Keyframe;
}

/** Media that one ffmpeg run gets at most, unless a single keyframe is larger. */
const MAX_RUN_BYTES = 8 * 1024 * 1024;
const MAX_JPEG_BYTES = 4 * 1024 * 1024;
/** ITU-R BT.601 studio range. */
const BLACK = { luma: 16, chroma: 128 };

interface Batch {
  readonly stream: PictureStream;
  readonly places: number[];
}

/**
 * Draws a sheet of 5x5 tiles as JPEG; places without a keyframe, and those whose keyframes are gone, stay black. Keyframes of
 * one init are decoded by one ffmpeg run.
 * @param size of a tile: even width and height; a picture of another shape is fitted in.
 * @throws AppError `NOT_FOUND` if all keyframes are gone, `BAD_MEDIA` or `TRANSCODER_FAILED` if none can be decoded.
 */
export async function drawSheet(tiles: readonly SheetTile[], size: PictureSize, turn: StillTurn): Promise<Buffer> {
  const sheet = new RawSheet(size);
  let failure: Error = new AppError('NOT_FOUND', 'the pictures of this storyboard are gone');
  let batch: Batch | undefined;
  const flush = async (): Promise<void> => {
    const { stream, places } = batch ?? {};
    batch = undefined;
    if (stream === undefined || places === undefined || stream.count === 0) return;
    sheet.put(places, await decode(stream, size, turn));
  };
  const attempt = async (step: () => Promise<void>): Promise<void> => {
    try {
      await step();
    } catch (thrown) {
      if (turn.signal.aborted) throw thrown;
      failure = toError(thrown);
    }
  };
  const add = async ({ place, keyframe }: SheetTile): Promise<void> => {
    const fragment = await keyframe.read();
    if (fragment === undefined) return;
    if (batch !== undefined && !(batch.stream.takes(keyframe.init) && hasRoom(batch, fragment))) await attempt(flush);
    batch ??= { stream: new PictureStream(keyframe.init), places: [] };
    if (batch.stream.add(fragment)) batch.places.push(place);
  };
  for (const tile of tiles) await attempt(() => add(tile));
  await attempt(flush);
  if (sheet.drawn === 0) throw failure;
  return encode(sheet, turn);
}

function hasRoom({ stream }: Batch, fragment: Buffer): boolean {
  return stream.byteLength + fragment.length <= MAX_RUN_BYTES;
}

/** All pictures of a stream as raw 4:2:0 tiles. One that cannot be decoded shows the one beside it. */
function decode(stream: PictureStream, tile: PictureSize, turn: StillTurn): Promise<Buffer> {
  const { width, height } = tile;
  const filters = [
    fitFilter(tile),
    `pad=${width}:${height}:(ow-iw)/2:(oh-ih)/2`,
    'format=yuv420p',
    'fps=1:start_time=0:eof_action=pass',
  ];
  const output = [
    '-vf',
    filters.join(','),
    '-frames:v',
    String(stream.count),
    '-fps_mode',
    'passthrough',
    '-f',
    'rawvideo',
  ];
  // A picture that is suddenly of another size is fitted by the same filters, so that none is lost.
  const input = [...PICTURE_INPUT_OPTIONS, '-reinit_filter', '0'];
  const maxOutputBytes = stream.count * tileBytes(tile);
  return turn.ffmpeg({ commandLine: { input, output }, input: stream.pieces, maxOutputBytes });
}

function encode(sheet: RawSheet, turn: StillTurn): Promise<Buffer> {
  const { width, height } = sheet.size;
  const input = ['-hide_banner', '-loglevel', 'error', '-nostats', '-threads', '1', '-f', 'rawvideo'];
  const picture = ['-pixel_format', 'yuv420p', '-video_size', `${width}x${height}`];
  const output = ['-frames:v', '1', '-c:v', 'mjpeg', '-q:v', '5', '-f', 'mjpeg'];
  const commandLine = { input: [...input, ...picture], output };
  return turn.ffmpeg({ commandLine, input: [sheet.bytes], maxOutputBytes: MAX_JPEG_BYTES });
}

function tileBytes({ width, height }: PictureSize): number {
  return (width * height * 3) / 2;
}

interface Plane {
  readonly tile: PictureSize;
  /** Where the plane begins in a tile's and in the sheet's bytes. */
  readonly tileOffset: number;
  readonly sheetOffset: number;
}

/** The sheet's picture, planar 4:2:0. */
class RawSheet {
  readonly size: PictureSize;
  readonly bytes: Buffer;
  readonly #tile: PictureSize;
  readonly #planes: readonly Plane[];
  #drawn = 0;

  constructor(tile: PictureSize) {
    const sheet = { width: tile.width * SHEET_COLUMNS, height: tile.height * SHEET_ROWS };
    const chroma = { width: tile.width / 2, height: tile.height / 2 };
    const tilePixels = tile.width * tile.height;
    const sheetPixels = sheet.width * sheet.height;
    this.size = sheet;
    this.bytes = Buffer.alloc(tileBytes(sheet), BLACK.chroma).fill(BLACK.luma, 0, sheetPixels);
    this.#tile = tile;
    this.#planes = [
      { tile, tileOffset: 0, sheetOffset: 0 },
      { tile: chroma, tileOffset: tilePixels, sheetOffset: sheetPixels },
      { tile: chroma, tileOffset: (tilePixels * 5) / 4, sheetOffset: (sheetPixels * 5) / 4 },
    ];
  }

  /** How many tiles have been drawn. */
  get drawn(): number {
    return this.#drawn;
  }

  /** Puts tiles that follow each other in `raw` at these places. */
  put(places: readonly number[], raw: Buffer): void {
    places.forEach((place, index) => {
      const tile = raw.subarray(index * tileBytes(this.#tile), (index + 1) * tileBytes(this.#tile));
      if (tile.length < tileBytes(this.#tile)) return;
      for (const plane of this.#planes) this.#copy(plane, tile, place);
      this.#drawn += 1;
    });
  }

  #copy({ tile: { width, height }, tileOffset, sheetOffset }: Plane, from: Buffer, place: number): void {
    const stride = width * SHEET_COLUMNS;
    const column = place % SHEET_COLUMNS;
    const row = Math.floor(place / SHEET_COLUMNS);
    const target = sheetOffset + row * height * stride + column * width;
    for (let line = 0; line < height; line += 1) {
      const source = tileOffset + line * width;
      from.copy(this.bytes, target + line * stride, source, source + width);
    }
  }
}
