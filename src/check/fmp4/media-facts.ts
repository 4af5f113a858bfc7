import { createHash } from 'node:crypto';
import { readSamples, type Sample } from './fragments.ts';
import type { InitTrack } from './init.ts';

/** What a segment or a part holds, of its picture if it has one, else of its sound. Times are in seconds. */
export interface MediaFacts {
  readonly track: InitTrack;
  readonly bytes: number;
  readonly sampleCount: number;
  /** When the first frame in decoding order is shown. */
  readonly startS: number;
  /** Decode time of the first frame, and what follows the last one's. */
  readonly decodeStartS: number;
  readonly decodeEndS: number;
  /** Of all frames together. */
  readonly durationS: number;
  /** From the first frame that is shown to the end of the last; frames that were lost make it longer. */
  readonly shownS: number;
  /** True if a decoder can begin with the first frame. */
  readonly startsIndependent: boolean;
  /** When frames are shown with which a decoder can begin. */
  readonly independentAtS: readonly number[];
  /** One per frame, of its bytes. */
  readonly digests: readonly string[];
  /** True if the file has other tracks too. */
  readonly isMuxed: boolean;
}

/**
 * Reads a file of media.
 * @throws AppError `BAD_MEDIA` if it is no fragmented MP4 of these tracks.
 */
export function readMediaFacts(data: Buffer, tracks: readonly InitTrack[]): MediaFacts | undefined {
  const track = tracks.find(({ kind }) => kind === 'video') ?? tracks.find(({ kind }) => kind === 'audio');
  if (track === undefined) return undefined;
  const samples = readSamples(data, track);
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const seconds = (time: number): number => time / track.timescale;
  const independent = samples.filter((sample) => isIndependent(sample, track));
  const decodeStartS = seconds(first.decodeTime);
  const decodeEndS = seconds(last.decodeTime + last.duration);
  return {
    track,
    bytes: data.length,
    sampleCount: samples.length,
    startS: seconds(first.presentationTime),
    decodeStartS,
    decodeEndS,
    durationS: seconds(samples.reduce((total, { duration }) => total + duration, 0)),
    shownS: seconds(shownTicks(samples)),
    startsIndependent: isIndependent(first, track),
    independentAtS: independent.map(({ presentationTime }) => seconds(presentationTime)),
    digests: samples.map((sample) => createHash('sha1').update(sample.data).digest('base64')),
    isMuxed: tracks.length > 1,
  };
}

function shownTicks(samples: readonly Sample[]): number {
  const starts = samples.map(({ presentationTime }) => presentationTime);
  const ends = samples.map(({ presentationTime, duration }) => presentationTime + duration);
  const last = ends.reduce((latest, end) => Math.max(latest, end), -Infinity);
  return last - starts.reduce((earliest, start) => Math.min(earliest, start), Infinity);
}

/** IDR of H.264, IRAP of H.265; what the container says of others. */
function isIndependent({ data, isSync }: Sample, { format, kind, nalLengthSize }: InitTrack): boolean {
  if (kind !== 'video') return true;
  if (format.startsWith('avc')) return firstNal(data, nalLengthSize, (header) => header & 0x1f, [1, 5]) === 5;
  if (format.startsWith('hvc') || format.startsWith('hev')) {
    const type = firstNal(data, nalLengthSize, (header) => (header >> 1) & 0x3f, [0, 31]);
    return type !== undefined && type >= 16 && type <= 21;
  }
  return isSync;
}

/** The type of the first NAL unit that holds a slice, which are those in the given range of types. */
function firstNal(
  data: Buffer,
  lengthSize: number,
  typeOf: (header: number) => number,
  [lowest, highest]: readonly [number, number],
): number | undefined {
  for (let at = 0; at + lengthSize < data.length;) {
    const type = typeOf(data.readUInt8(at + lengthSize));
    if (type >= lowest && type <= highest) return type;
    at += lengthSize + data.readUIntBE(at, lengthSize);
  }
  return undefined;
}
