import { AppError } from '../../util/errors.ts';
import { type BoxView, FieldReader, onlyBox, readBoxes } from './box-reader.ts';
import { ascii, box, fullBox, u16, u32 } from './box-writer.ts';
import type { TrackDefaults } from './sample-reader.ts';

/** Largest init that is looked at. */
export const MAX_INIT_BYTES = 64 * 1024;
const MAX_TRACKS = 8;
const MAX_EDITS = 4;
/** Longer edits are no start offsets. */
const MAX_EDIT_SECONDS = 60;

/** Fixed part of a sample entry, in bytes, before its boxes. */
const ENTRY_HEADER_BYTES = { vide: 78, soun: 28 } as const;

/** Sample entries that can be published, and the box that configures their decoder. */
const CONFIG_BOX_BY_ENTRY: Readonly<Record<string, { handler: 'vide' | 'soun'; config: string }>> = {
  avc1: { handler: 'vide', config: 'avcC' },
  avc3: { handler: 'vide', config: 'avcC' },
  hvc1: { handler: 'vide', config: 'hvcC' },
  hev1: { handler: 'vide', config: 'hvcC' },
  av01: { handler: 'vide', config: 'av1C' },
  vp09: { handler: 'vide', config: 'vpcC' },
  mp4a: { handler: 'soun', config: 'esds' },
  Opus: { handler: 'soun', config: 'dOps' },
};

/** Tables of samples; all must be empty in an init. */
const SAMPLE_TABLES = new Set(['stts', 'stsc', 'stsz', 'stz2', 'stco', 'co64', 'ctts', 'stss']);

/** A track of an init that has passed the guard. */
export interface GuardedTrack {
  readonly trackId: number;
  /** Type of the sample entry, e.g. `avc1`. */
  readonly entryType: string;
  /** Body of the decoder's configuration box. */
  readonly config: Buffer;
  /** What the edit list adds to all times, in seconds; negative where it cuts the start off. */
  readonly editSeconds: number;
  readonly defaults: TrackDefaults;
  /** The track's `trak`, made of checked boxes of known size only. */
  readonly trak: Buffer;
}

/** An init that has passed the guard. */
interface GuardedInit {
  readonly tracks: readonly GuardedTrack[];
  /** An init with these tracks and nothing but what was checked: safe for parsers that trust counts. */
  readonly bytes: Buffer;
}

/**
 * Checks an init strictly and rebuilds it from what was checked: exact box sizes, one sample entry a track, empty sample
 * tables, bounded counts. A constant sample size with a large count, for one, makes mp4box abort the process. Tracks other
 * than video and audio are left out.
 * @throws AppError `BAD_MEDIA` for everything else.
 */
export function guardInit(bytes: Buffer): GuardedInit {
  if (bytes.length > MAX_INIT_BYTES) {
    throw new AppError('BAD_MEDIA', `an init of ${bytes.length} bytes is over the limit of ${MAX_INIT_BYTES}`);
  }
  const moov = readBoxes(onlyBox(readBoxes(bytes, 'init'), 'moov', 'init').body, 'moov');
  const mvhd = sized(onlyBox(moov, 'mvhd', 'moov'), 100, 112);
  const movieTimescale = timescaleOf(mvhd);
  const defaults = readDefaults(moov);
  const traks = moov.filter(({ type }) => type === 'trak');
  if (traks.length > MAX_TRACKS) throw new AppError('BAD_MEDIA', `${traks.length} tracks are more than ${MAX_TRACKS}`);
  const tracks = traks.flatMap((trak) => guardTrack(trak, movieTimescale, defaults) ?? []);
  const ids = new Set(tracks.map(({ trackId }) => trackId));
  if (tracks.length === 0) throw new AppError('BAD_MEDIA', 'the init has neither a video nor an audio track');
  if (ids.size < tracks.length) throw new AppError('BAD_MEDIA', 'two tracks of the init have the same id');
  const trexes = tracks.map(({ trackId }) => fullBox('trex', 0, 0, u32(trackId, 1, 0, 0, 0)));
  const ftyp = box('ftyp', ascii('iso6'), u32(0), ascii('iso6'));
  const clean = box('moov', mvhd.bytes, ...tracks.map(({ trak }) => trak), box('mvex', ...trexes));
  return { tracks, bytes: Buffer.concat([ftyp, clean]) };
}

