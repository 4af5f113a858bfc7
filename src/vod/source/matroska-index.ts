import type { ByteSource } from '../../util/byte-source.ts';
import { AppError } from '../../util/errors.ts';
import { EncryptedMediaError } from './encrypted-media.ts';
import { elementOf, elementsOf, readElementHeader, uintOf } from './ebml.ts';
import type { VideoIndex } from './video-index.ts';

/** Elements of Matroska (RFC 9559, 5.1) that tell where keyframes are. */
const ID = {
  ebml: 0x1a45dfa3,
  segment: 0x18538067,
  seekHead: 0x114d9b74,
  seek: 0x4dbb,
  seekId: 0x53ab,
  seekPosition: 0x53ac,
  info: 0x1549a966,
  timestampScale: 0x2ad7b1,
  tracks: 0x1654ae6b,
  trackEntry: 0xae,
  trackNumber: 0xd7,
  trackType: 0x83,
  codecPrivate: 0x63a2,
  contentEncodings: 0x6d80,
  contentEncoding: 0x6240,
  contentEncryption: 0x5035,
  cues: 0x1c53bb6b,
  cuePoint: 0xbb,
  cueTime: 0xb3,
  cueTrackPositions: 0xb7,
  cueTrack: 0xf7,
  cueClusterPosition: 0xf1,
  cueRelativePosition: 0xf0,
  cluster: 0x1f43b675,
} as const;

/** Most bytes of each part that is read whole. */
const MAX_PART_BYTES = new Map<number, number>([
  [ID.seekHead, 64 * 1024],
  [ID.info, 1024 * 1024],
  [ID.tracks, 8 * 1024 * 1024],
  [ID.cues, 32 * 1024 * 1024],
]);
const MAX_TOP_ELEMENTS = 128;
const VIDEO = 1;
const DEFAULT_TIMESTAMP_SCALE = 1_000_000;
const TICKS_PER_NANOSECOND = 90_000 / 1e9;

/**
 * Reads when the keyframes of a Matroska file's picture are shown from its `Cues` alone; `undefined` if those do not tell:
 * there are none, or fewer than two for the picture, or the file is cut off.
 * @param ordinal of the picture among the file's video tracks, from 0; left out if there is none
 * @throws EncryptedMediaError, also for an encrypted track beside it, AppError `BAD_MEDIA` for what is malformed or over a limit, and as `ByteSource.read` does
 */
export async function readMatroskaIndex(
  bytes: ByteSource,
  ordinal: number | undefined,
  signal?: AbortSignal,
): Promise<VideoIndex | undefined> {
  const parts = await readParts(bytes, signal);
  const tracks = parts?.get(ID.tracks);
  const cues = parts?.get(ID.cues);
  const track = tracks && videoTracks(tracks)[ordinal ?? -1];
  if (parts === undefined || cues === undefined || track === undefined) return undefined;
  const scale = elementOf(parts.get(ID.info) ?? Buffer.alloc(0), ID.timestampScale);
  const ticksPerUnit = (scale === undefined ? DEFAULT_TIMESTAMP_SCALE : uintOf(scale)) * TICKS_PER_NANOSECOND;
  const points = cuePoints(cues, track.number, ticksPerUnit);
  if (points.length < 2) return undefined;
  const average = ((points.at(-1)?.position ?? 0) - (points[0]?.position ?? 0)) / (points.length - 1);
  return {
    keyframes: Float64Array.from(points, ({ ticks }) => ticks),
    frames: undefined,
    endTicks: undefined,
    gopBytes: Float64Array.from(points, ({ position }, index) =>
      Math.max(0, (points[index + 1]?.position ?? position + average) - position),
    ),
    isClosed: undefined,
    hidesFrames: false,
    reorderTicks: undefined,
    config: track.config,
  };
}

