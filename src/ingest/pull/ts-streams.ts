import type { TrackKind } from '../../media/fragment.ts';

/** How a stream of a program is coded. */
export type TsCodec =
  'h264' | 'h265' | 'mpeg-video' | 'mpeg4' | 'aac' | 'latm' | 'mpeg-audio' | 'ac3' | 'eac3' | 'dts' | 'opus';

/** A video or audio stream that a PMT lists. */
export interface TsStream {
  readonly pid: number;
  readonly kind: TrackKind;
  readonly codec: TsCodec;
  /** ISO 639-2, e.g. `deu`. */
  readonly language: string | undefined;
  /** True if its samples are encrypted (HLS SAMPLE-AES). */
  readonly isEncrypted: boolean;
}

/** Types of ISO/IEC 13818-1, table 2-34, ATSC A/53 and HLS SAMPLE-AES. */
const CODEC_BY_TYPE: Readonly<Record<number, TsCodec>> = {
  0x01: 'mpeg-video',
  0x02: 'mpeg-video',
  0x03: 'mpeg-audio',
  0x04: 'mpeg-audio',
  0x0f: 'aac',
  0x10: 'mpeg4',
  0x11: 'latm',
  0x1b: 'h264',
  0x24: 'h265',
  0x81: 'ac3',
  0x87: 'eac3',
  0xc1: 'ac3',
  0xc2: 'eac3',
  0xcf: 'aac',
  0xdb: 'h264',
};
const ENCRYPTED_TYPES = new Set([0xc1, 0xc2, 0xcf, 0xdb]);
/** Private data, which its descriptors tell more about. */
const PRIVATE_TYPE = 0x06;
/** Descriptors of ETSI EN 300 468. */
const CODEC_BY_DESCRIPTOR: Readonly<Record<number, TsCodec>> = { 0x6a: 'ac3', 0x7a: 'eac3', 0x7b: 'dts' };
const CODEC_BY_REGISTRATION: Readonly<Record<string, TsCodec>> = {
  'AC-3': 'ac3',
  EAC3: 'eac3',
  HEVC: 'h265',
  Opus: 'opus',
  DTS1: 'dts',
  DTS2: 'dts',
  DTS3: 'dts',
};
const REGISTRATION = 0x05;
const LANGUAGE = 0x0a;
const VIDEO_CODECS: ReadonlySet<TsCodec> = new Set(['h264', 'h265', 'mpeg-video', 'mpeg4']);

/** The stream that an entry of a PMT describes; `undefined` if it is neither video nor audio, or unknown. */
export function readStream(type: number, pid: number, descriptors: Buffer): TsStream | undefined {
  let codec = CODEC_BY_TYPE[type];
  let language: string | undefined;
  for (const { tag, body } of readDescriptors(descriptors)) {
    if (type === PRIVATE_TYPE) {
      const registered = tag === REGISTRATION ? CODEC_BY_REGISTRATION[body.toString('latin1', 0, 4)] : undefined;
      codec ??= CODEC_BY_DESCRIPTOR[tag] ?? registered;
    }
    const name = tag === LANGUAGE ? body.toString('latin1', 0, 3).toLowerCase() : '';
    if (/^[a-z]{3}$/.test(name)) language ??= name;
  }
  if (codec === undefined) return undefined;
  const kind = VIDEO_CODECS.has(codec) ? 'video' : 'audio';
  return { pid, kind, codec, language, isEncrypted: ENCRYPTED_TYPES.has(type) };
}

function readDescriptors(bytes: Buffer): { tag: number; body: Buffer }[] {
  const found: { tag: number; body: Buffer }[] = [];
  for (let at = 0; at + 2 <= bytes.length; at += 2 + (bytes[at + 1] ?? 0)) {
    found.push({ tag: bytes[at] ?? 0, body: bytes.subarray(at + 2, at + 2 + (bytes[at + 1] ?? 0)) });
  }
  return found;
}
