import { type BoxView, FieldReader, onlyBox, readBoxes } from '../../media/cmaf/box-reader.ts';
import type { ByteSource } from '../../util/byte-source.ts';
import { AppError } from '../../util/errors.ts';
import { EncryptedMediaError } from './encrypted-media.ts';
import { readSamples } from './mp4-samples.ts';
import { type VideoIndex, VideoIndexBuilder } from './video-index.ts';
import { TICKS_PER_SECOND } from './segment-plan.ts';

const MAX_MOOV_BYTES = 64 * 1024 * 1024;
const MAX_TOP_BOXES = 256;
const MAX_EDITS = 64;
/** Content of a visual sample entry before its boxes (ISO/IEC 14496-12, 12.1.3). */
const VISUAL_ENTRY_BYTES = 78;
const ENCRYPTED_ENTRIES = new Set(['encv', 'enca', 'drmi', 'drms']);

/**
 * Reads when the frames of an MP4's picture are shown from its `moov` alone; `undefined` if that does not tell:
 * fragmented, cut off, or edited in more than one piece.
 * @param trackId of the picture; left out if there is none
 * @throws EncryptedMediaError, also for an encrypted track beside it, AppError `BAD_MEDIA` for tables that contradict each other or are over a limit, and as `ByteSource.read` does
 */
export async function readMp4Index(
  bytes: ByteSource,
  trackId: number | undefined,
  signal?: AbortSignal,
): Promise<VideoIndex | undefined> {
  const { content, isWhole } = await readMovie(bytes, signal);
  const movie = readBoxes(content, 'moov');
  const traks = movie.filter(({ type }) => type === 'trak');
  if (traks.some(isEncrypted)) throw new EncryptedMediaError();
  const trak = traks.find((box) => trackIdOf(box) === trackId);
  if (!isWhole || trak === undefined || movie.some(({ type }) => type === 'mvex')) return undefined;
  const boxes = readBoxes(trak.body, 'trak');
  const mdia = readBoxes(onlyBox(boxes, 'mdia', 'trak').body, 'mdia');
  const timescale = timescaleOf(onlyBox(mdia, 'mdhd', 'mdia'));
  const edit = readEdit(boxes, timescaleOf(onlyBox(movie, 'mvhd', 'moov')), timescale);
  if (edit === undefined) return undefined;
  const stbl = readBoxes(onlyBox(readBoxes(onlyBox(mdia, 'minf', 'mdia').body, 'minf'), 'stbl', 'minf').body, 'stbl');

  const isShown = (cts: number): boolean => cts >= edit.from && cts < edit.until;
  let firstShown = Infinity;
  if (edit.from !== -Infinity) {
    await readSamples(stbl, ({ cts }) => {
      if (cts < firstShown && isShown(cts)) firstShown = cts;
    });
  }
  // Like ffmpeg: an edit that begins between two frames begins with the second.
  const offset = edit.pause - (firstShown === Infinity ? 0 : firstShown);
  const toTicks = (cts: number): number => Math.round(((cts + offset) * TICKS_PER_SECOND) / timescale);
  const builder = new VideoIndexBuilder();
  await readSamples(stbl, ({ cts, duration, size, isSync }) => {
    const ptsTicks = toTicks(cts);
    const durationTicks = toTicks(cts + duration) - ptsTicks;
    builder.add({ ptsTicks, durationTicks, bytes: size, isKeyframe: isSync, isHidden: !isShown(cts) });
  });
  return builder.build(configOf(stbl));
}

/** The content of `moov`, none if there is no such box; whole if neither fragments follow nor the end of the file is missing. */
async function readMovie(
  bytes: ByteSource,
  signal: AbortSignal | undefined,
): Promise<{ content: Buffer; isWhole: boolean }> {
  let content: Buffer = Buffer.alloc(0);
  let at = 0;
  for (let count = 0; at + 8 <= bytes.sizeBytes && count < MAX_TOP_BOXES; count += 1) {
    const header = await bytes.read(at, Math.min(16, bytes.sizeBytes - at), signal);
    const type = header.toString('latin1', 4, 8);
    let size = header.readUInt32BE(0);
    const headerBytes = size === 1 ? 16 : 8;
    if (size === 0) size = bytes.sizeBytes - at;
    if (size === 1) size = header.length < 16 ? 0 : header.readUInt32BE(8) * 2 ** 32 + header.readUInt32BE(12);
    if (size < headerBytes) throw new AppError('BAD_MEDIA', `a box of ${size} bytes is none`);
    if (type === 'moof') return { content, isWhole: false };
    const fits = at + size <= bytes.sizeBytes;
    if (!fits && (type === 'mdat' || type === 'moov')) return { content, isWhole: false };
    if (type === 'moov') {
      if (size > MAX_MOOV_BYTES) {
        throw new AppError('BAD_MEDIA', `a moov of ${size} bytes is over the limit of ${MAX_MOOV_BYTES}`);
      }
      content = await bytes.read(at + headerBytes, size - headerBytes, signal);
    }
    at += size;
  }
  return { content, isWhole: true };
}

