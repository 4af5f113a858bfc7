import type { FfmpegBinary } from '../../ffmpeg/ffmpeg-binary.ts';
import type { Clock } from '../../util/clock.ts';
import { AppError } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import type { FrameOutlet, SegmentDemuxer, SegmentStart } from './segment-demuxer.ts';
import { findPacket, TS_PACKET_BYTES } from './ts-packets.ts';
import { TsLeg } from './ts-leg.ts';
import { kindsOf, readTsProgram, type TsProgram } from './ts-program.ts';
import { firstDecodeTime } from './ts-times.ts';

/** Bytes of a segment within which its program must show itself. */
const MAX_HEAD_BYTES = 1024 * 1024;
/** As long as no more than this came, it is not looked at again. */
const HEAD_STEP_BYTES = 32 * 1024;

interface TsSegmentsOptions {
  readonly binary: FfmpegBinary;
  readonly outlet: FrameOutlet;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Transport stream segments: one ffmpeg for each leg, which is as long as times and streams go on without a break. The next
 * one is started while the last one still puts out what it has, and gets its first bytes afterwards.
 */
export class TsSegments implements SegmentDemuxer {
  readonly #options: TsSegmentsOptions;
  #leg: TsLeg | undefined;
  /** All that may still run. */
  readonly #legs = new Set<TsLeg>();
  #start: SegmentStart | undefined;
  /** What came of a segment whose program is not known yet. */
  #head: Buffer[] = [];
  #headBytes = 0;
  #lookedAtBytes = 0;
  #isOpen = false;
  /** The piece of a packet whose end has not come. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(options: TsSegmentsOptions) {
    this.#options = options;
  }

  beginSegment(start: SegmentStart): void {
    this.#start = { ...start, breaks: start.breaks || this.#start?.breaks === true };
    this.#head = [];
    this.#headBytes = 0;
    this.#lookedAtBytes = 0;
    this.#isOpen = false;
    this.#rest = Buffer.alloc(0);
  }

  async push(piece: Buffer): Promise<void> {
    if (this.#isOpen) {
      await this.#write(piece);
      return;
    }
    this.#head.push(piece);
    this.#headBytes += piece.length;
    if (this.#headBytes - this.#lookedAtBytes >= HEAD_STEP_BYTES) await this.#look(this.#headBytes >= MAX_HEAD_BYTES);
  }

  async endSegment(): Promise<void> {
    if (!this.#isOpen && this.#headBytes > 0) await this.#look(true);
    this.#rest = Buffer.alloc(0);
  }

  async end(): Promise<void> {
    await this.#leg?.end();
    this.#leg = undefined;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#legs].map((leg) => leg.close()));
  }

  /** Looks whether the segment's program is known; a last look takes what there is. */
  async #look(isLast: boolean): Promise<void> {
    const head = Buffer.concat(this.#head);
    this.#head = [head];
    this.#lookedAtBytes = head.length;
    const at = findPacket(head);
    const program = at < 0 ? undefined : this.#wanted(readTsProgram(head));
    const kinds = kindsOf(program);
    if (!isLast && kinds.length < this.#expectedTracks) return;
    if (program === undefined || kinds.length === 0) {
      throw new AppError('BAD_MEDIA', 'a segment has no stream of video or sound that can be used');
    }
    await this.#open(program, firstDecodeTime(head, (program.video ?? program.audio)?.pid ?? -1, at));
    this.#head = [];
    this.#isOpen = true;
    await this.#write(head.subarray(at));
  }

  /** How many tracks to wait for before the end of the segment. */
  get #expectedTracks(): number {
    return Math.min(this.#options.outlet.kinds.length, kindsOf(this.#leg?.program).length || 2);
  }

  #wanted(program: TsProgram | undefined): TsProgram | undefined {
    const { kinds } = this.#options.outlet;
    if (program === undefined) return undefined;
    return {
      ...program,
      video: kinds.includes('video') ? program.video : undefined,
      audio: kinds.includes('audio') ? program.audio : undefined,
    };
  }

  /** Goes on with the same ffmpeg if it can, else with another one. */
  async #open(program: TsProgram, firstTicks: number | undefined): Promise<void> {
    const { breaks = false, durationMs = 0 } = this.#start ?? {};
    if (breaks || this.#leg?.takes(program, firstTicks) !== true) await this.#beginLeg(program);
    this.#start = undefined;
    this.#leg?.beginSegment(firstTicks, durationMs);
  }

  async #beginLeg(program: TsProgram): Promise<void> {
    const { outlet, ...options } = this.#options;
    const old = this.#leg;
    const leg = new TsLeg({ ...options, program, onFrames: outlet.push });
    this.#leg = leg;
    this.#legs.add(leg);
    await Promise.all([old?.end(), leg.start()]);
    if (old !== undefined) this.#legs.delete(old);
    await outlet.begin(kindsOf(program));
  }

  /** Whole packets only: what a lost piece left over would spoil the next segment. */
  async #write(piece: Buffer): Promise<void> {
    const bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    const whole = bytes.length - (bytes.length % TS_PACKET_BYTES);
    this.#rest = bytes.subarray(whole);
    if (whole > 0) await this.#leg?.write(bytes.subarray(0, whole));
  }
}
