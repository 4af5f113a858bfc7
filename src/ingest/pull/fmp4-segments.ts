import type { TrackKind } from '../../media/fragment.ts';
import { AppError } from '../../util/errors.ts';
import { type DemuxedFrame, Fmp4Demuxer } from '../fmp4-demuxer.ts';
import { ProtectedMediaError } from './protected-media.ts';
import type { FrameOutlet, SegmentDemuxer, SegmentStart } from './segment-demuxer.ts';
import { endOf, startOf } from './stretch.ts';
import { isTimeBreak } from './time-break.ts';

/** Sample entries of Common Encryption (ISO/IEC 14496-12, 8.12). */
const PROTECTED_ENTRIES = ['encv', 'enca'];

/** Segments of fragmented MP4, read here. A leg is as long as the initialization section stays and times go on. */
export class Fmp4Segments implements SegmentDemuxer {
  readonly #outlet: FrameOutlet;
  #init: Buffer | undefined;
  #demuxer: Fmp4Demuxer | undefined;
  #breaks = true;
  /** Whether all of the segment in progress has come. */
  #isWhole = true;
  readonly #ends = new Map<TrackKind, number>();

  constructor(outlet: FrameOutlet) {
    this.#outlet = outlet;
  }

  beginSegment({ breaks, init }: SegmentStart): void {
    const isOther = init !== undefined && this.#init?.equals(init) !== true;
    this.#breaks ||= breaks || isOther;
    if (isOther || !this.#isWhole) this.#demuxer = undefined;
    if (isOther) this.#init = init;
    this.#isWhole = false;
  }

  async push(piece: Buffer): Promise<void> {
    if (this.#demuxer === undefined) {
      this.#demuxer = new Fmp4Demuxer({ keepsTimes: true });
      if (this.#init !== undefined) this.#configure(this.#init, this.#demuxer);
    }
    const frames = this.#take(piece, this.#demuxer).filter(({ init }) => this.#outlet.kinds.includes(init.kind));
    if (frames.length === 0) return;
    if (this.#breaks || this.#jumps(frames)) {
      this.#breaks = false;
      this.#ends.clear();
      await this.#outlet.begin(this.#demuxer.kinds.filter((kind) => this.#outlet.kinds.includes(kind)));
    }
    for (const frame of frames) this.#ends.set(frame.init.kind, endOf(frame));
    this.#outlet.push(frames);
  }

  endSegment(): Promise<void> {
    this.#isWhole = this.#demuxer?.bufferedBytes === 0;
    const isUseless = this.#demuxer?.kinds.every((kind) => !this.#outlet.kinds.includes(kind)) === true;
    if (isUseless) return Promise.reject(new AppError('BAD_MEDIA', 'a segment has no video or sound that can be used'));
    return Promise.resolve();
  }

  end(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** After a fault the demuxer is of no use any more. */
  #take(piece: Buffer, demuxer: Fmp4Demuxer): DemuxedFrame[] {
    try {
      return demuxer.push(piece);
    } catch (thrown) {
      this.#demuxer = undefined;
      throw thrown;
    }
  }

  #configure(init: Buffer, demuxer: Fmp4Demuxer): void {
    try {
      demuxer.push(init);
    } catch (thrown) {
      const isProtected = PROTECTED_ENTRIES.some((entry) => init.includes(entry));
      throw isProtected ? new ProtectedMediaError('Common Encryption') : thrown;
    }
  }

  #jumps(frames: readonly DemuxedFrame[]): boolean {
    return [...this.#ends].some(([kind, end]) => {
      const first = frames.find(({ init }) => init.kind === kind);
      return first !== undefined && isTimeBreak(startOf(first) - end);
    });
  }
}
