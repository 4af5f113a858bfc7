import { buildVideoInit } from '../../media/cmaf/init-writer.ts';
import type { TrackInit } from '../../media/fragment.ts';
import type { DemuxedFrame } from '../fmp4-demuxer.ts';

/** NAL units of ITU-T H.264, table 7-1. */
const LAST_SLICE = 5;
const SPS = 7;
const PPS = 8;

/**
 * Follows an H.264 stream that changes its picture format without notice: whatever brings it has one decoder set-up for all of
 * it, but the keyframes carry their own. From a keyframe with another SPS on, frames get an init made from it.
 */
export class FormatChanges {
  #sps: Buffer | undefined;
  /** Replaces the source's own init. */
  #init: TrackInit | undefined;

  /** The frame with the init that it needs; other tracks' frames come back as they are. */
  apply(given: DemuxedFrame): DemuxedFrame {
    const { init, frame } = given;
    if (init.kind !== 'video' || !init.codec.startsWith('avc1')) return given;
    if (frame.sync) this.#look(init, frame.data);
    return this.#init === undefined ? given : { init: this.#init, frame };
  }

  #look(init: TrackInit, data: Buffer): void {
    const { sps, pps } = parameterSets(data);
    const [first] = sps;
    if (first === undefined || this.#sps?.equals(first) === true) return;
    const isFirst = this.#sps === undefined;
    this.#sps = Buffer.from(first);
    if (isFirst || pps.length === 0) return;
    try {
      this.#init = buildVideoInit({ fourcc: 'avc1', config: avcConfig(first, pps), timescale: init.timescale });
    } catch {
      // It is damaged; the next keyframe brings another one.
      this.#sps = undefined;
    }
  }
}

/** The parameter sets before the first slice of a frame whose units have lengths of four bytes. */
function parameterSets(data: Buffer): { sps: Buffer[]; pps: Buffer[] } {
  const sps: Buffer[] = [];
  const pps: Buffer[] = [];
  for (let at = 0; at + 5 <= data.length; at += 4 + data.readUInt32BE(at)) {
    const unit = data.subarray(at + 4, at + 4 + data.readUInt32BE(at));
    const type = (unit[0] ?? 0) & 0x1f;
    if (type >= 1 && type <= LAST_SLICE) break;
    if (type === SPS && unit.length >= 4 && unit.length <= 0xffff) sps.push(unit);
    if (type === PPS && unit.length <= 0xffff) pps.push(unit);
  }
  return { sps, pps: pps.slice(0, 0xff) };
}

/** An AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1). */
function avcConfig(sps: Buffer, pps: readonly Buffer[]): Buffer {
  const withLength = (unit: Buffer): Buffer =>
    Buffer.concat([Buffer.from([unit.length >> 8, unit.length & 0xff]), unit]);
  return Buffer.concat([
    Buffer.from([1, sps[1] ?? 0, sps[2] ?? 0, sps[3] ?? 0, 0xff, 0xe1]),
    withLength(sps),
    Buffer.from([pps.length]),
    ...pps.map(withLength),
  ]);
}
