import { box, fullBox, u16, u32, u8 } from './box-writer.ts';

/** Video codecs that are accepted, by sample entry type. */
export type VideoFourCc = 'avc1' | 'hvc1' | 'av01' | 'vp09';

/** Type of the box that holds each codec's configuration. */
const CONFIG_BOX = Object.freeze({ avc1: 'avcC', hvc1: 'hvcC', av01: 'av1C', vp09: 'vpcC' } as const);

const ESDS_OBJECT_TYPE_AAC = 0x40;
const ESDS_STREAM_TYPE_AUDIO = 0x15;

/** A VisualSampleEntry (ISO/IEC 14496-12, 12.1.3) around the codec's configuration box. Size in pixels, 0 if unknown. */
export function videoSampleEntry(fourcc: VideoFourCc, width: number, height: number, config: Buffer): Buffer {
  return box(
    fourcc,
    sampleEntryHeader(),
    Buffer.alloc(16),
    u16(width, height),
    u32(0x00480000, 0x00480000, 0),
    u16(1),
    Buffer.alloc(32),
    u16(0x0018, 0xffff),
    box(CONFIG_BOX[fourcc], config),
  );
}

/** An `mp4a` AudioSampleEntry around an AudioSpecificConfig. */
export function aacSampleEntry(sampleRate: number, channels: number, config: Buffer): Buffer {
  const decoder = descriptor(
    4,
    u8(ESDS_OBJECT_TYPE_AAC, ESDS_STREAM_TYPE_AUDIO, 0, 0, 0),
    u32(0, 0),
    descriptor(5, config),
  );
  const stream = descriptor(3, u16(1), u8(0), decoder, descriptor(6, u8(2)));
  return audioSampleEntry('mp4a', sampleRate, channels, fullBox('esds', 0, 0, stream));
}

/** An `Opus` AudioSampleEntry around the body of a `dOps` box. */
export function opusSampleEntry(sampleRate: number, channels: number, dops: Buffer): Buffer {
  return audioSampleEntry('Opus', sampleRate, channels, box('dOps', dops));
}

function audioSampleEntry(type: string, sampleRate: number, channels: number, config: Buffer): Buffer {
  // The field is 16.16 fixed-point: rates that do not fit are written as 0, and the configuration tells them.
  const rate = sampleRate <= 0xffff ? sampleRate : 0;
  return box(type, sampleEntryHeader(), Buffer.alloc(8), u16(channels, 16, 0, 0, rate, 0), config);
}

function sampleEntryHeader(): Buffer {
  return u16(0, 0, 0, 1);
}

/** A descriptor with a length of one to four bytes (ISO/IEC 14496-1, 8.3.3). */
function descriptor(tag: number, ...content: readonly Buffer[]): Buffer {
  const length = content.reduce((sum, part) => sum + part.length, 0);
  const lengthBytes = [length & 0x7f];
  for (let rest = length >> 7; rest > 0; rest >>= 7) lengthBytes.unshift(0x80 | (rest & 0x7f));
  return Buffer.concat([u8(tag, ...lengthBytes), ...content]);
}
