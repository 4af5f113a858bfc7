import { ByteCursor } from './byte-cursor.ts';
import { type EnhancedPart, skipModEx, splitTracks } from './enhanced-header.ts';
import { printable } from './video-message.ts';

/** Audio codecs that this program ingests. */
export type AudioCodec = 'aac' | 'opus';

/** What one track of an audio message says. `trackId` is 0 for everything outside a multitrack message. */
export type AudioMessage =
  /** The decoder set-up: AudioSpecificConfig (any length from 2 bytes) or OpusHead. */
  | { readonly kind: 'config'; readonly trackId: number; readonly codec: AudioCodec; readonly config: Buffer }
  /** One codec frame. `data` is a view into the message. */
  | { readonly kind: 'frame'; readonly trackId: number; readonly codec: AudioCodec; readonly data: Buffer }
  /** The publisher says that the track is over; another `config` may follow. */
  | { readonly kind: 'end'; readonly trackId: number }
  /** Well-formed, but of no use here. */
  | { readonly kind: 'ignored'; readonly trackId: number; readonly reason: string };

const CODEC_BY_FOURCC: Readonly<Record<string, AudioCodec | undefined>> = { mp4a: 'aac', Opus: 'opus' };
const LEGACY_AAC = 10;
const EX_AUDIO = 9;

// AudioPacketType of Enhanced RTMP.
const SEQUENCE_START = 0;
const CODED_FRAMES = 1;
const SEQUENCE_END = 2;
const MULTITRACK = 5;
const MOD_EX = 7;

/**
 * Parses the body of an RTMP audio message (type 8): legacy FLV and Enhanced RTMP v2.
 *
 * @throws AppError `BAD_MEDIA` for a body that is cut short or contradicts itself.
 */
export function parseAudioMessage(body: Buffer): AudioMessage[] {
  if (body.length === 0) return [ignored(0, 'an empty message')];
  const cursor = new ByteCursor(body);
  const first = cursor.uint8();
  const format = first >> 4;
  if (format === EX_AUDIO) {
    const packetType = skipModEx(cursor, first & 0x0f, MOD_EX);
    return splitTracks(cursor, packetType, MULTITRACK).map(parsePart);
  }
  if (format !== LEGACY_AAC) return [ignored(0, `FLV sound format ${format}, only 10 (AAC) is supported`)];
  const packetType = cursor.uint8();
  if (packetType === 0) return [config(0, 'aac', cursor.rest())];
  if (packetType === 1) return [frame(0, 'aac', cursor.rest())];
  return [ignored(0, `AAC packet type ${packetType}`)];
}

function parsePart({ trackId, fourCc, packetType, body }: EnhancedPart): AudioMessage {
  if (packetType === SEQUENCE_END) return { kind: 'end', trackId };
  const codec = Object.hasOwn(CODEC_BY_FOURCC, fourCc) ? CODEC_BY_FOURCC[fourCc] : undefined;
  if (codec === undefined) return ignored(trackId, `audio codec ${printable(fourCc)}`);
  if (packetType === SEQUENCE_START) return config(trackId, codec, body);
  if (packetType === CODED_FRAMES) return frame(trackId, codec, body);
  return ignored(trackId, `audio packet type ${packetType}`);
}

function config(trackId: number, codec: AudioCodec, bytes: Buffer): AudioMessage {
  if (bytes.length === 0) return ignored(trackId, 'an empty sequence header');
  return { kind: 'config', trackId, codec, config: bytes };
}

function frame(trackId: number, codec: AudioCodec, data: Buffer): AudioMessage {
  if (data.length === 0) return ignored(trackId, 'an empty frame');
  return { kind: 'frame', trackId, codec, data };
}

function ignored(trackId: number, reason: string): AudioMessage {
  return { kind: 'ignored', trackId, reason };
}