/** True if a track's first sample entry is that of protected samples (ISO/IEC 14496-12, 8.12), or of an older kind. */
function isEncrypted(trak: BoxView): boolean {
  let boxes = readBoxes(trak.body, 'trak');
  for (const type of ['mdia', 'minf', 'stbl']) {
    const box = boxes.find((other) => other.type === type);
    if (box === undefined) return false;
    boxes = readBoxes(box.body, type);
  }
  const stsd = boxes.find(({ type }) => type === 'stsd');
  return stsd !== undefined && ENCRYPTED_ENTRIES.has(stsd.body.toString('latin1', 12, 16));
}

function trackIdOf(trak: BoxView): number {
  const reader = new FieldReader(onlyBox(readBoxes(trak.body, 'trak'), 'tkhd', 'trak').body, 'tkhd');
  reader.skip(reader.versionAndFlags().version === 1 ? 16 : 8);
  return reader.u32();
}

/** Ticks a second, of `mvhd` or `mdhd`. */
function timescaleOf({ body, type }: BoxView): number {
  const reader = new FieldReader(body, type);
  reader.skip(reader.versionAndFlags().version === 1 ? 16 : 8);
  const timescale = reader.u32();
  if (timescale === 0) throw new AppError('BAD_MEDIA', `the ${type} counts 0 ticks a second`);
  return timescale;
}

/** What is shown of a track, and when that begins; in the track's own ticks. */
interface Edit {
  readonly from: number;
  readonly until: number;
  readonly pause: number;
}

/** The edit list (ISO/IEC 14496-12, 8.6.6): pauses and then one piece; `undefined` for any other. */
function readEdit(trak: readonly BoxView[], movieScale: number, timescale: number): Edit | undefined {
  const whole = { from: -Infinity, until: Infinity, pause: 0 };
  const edts = trak.find(({ type }) => type === 'edts');
  const elst = edts && readBoxes(edts.body, 'edts').find(({ type }) => type === 'elst');
  if (elst === undefined) return whole;
  const reader = new FieldReader(elst.body, 'elst');
  const isLong = reader.versionAndFlags().version === 1;
  const count = reader.u32();
  if (count > MAX_EDITS) return undefined;
  let pause = 0;
  let edit: Edit | undefined;
  for (let index = 0; index < count; index += 1) {
    const duration = Math.round(((isLong ? reader.u64() : reader.u32()) * timescale) / movieScale);
    const mediaTime = isLong ? reader.i64() : reader.i32();
    const rate = reader.u32();
    if (edit !== undefined || duration === 0 || rate !== 0x00010000) return undefined;
    if (mediaTime < 0) pause += duration;
    else edit = { from: mediaTime, until: mediaTime + duration, pause };
  }
  return count === 0 ? whole : edit;
}

/** The body of the first sample entry's `avcC`, if it has one. */
function configOf(stbl: readonly BoxView[]): Buffer | undefined {
  const [entry] = readBoxes(onlyBox(stbl, 'stsd', 'stbl').body.subarray(8), 'stsd');
  if (entry?.type !== 'avc1' || entry.body.length < VISUAL_ENTRY_BYTES) return undefined;
  // The boxes of a sample entry may be followed by four zero bytes.
  const boxes = entry.body.subarray(VISUAL_ENTRY_BYTES);
  const padding = boxes.length >= 4 && boxes.readUInt32BE(boxes.length - 4) === 0 ? 4 : 0;
  const avcC = readBoxes(boxes.subarray(0, boxes.length - padding), 'avc1').find(({ type }) => type === 'avcC');
  return avcC && Buffer.from(avcC.body);
}
