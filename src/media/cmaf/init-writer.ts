import { AppError } from '../../util/errors.ts';
import { readAacConfig } from '../codec/aac.ts';
import { readAv1Config } from '../codec/av1.ts';
import { readAvcConfig } from '../codec/h264.ts';
import { readHevcConfig } from '../codec/h265.ts';
import { dopsBody, readOpusConfig } from '../codec/opus.ts';
import { usableDimension, usableFrameRate, type VideoFormat } from '../codec/video-format.ts';
import { readVp9Config, vpccBody } from '../codec/vp9.ts';
import { LADDER_TIMESCALE, type TrackInit, type TrackKind } from '../fragment.ts';
import { ascii, box, fullBox, u16, u32 } from './box-writer.ts';
import { aacSampleEntry, opusSampleEntry, type VideoFourCc, videoSampleEntry } from './sample-entry.ts';

/** Largest decoder configuration that is accepted; real ones have 4 to 200 bytes. */
const MAX_CONFIG_BYTES = 16 * 1024;

/** What a video track's decoder needs. */
interface VideoSetup {
  readonly fourcc: VideoFourCc;
  /** Body of the codec's configuration box: `avcC`, `hvcC`, `av1C`, or `vpcC` with or without version and flags. */
  readonly config: Buffer;
  /** Hints, used where `config` does not tell; pixels and frames per second. */
  readonly width?: number;
  readonly height?: number;
  readonly frameRate?: number;
  /** Ticks per second; the ladder's own by default. */
  readonly timescale?: number;
}

/** What an audio track's decoder needs: an AudioSpecificConfig, or an OpusHead or the body of a `dOps` box. */
interface AudioSetup {
  readonly codec: 'aac' | 'opus';
  readonly config: Buffer;
}

const READ_CONFIG: Record<VideoFourCc, (config: Buffer) => VideoFormat> = {
  avc1: readAvcConfig,
  hvc1: readHevcConfig,
  av01: readAv1Config,
  vp09: readVp9Config,
};

/**
 * Writes the CMAF header of a video track (id 1).
 * @throws AppError `BAD_MEDIA` for a malformed configuration.
 */
export function buildVideoInit(setup: VideoSetup): TrackInit {
  const { fourcc, timescale = LADDER_TIMESCALE } = setup;
  checkConfigSize(setup.config);
  const format = READ_CONFIG[fourcc](setup.config);
  const config = fourcc === 'vp09' ? vpccBody(setup.config) : setup.config;
  const width = format.width ?? usableDimension(setup.width);
  const height = format.height ?? usableDimension(setup.height);
  const hintedRate = usableFrameRate(setup.frameRate);
  const frameRate = format.fixedFrameRate === true ? format.frameRate : (hintedRate ?? format.frameRate);
  const entry = videoSampleEntry(fourcc, width ?? 0, height ?? 0, config);
  return Object.freeze({
    kind: 'video',
    codec: format.codec,
    timescale,
    bytes: cmafHeader({ kind: 'video', timescale, width: width ?? 0, height: height ?? 0, entry }),
    ...(width !== undefined && height !== undefined && { width, height }),
    ...(frameRate !== undefined && { frameRate }),
  });
}

/**
 * Writes the CMAF header of an audio track (id 1); its timescale is the sample rate.
 * @throws AppError `BAD_MEDIA` for a malformed configuration.
 */
export function buildAudioInit({ codec, config }: AudioSetup): TrackInit {
  checkConfigSize(config);
  const body = codec === 'opus' ? dopsBody(config) : config;
  const format = codec === 'opus' ? readOpusConfig(body) : readAacConfig(body);
  const { sampleRate, channels } = format;
  const entry = (codec === 'opus' ? opusSampleEntry : aacSampleEntry)(sampleRate, channels, body);
  return Object.freeze({
    kind: 'audio',
    codec: format.codec,
    timescale: sampleRate,
    bytes: cmafHeader({ kind: 'audio', timescale: sampleRate, width: 0, height: 0, entry }),
    sampleRate,
    channels,
  });
}

function checkConfigSize({ length }: Buffer): void {
  if (length === 0 || length > MAX_CONFIG_BYTES) {
    throw new AppError(
      'BAD_MEDIA',
      `a decoder configuration of ${length} bytes is not usable (1 to ${MAX_CONFIG_BYTES})`,
    );
  }
}

interface HeaderParts {
  readonly kind: TrackKind;
  readonly timescale: number;
  readonly width: number;
  readonly height: number;
  readonly entry: Buffer;
}

/** `ftyp` + `moov` of one track without samples (ISO/IEC 23000-19, 7.3.1). */
function cmafHeader({ kind, timescale, width, height, entry }: HeaderParts): Buffer {
  const isVideo = kind === 'video';
  const unityMatrix = u32(0x00010000, 0, 0, 0, 0x00010000, 0, 0, 0, 0x40000000);
  const mvhd = fullBox(
    'mvhd',
    0,
    0,
    u32(0, 0, 1000, 0, 0x00010000),
    u16(0x0100, 0),
    u32(0, 0),
    unityMatrix,
    Buffer.alloc(24),
    u32(2),
  );
  const tkhd = fullBox(
    'tkhd',
    0,
    // Enabled, in movie.
    3,
    u32(0, 0, 1, 0, 0, 0, 0),
    u16(0, 0, isVideo ? 0 : 0x0100, 0),
    unityMatrix,
    u32(width * 0x10000, height * 0x10000),
  );
  const mdhd = fullBox('mdhd', 0, 0, u32(0, 0, timescale, 0), u16(0x55c4, 0));
  const hdlr = fullBox('hdlr', 0, 0, u32(0), ascii(isVideo ? 'vide' : 'soun'), u32(0, 0, 0), Buffer.alloc(1));
  const mediaHeader = isVideo ? fullBox('vmhd', 0, 1, u16(0, 0, 0, 0)) : fullBox('smhd', 0, 0, u16(0, 0));
  const dinf = box('dinf', fullBox('dref', 0, 0, u32(1), fullBox('url ', 0, 1)));
  const stbl = box(
    'stbl',
    fullBox('stsd', 0, 0, u32(1), entry),
    fullBox('stts', 0, 0, u32(0)),
    fullBox('stsc', 0, 0, u32(0)),
    fullBox('stsz', 0, 0, u32(0, 0)),
    fullBox('stco', 0, 0, u32(0)),
  );
  const trak = box('trak', tkhd, box('mdia', mdhd, hdlr, box('minf', mediaHeader, dinf, stbl)));
  const mvex = box('mvex', fullBox('trex', 0, 0, u32(1, 1, 0, 0, 0)));
  const ftyp = box('ftyp', ascii('iso6'), u32(0), ascii('iso6'), ascii('cmfc'), ascii('mp41'));
  return Buffer.concat([ftyp, box('moov', mvhd, trak, mvex)]);
}