function guardTrack(
  trak: BoxView,
  movieTimescale: number,
  defaults: ReadonlyMap<number, TrackDefaults>,
): GuardedTrack | undefined {
  const boxes = readBoxes(trak.body, 'trak');
  const tkhd = sized(onlyBox(boxes, 'tkhd', 'trak'), 84, 96);
  const mdia = readBoxes(onlyBox(boxes, 'mdia', 'trak').body, 'mdia');
  const mdhd = sized(onlyBox(mdia, 'mdhd', 'mdia'), 24, 36);
  timescaleOf(mdhd);
  const handler = new FieldReader(onlyBox(mdia, 'hdlr', 'mdia').body, 'hdlr');
  handler.skip(8);
  const handlerType = handler.take(4).toString('latin1');
  if (handlerType !== 'vide' && handlerType !== 'soun') return undefined;
  const minf = readBoxes(onlyBox(mdia, 'minf', 'mdia').body, 'minf');
  const stbl = readBoxes(onlyBox(minf, 'stbl', 'minf').body, 'stbl');
  stbl.forEach(checkEmptyTable);
  const { entryType, config, entry } = guardSampleEntry(onlyBox(stbl, 'stsd', 'stbl').body, handlerType);
  const trackId = trackIdOf(tkhd);
  return {
    trackId,
    entryType,
    config,
    editSeconds: readEdits(boxes, movieTimescale, timescaleOf(mdhd)),
    defaults: defaults.get(trackId) ?? { duration: 0, size: 0, flags: 0 },
    trak: cleanTrak(tkhd, mdhd, handlerType, entry),
  };
}

function cleanTrak(tkhd: BoxView, mdhd: BoxView, handlerType: 'vide' | 'soun', entry: Buffer): Buffer {
  const hdlr = fullBox('hdlr', 0, 0, u32(0), ascii(handlerType), u32(0, 0, 0), Buffer.alloc(1));
  const header = handlerType === 'vide' ? fullBox('vmhd', 0, 1, u16(0, 0, 0, 0)) : fullBox('smhd', 0, 0, u16(0, 0));
  const dinf = box('dinf', fullBox('dref', 0, 0, u32(1), fullBox('url ', 0, 1)));
  const tables = [fullBox('stts', 0, 0, u32(0)), fullBox('stsc', 0, 0, u32(0)), fullBox('stco', 0, 0, u32(0))];
  const stbl = box('stbl', fullBox('stsd', 0, 0, u32(1), entry), ...tables, fullBox('stsz', 0, 0, u32(0, 0)));
  return box('trak', tkhd.bytes, box('mdia', mdhd.bytes, hdlr, box('minf', header, dinf, stbl)));
}

/** Checks the only sample entry and rebuilds it with nothing but its configuration box. */
function guardSampleEntry(
  stsd: Buffer,
  handlerType: 'vide' | 'soun',
): { entryType: string; config: Buffer; entry: Buffer } {
  const reader = new FieldReader(stsd, 'stsd');
  reader.skip(4);
  const count = reader.u32();
  const [entry, ...others] = readBoxes(reader.take(reader.remaining), 'stsd');
  if (count !== 1 || entry === undefined || others.length > 0) {
    throw new AppError('BAD_MEDIA', `a track with ${count} sample descriptions cannot be published; there must be one`);
  }
  const known = CONFIG_BOX_BY_ENTRY[entry.type];
  if (known?.handler !== handlerType) {
    throw new AppError(
      'BAD_MEDIA',
      `${JSON.stringify(entry.type)} in a "${handlerType}" track cannot be published; send H.264, H.265, AV1, VP9, AAC or Opus`,
    );
  }
  const fields = new FieldReader(entry.body, entry.type);
  const header = fields.take(ENTRY_HEADER_BYTES[handlerType]);
  if (handlerType === 'soun' && header.readUInt16BE(8) !== 0) {
    throw new AppError(
      'BAD_MEDIA',
      `a QuickTime sound description of version ${header.readUInt16BE(8)} is not ISO media`,
    );
  }
  const config = onlyBox(readBoxes(fields.take(fields.remaining), entry.type), known.config, entry.type);
  return { entryType: entry.type, config: config.body, entry: box(entry.type, header, config.bytes) };
}

