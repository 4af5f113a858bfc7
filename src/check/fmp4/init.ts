import { AppError } from '../../util/errors.ts';
import { type Box, children, findBox, readBoxes } from './boxes.ts';

/** A track as an init segment describes it. */
export interface InitTrack {
  readonly id: number;
  readonly kind: 'video' | 'audio' | 'other';
  readonly timescale: number;
  /** Sample entry, e.g. `avc1`. */
  readonly format: string;
  /** RFC 6381, where it is known how to make it from the sample entry; else the format. */
  readonly codec: string;
  /** Of the picture, in pixels; 0 for others. */
  readonly width: number;
  readonly height: number;
  /** Bytes of the length before each NAL unit; 4 for others. */
  readonly nalLengthSize: number;
  /** What the edit list takes off presentation times, in units of the timescale. */
  readonly mediaTime: number;
  readonly defaults: SampleDefaults;
}

/** `trex` (ISO/IEC 14496-12, 8.8.3). */
export interface SampleDefaults {
  readonly duration: number;
  readonly size: number;
  readonly flags: number;
}

const VISUAL_ENTRY_BYTES = 78;
const AUDIO_ENTRY_BYTES = 28;

/**
 * Reads the tracks of an init segment.
 * @throws AppError `BAD_MEDIA` if it is none.
 */
export function readInit(data: Buffer): InitTrack[] {
  const top = readBoxes(data);
  const moov = top.find(({ type }) => type === 'moov');
  if (moov === undefined) throw new AppError('BAD_MEDIA', 'the init segment has no moov box');
  const boxes = children(data, moov);
  const defaults = readDefaults(data, boxes);
  return boxes.filter(({ type }) => type === 'trak').map((trak) => readTrack(data, trak, defaults));
}

function readDefaults(data: Buffer, moov: readonly Box[]): Map<number, SampleDefaults> {
  const mvex = moov.find(({ type }) => type === 'mvex');
  const trex = mvex === undefined ? [] : children(data, mvex).filter(({ type }) => type === 'trex');
  return new Map(
    trex.map(({ body }) => {
      const word = (index: number): number => data.readUInt32BE(body + 4 * index);
      return [word(1), { duration: word(3), size: word(4), flags: word(5) }];
    }),
  );
}

function readTrack(data: Buffer, trak: Box, defaults: ReadonlyMap<number, SampleDefaults>): InitTrack {
  const boxes = children(data, trak);
  const need = (...path: string[]): Box => {
    const box = findBox(data, boxes, ...path);
    if (box === undefined) throw new AppError('BAD_MEDIA', `the init segment has no ${path.join('/')} box`);
    return box;
  };
  const tkhd = need('tkhd');
  const id = data.readUInt32BE(tkhd.body + (data[tkhd.body] === 1 ? 20 : 12));
  const mdhd = need('mdia', 'mdhd');
  const timescale = data.readUInt32BE(mdhd.body + (data[mdhd.body] === 1 ? 20 : 12));
  if (timescale === 0) throw new AppError('BAD_MEDIA', 'the init segment has a timescale of 0');
  const handler = data.toString('latin1', need('mdia', 'hdlr').body + 8, need('mdia', 'hdlr').body + 12);
  const kind = handler === 'vide' ? 'video' : handler === 'soun' ? 'audio' : 'other';
  const entry = children(data, need('mdia', 'minf', 'stbl', 'stsd'), 8)[0];
  if (entry === undefined) throw new AppError('BAD_MEDIA', 'the init segment has no sample entry');
  const isVideo = kind === 'video';
  const fields = kind === 'other' ? [] : children(data, entry, isVideo ? VISUAL_ENTRY_BYTES : AUDIO_ENTRY_BYTES);
  return {
    id,
    kind,
    timescale,
    format: entry.type,
    codec: codecOf(data, entry.type, fields),
    width: isVideo ? data.readUInt16BE(entry.body + 24) : 0,
    height: isVideo ? data.readUInt16BE(entry.body + 26) : 0,
    nalLengthSize: nalLengthSize(data, fields),
    mediaTime: readMediaTime(data, findBox(data, boxes, 'edts', 'elst')),
    defaults: defaults.get(id) ?? { duration: 0, size: 0, flags: 0 },
  };
}

function codecOf(data: Buffer, format: string, fields: readonly Box[]): string {
  const avcC = fields.find(({ type }) => type === 'avcC');
  if (avcC !== undefined) return `${format}.${data.toString('hex', avcC.body + 1, avcC.body + 4)}`;
  const esds = fields.find(({ type }) => type === 'esds');
  const objectType = esds === undefined ? undefined : audioObjectType(data.subarray(esds.body + 4, esds.end));
  return objectType === undefined ? format : `${format}.40.${objectType}`;
}

/** MPEG-4 audio object type from an ES descriptor (ISO/IEC 14496-1, 7.2.6), `undefined` for other audio. */
function audioObjectType(esds: Buffer): number | undefined {
  const isMpeg4Audio = 0x40;
  for (let at = 0; at + 2 < esds.length;) {
    const tag = esds[at];
    let body = at + 1;
    while (((esds[body] ?? 0) & 0x80) !== 0) body += 1;
    body += 1;
    if (tag === 0x03) at = body + 3;
    else if (tag === 0x04) {
      if (esds[body] !== isMpeg4Audio) return undefined;
      at = body + 13;
    } else if (tag === 0x05) {
      const type = (esds[body] ?? 0) >> 3;
      return type === 31 ? 32 + ((esds.readUInt16BE(body) >> 5) & 0x3f) : type;
    } else return undefined;
  }
  return undefined;
}

function nalLengthSize(data: Buffer, fields: readonly Box[]): number {
  const avcC = fields.find(({ type }) => type === 'avcC');
  const hvcC = fields.find(({ type }) => type === 'hvcC');
  if (avcC !== undefined) return (data.readUInt8(avcC.body + 4) & 3) + 1;
  return hvcC === undefined ? 4 : (data.readUInt8(hvcC.body + 21) & 3) + 1;
}

/** Media time of the first edit that is not empty. */
function readMediaTime(data: Buffer, elst: Box | undefined): number {
  if (elst === undefined) return 0;
  const isLong = data[elst.body] === 1;
  const size = isLong ? 20 : 12;
  for (let at = elst.body + 8; at + size <= elst.end; at += size) {
    const mediaTime = isLong ? Number(data.readBigInt64BE(at + 8)) : data.readInt32BE(at + 4);
    if (mediaTime >= 0) return mediaTime;
  }
  return 0;
}
