import type { FfmpegBinary } from '../../ffmpeg/ffmpeg-binary.ts';
import type { Clock } from '../../util/clock.ts';
import { AppError } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import { AdtsSegments } from './adts-segments.ts';
import { isPackedAac } from './adts-stream.ts';
import { Fmp4Segments } from './fmp4-segments.ts';
import type { FrameOutlet, SegmentDemuxer } from './segment-demuxer.ts';
import { findPacket } from './ts-packets.ts';
import { TsSegments } from './ts-segments.ts';

/** Bytes from which a container can be told. */
export const CONTAINER_PROOF_BYTES = 16;

const BOXES = new Set(['ftyp', 'styp', 'moof', 'moov', 'sidx', 'emsg', 'prft', 'free', 'skip', 'uuid']);

/** How the segments of a playlist are packed. */
export type SegmentContainer = 'ts' | 'fmp4' | 'aac';

/**
 * Tells the container of a segment from its first bytes, 16 at least if it has so many.
 * @throws AppError `BAD_MEDIA` if it is none that can be read
 */
export function containerOf(bytes: Buffer): SegmentContainer {
  if (BOXES.has(bytes.toString('latin1', 4, 8))) return 'fmp4';
  if (isPackedAac(bytes)) return 'aac';
  if (findPacket(bytes) >= 0) return 'ts';
  throw new AppError(
    'BAD_MEDIA',
    'a segment is neither MPEG-TS nor fragmented MP4 nor AAC; if a player can show it, use mode "relay"',
  );
}

interface SegmentReaderTools {
  readonly binary: FfmpegBinary;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Makes what takes the segments of a container apart. */
export function segmentDemuxer(
  container: SegmentContainer,
  outlet: FrameOutlet,
  tools: SegmentReaderTools,
): SegmentDemuxer {
  if (container === 'ts') return new TsSegments({ outlet, ...tools });
  return container === 'fmp4' ? new Fmp4Segments(outlet) : new AdtsSegments(outlet);
}
