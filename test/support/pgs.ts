/** A coloured box that is shown for a while: what a picture subtitle track is made of here. */
export interface PgsBox {
  readonly startS: number;
  readonly endS: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Luma of the box, 16 to 235; without colour. */
  readonly luma: number;
}

const SEGMENT = { palette: 0x14, object: 0x15, composition: 0x16, window: 0x17, end: 0x80 };
const EPOCH_START = 0x80;
const COLOUR = 1;
const OPAQUE = 255;

/**
 * The bytes of a `.sup` file (Presentation Graphic Stream) with boxes that do not overlap in time, in order. ffmpeg reads
 * it by its extension; `-c:s copy` puts it into a Matroska file.
 */
export function pgsFile(boxes: readonly PgsBox[], picture: { width: number; height: number }): Buffer {
  return Buffer.concat(
    boxes.flatMap((box, index) => [...shown(box, picture, 2 * index), ...cleared(box, picture, 2 * index + 1)]),
  );
}

function shown(box: PgsBox, picture: { width: number; height: number }, number: number): Buffer[] {
  const pts = Math.round(box.startS * 90_000);
  const object = Buffer.concat([
    ...[u16(0), u8(0), u8(0xc0), u24(4 + runs(box).length)],
    ...[u16(box.width), u16(box.height), runs(box)],
  ]);
  const composition = Buffer.concat([
    ...compositionHead(picture, number),
    ...[u8(1), u16(0), u8(0), u8(0), u16(box.x), u16(box.y)],
  ]);
  return [
    segment(pts, SEGMENT.composition, composition),
    segment(pts, SEGMENT.window, windowOf(box)),
    segment(pts, SEGMENT.palette, Buffer.from([0, 0, COLOUR, box.luma, 128, 128, OPAQUE])),
    segment(pts, SEGMENT.object, object),
    segment(pts, SEGMENT.end, Buffer.alloc(0)),
  ];
}

function cleared(box: PgsBox, picture: { width: number; height: number }, number: number): Buffer[] {
  const pts = Math.round(box.endS * 90_000);
  return [
    segment(pts, SEGMENT.composition, Buffer.concat([...compositionHead(picture, number), u8(0)])),
    segment(pts, SEGMENT.window, windowOf(box)),
    segment(pts, SEGMENT.end, Buffer.alloc(0)),
  ];
}

function compositionHead({ width, height }: { width: number; height: number }, number: number): Buffer[] {
  const FRAME_RATE = 0x10;
  return [u16(width), u16(height), u8(FRAME_RATE), u16(number), u8(EPOCH_START), u8(0), u8(0)];
}

function windowOf({ x, y, width, height }: PgsBox): Buffer {
  return Buffer.concat([u8(1), u8(0), u16(x), u16(y), u16(width), u16(height)]);
}

/** One run of the colour a line, and the mark of the line's end. */
function runs({ width, height }: PgsBox): Buffer {
  const line = Buffer.concat([Buffer.from([0]), u16(0xc000 | width), Buffer.from([COLOUR, 0, 0])]);
  return Buffer.concat(Array.from({ length: height }, () => line));
}

function segment(pts: number, type: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from('PG'), u32(pts), u32(0), u8(type), u16(body.length), body]);
}

const u8 = (value: number): Buffer => Buffer.from([value]);
const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
const u24 = (value: number): Buffer => Buffer.from([value >> 16, (value >> 8) & 0xff, value & 0xff]);
const u32 = (value: number): Buffer => Buffer.concat([u16(value >>> 16), u16(value & 0xffff)]);