/** The content of the segment's parts by their ids; `undefined` if the file is cut off or is no Matroska file. */
async function readParts(bytes: ByteSource, signal?: AbortSignal): Promise<Map<number, Buffer> | undefined> {
  const head = await readElementHeader(bytes, 0, signal);
  if (head.id !== ID.ebml) return undefined;
  const segment = await readElementHeader(bytes, head.bodyOffset + head.bodyBytes, signal);
  if (segment.id !== ID.segment) return undefined;
  const end = segment.bodyOffset + segment.bodyBytes;
  if (end !== Infinity && end > bytes.sizeBytes) return undefined;

  const parts = new Map<number, Buffer>();
  const elsewhere = new Map<number, number>();
  /** Reads the part at an offset; answers where it ends, `undefined` where clusters begin. */
  const readPart = async (offset: number): Promise<number | undefined> => {
    const { id, bodyOffset, bodyBytes } = await readElementHeader(bytes, offset, signal);
    if (id === ID.cluster || bodyOffset + bodyBytes > bytes.sizeBytes) return undefined;
    const maxBytes = MAX_PART_BYTES.get(id);
    if (maxBytes !== undefined && !parts.has(id)) {
      if (bodyBytes > maxBytes) throw new AppError('BAD_MEDIA', `${bodyBytes} bytes of index are over the limit`);
      const content = await bytes.read(bodyOffset, bodyBytes, signal);
      parts.set(id, content);
      if (id === ID.seekHead) readSeeks(content, elsewhere);
    }
    return bodyOffset + bodyBytes;
  };
  let at: number | undefined = segment.bodyOffset;
  for (let count = 0; at !== undefined && at < bytes.sizeBytes && count < MAX_TOP_ELEMENTS; count += 1) {
    at = await readPart(at);
  }
  for (const id of [ID.info, ID.tracks, ID.cues]) {
    const position = elsewhere.get(id);
    if (position === undefined || parts.has(id)) continue;
    if (segment.bodyOffset + position < bytes.sizeBytes) await readPart(segment.bodyOffset + position);
  }
  return parts;
}

/** Adds where parts lie, counted from the beginning of the segment. */
function readSeeks(seekHead: Buffer, positions: Map<number, number>): void {
  for (const { id, body } of elementsOf(seekHead)) {
    if (id !== ID.seek) continue;
    const part = elementOf(body, ID.seekId);
    const position = elementOf(body, ID.seekPosition);
    if (part !== undefined && position !== undefined) positions.set(uintOf(part), uintOf(position));
  }
}

function videoTracks(tracks: Buffer): { number: number; config: Buffer | undefined }[] {
  const found = [];
  for (const { id, body } of elementsOf(tracks)) {
    if (id !== ID.trackEntry) continue;
    const encodings = elementOf(body, ID.contentEncodings);
    if (encodings !== undefined) refuseEncryption(encodings);
    const type = elementOf(body, ID.trackType);
    if (type === undefined || uintOf(type) !== VIDEO) continue;
    const config = elementOf(body, ID.codecPrivate);
    found.push({
      number: uintOf(elementOf(body, ID.trackNumber) ?? Buffer.alloc(0)),
      config: config && Buffer.from(config),
    });
  }
  return found;
}

function refuseEncryption(encodings: Buffer): void {
  for (const { id, body } of elementsOf(encodings)) {
    if (id === ID.contentEncoding && elementOf(body, ID.contentEncryption) !== undefined) {
      throw new EncryptedMediaError();
    }
  }
}

/** When each keyframe is shown, and where it lies; ascending, each time once. */
function cuePoints(cues: Buffer, trackNumber: number, ticksPerUnit: number): { ticks: number; position: number }[] {
  const points: { ticks: number; position: number }[] = [];
  for (const { id, body } of elementsOf(cues)) {
    if (id !== ID.cuePoint) continue;
    const time = elementOf(body, ID.cueTime);
    if (time === undefined) continue;
    for (const { id: childId, body: child } of elementsOf(body)) {
      if (
        childId !== ID.cueTrackPositions ||
        uintOf(elementOf(child, ID.cueTrack) ?? Buffer.alloc(0)) !== trackNumber
      ) {
        continue;
      }
      const cluster = uintOf(elementOf(child, ID.cueClusterPosition) ?? Buffer.alloc(0));
      const within = uintOf(elementOf(child, ID.cueRelativePosition) ?? Buffer.alloc(0));
      points.push({ ticks: Math.round(uintOf(time) * ticksPerUnit), position: cluster + within });
    }
  }
  points.sort((one, other) => one.ticks - other.ticks);
  return points.filter(({ ticks }, index) => index === 0 || ticks > (points[index - 1]?.ticks ?? ticks));
}
