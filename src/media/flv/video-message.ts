import { type Amf0Value, decodeAmf0 } from './amf0.ts';
import { ByteCursor } from './byte-cursor.ts';
import { type EnhancedPart, skipModEx, splitTracks } from './enhanced-header.ts';

/** Video codecs that this program ingests, by their FourCC. */
export type VideoCodec = 'avc1' | 'hvc1' | 'av01' | 'vp09';

/** What one track of a video message says. `trackId` is 0 for everything outside a multitrack message. */
export type VideoMessage =
  /** The decoder set-up: body of the `avcC`, `hvcC`, `av1C` or `vpcC` box. */
  | { readonly kind: 'config'; readonly trackId: number; readonly codec: VideoCodec; readonly config: Buffer }
  /** A coded frame; `compositionMs` is signed. `data` is a view into the message. */
  | {
      readonly kind: 'frame';
      readonly trackId: number;
      readonly codec: VideoCodec;
      readonly keyframe: boolean;
      readonly compositionMs: number;
      readonly data: Buffer;
    }
  /** The publisher says that the track is over; another `config` may follow. */
  | { readonly kind: 'end'; readonly trackId: number }
  /** Colour metadata: the AMF0 values as they came. */
  | { readonly kind: 'metadata'; readonly trackId: number; readonly values: readonly Amf0Value[] }
  /** Well-formed, but of no use here. */
  | { readonly kind: 'ignored'; readonly trackId: number; readonly reason: string };

const CODECS: readonly string[] = ['avc1', 'hvc1', 'av01', 'vp09'] satisfies VideoCodec[];
const LEGACY_AVC = 7;
const KEY_FRAME = 1;
const COMMAND_FRAME = 5;

// VideoPacketType of Enhanced RTMP.
const SEQUENCE_START = 0;
const CODED_FRAMES = 1;
const SEQUENCE_END = 2;
const CODED_FRAMES_X = 3;
const METADATA = 4;
const MULTITRACK = 6;
const MOD_EX = 7;

/**
 * Parses the body of an RTMP video message (type 9): legacy FLV, Enhanced RTMP v1 and v2.
 *
 * @throws AppError `BAD_MEDIA` for a body that is cut short or contradicts itself.
 */
export function parseVideoMessage(body: Buffer): VideoMessage[] {
  if (body.length === 0) return [ignored(0, 'an empty message')];
  const cursor = new ByteCursor(body);
  const first = cursor.uint8();
  return (first & 0x80) === 0 ? [parseLegacy(first, cursor)] : parseEnhanced(first, cursor);
}

function parseLegacy(first: number, cursor: ByteCursor): VideoMessage {
  const frameType = first >> 4;
  if (frameType === COMMAND_FRAME) return ignored(0, 'a video command');
  const codecId = first & 0x0f;
  if (codecId !== LEGACY_AVC) return ignored(0, `FLV video codec ${codecId}, only 7 (H.264) is supported`);
  const packetType = cursor.uint8();
  const compositionMs = cursor.int24();
  const data = cursor.rest();
  switch (packetType) {
    case 0:
      return config(0, 'avc1', data);
    case 1:
      return frame(0, 'avc1', frameType, compositionMs, data);
    case 2:
      return { kind: 'end', trackId: 0 };
    default:
      return ignored(0, `AVC packet type ${packetType}`);
  }
}

function parseEnhanced(first: number, cursor: ByteCursor): VideoMessage[] {
  const frameType = (first >> 4) & 0x07;
  const packetType = skipModEx(cursor, first & 0x0f, MOD_EX);
  if (frameType === COMMAND_FRAME && packetType !== METADATA) return [ignored(0, `video command ${cursor.uint8()}`)];
  return splitTracks(cursor, packetType, MULTITRACK).map((part) => parsePart(frameType, part));
}

function parsePart(frameType: number, { trackId, fourCc, packetType, body }: EnhancedPart): VideoMessage {
  if (packetType === METADATA) return { kind: 'metadata', trackId, values: decodeAmf0(body) };
  if (packetType === SEQUENCE_END) return { kind: 'end', trackId };
  if (!isVideoCodec(fourCc)) return ignored(trackId, `video codec ${printable(fourCc)}`);
  switch (packetType) {
    case SEQUENCE_START:
      return config(trackId, fourCc, body);
    case CODED_FRAMES: {
      const cursor = new ByteCursor(body);
      const compositionMs = fourCc === 'avc1' || fourCc === 'hvc1' ? cursor.int24() : 0;
      return frame(trackId, fourCc, frameType, compositionMs, cursor.rest());
    }
    case CODED_FRAMES_X:
      return frame(trackId, fourCc, frameType, 0, body);
    default:
      return ignored(trackId, `video packet type ${packetType}`);
  }
}

function config(trackId: number, codec: VideoCodec, bytes: Buffer): VideoMessage {
  if (bytes.length === 0) return ignored(trackId, 'an empty sequence header');
  return { kind: 'config', trackId, codec, config: bytes };
}

function frame(
  trackId: number,
  codec: VideoCodec,
  frameType: number,
  compositionMs: number,
  data: Buffer,
): VideoMessage {
  if (data.length === 0) return ignored(trackId, 'an empty frame');
  return { kind: 'frame', trackId, codec, keyframe: frameType === KEY_FRAME, compositionMs, data };
}

function ignored(trackId: number, reason: string): VideoMessage {
  return { kind: 'ignored', trackId, reason };
}

function isVideoCodec(fourCc: string): fourCc is VideoCodec {
  return CODECS.includes(fourCc);
}

/** A FourCC as it may stand in a log: four characters, those that do not print as dots. */
export function printable(fourCc: string): string {
  return fourCc.replace(/[^\x20-\x7e]/g, '.');
}