function checkEmptyTable({ type, body }: BoxView): void {
  if (!SAMPLE_TABLES.has(type)) return;
  const reader = new FieldReader(body, type);
  reader.skip(4);
  // Sample sizes come before the count; a constant one is as wrong here as a count.
  while (reader.remaining > 0) {
    if (reader.u32() !== 0) throw new AppError('BAD_MEDIA', `the init's "${type}" is not empty; send fragmented MP4`);
  }
}

function readDefaults(moov: readonly BoxView[]): Map<number, TrackDefaults> {
  const trexes = readBoxes(onlyBox(moov, 'mvex', 'moov').body, 'mvex').filter(({ type }) => type === 'trex');
  return new Map(
    trexes.map((trex) => {
      const reader = new FieldReader(trex.body, 'trex');
      reader.skip(4);
      const trackId = reader.u32();
      reader.skip(4);
      return [trackId, { duration: reader.u32(), size: reader.u32(), flags: reader.u32() }];
    }),
  );
}

/** Offset of an edit list of any empty edits and then one that maps the media (ISO/IEC 14496-12, 8.6.6). */
function readEdits(trak: readonly BoxView[], movieTimescale: number, timescale: number): number {
  const edts = trak.find(({ type }) => type === 'edts');
  const elst = edts && readBoxes(edts.body, 'edts').find(({ type }) => type === 'elst');
  if (elst === undefined) return 0;
  const reader = new FieldReader(elst.body, 'elst');
  const { version } = reader.versionAndFlags();
  const count = reader.u32();
  if (count > MAX_EDITS) throw new AppError('BAD_MEDIA', `an edit list of ${count} entries is over ${MAX_EDITS}`);
  let seconds = 0;
  for (let index = 0; index < count; index += 1) {
    const duration = version === 1 ? reader.u64() : reader.u32();
    const mediaTime = version === 1 ? reader.i64() : reader.i32();
    reader.skip(4);
    seconds += mediaTime === -1 ? duration / movieTimescale : -mediaTime / timescale;
    if (mediaTime !== -1) break;
  }
  if (Math.abs(seconds) > MAX_EDIT_SECONDS) {
    throw new AppError('BAD_MEDIA', `an edit list that moves the start by ${seconds} s is over ${MAX_EDIT_SECONDS} s`);
  }
  return seconds;
}

/** The box, if its body has the size of version 0 or 1. */
function sized(view: BoxView, version0Bytes: number, version1Bytes: number): BoxView {
  const expected = view.body[0] === 1 ? version1Bytes : version0Bytes;
  if (view.body.length !== expected || (view.body[0] ?? 2) > 1) {
    throw new AppError('BAD_MEDIA', `a "${view.type}" of ${view.body.length} bytes is not valid`);
  }
  return view;
}

/** Timescale of an `mvhd` or `mdhd`, which have it at the same place. */
function timescaleOf({ type, body }: BoxView): number {
  const timescale = body.readUInt32BE(body[0] === 1 ? 20 : 12);
  if (timescale === 0) throw new AppError('BAD_MEDIA', `the "${type}" has a timescale of 0`);
  return timescale;
}

function trackIdOf(tkhd: BoxView): number {
  const trackId = tkhd.body.readUInt32BE(tkhd.body[0] === 1 ? 20 : 12);
  if (trackId === 0) throw new AppError('BAD_MEDIA', 'a track has the id 0');
  return trackId;
}
