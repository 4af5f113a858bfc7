import type { FfmpegBinary } from '../../ffmpeg/ffmpeg-binary.ts';
import type { TrackKind } from '../../media/fragment.ts';
import { AppError } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import type { FrameOutlet, SegmentDemuxer, SegmentStart } from './segment-demuxer.ts';
import { findPacket, TS_PACKET_BYTES } from './ts-packets.ts';
import { readTsProgram, sameProgram, type TsProgram } from './ts-program.ts';
import { TsRemuxer } from './ts-remuxer.ts';
import { firstDecodeTime, ticksBetween } from './ts-times.ts';

/** Bytes of a segment within which its program must show itself. */
const MAX_HEAD_BYTES = 1024 * 1024;
/** As long as no more than this came, it is not looked at again. */
const HEAD_STEP_BYTES = 32 * 1024;
/** How far the first time of a segment may be from where the one before ends, in ticks of 90 kHz. */
const MAX_BACK_TICKS = 0.5 * 90_000;
const MAX_HOLE_TICKS = 10 * 90_000;

interface TsSegmentsOptions {
  readonly binary: FfmpegBinary;
  readonly outlet: FrameOutlet;
  readonly logger: Logger;
}

/** The ffmpeg of one leg, and what it was started for. */
interface Leg {
  readonly remuxer: TsRemuxer;
  readonly program: TsProgram;
  /** Which stream tells the time, and where that should go on. */
  nextTicks: number | undefined;
  hasFailed: boolean;
}

/**
 * Transport stream segments: one ffmpeg for each leg, which is as long as times and streams go on without a break. The next
 * one is started while the last one still puts out what it has, and gets its first bytes afterwards.
 */
export class TsSegments implements SegmentDemuxer {
  readonly #options: TsSegmentsOptions;
  #leg: Leg | undefined;
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
    await this.#leg?.remuxer.end();
    this.#leg = undefined;
  }

  async close(): Promise<void> {
    await this.#leg?.remuxer.close();
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
    if (breaks || !this.#continues(program, firstTicks)) await this.#beginLeg(program);
    this.#start = undefined;
    const leg = this.#leg;
    if (leg === undefined) return;
    leg.nextTicks = firstTicks === undefined ? undefined : firstTicks + durationMs * 90;
  }

  #continues(program: TsProgram, firstTicks: number | undefined): boolean {
    const leg = this.#leg;
    if (leg === undefined || leg.hasFailed || !sameProgram(leg.program, program)) return false;
    if (leg.nextTicks === undefined || firstTicks === undefined) return true;
    const hole = ticksBetween(leg.nextTicks, firstTicks);
    return hole >= -MAX_BACK_TICKS && hole <= MAX_HOLE_TICKS;
  }

  async #beginLeg(program: TsProgram): Promise<void> {
    const { binary, outlet, logger } = this.#options;
    const old = this.#leg;
    const remuxer = new TsRemuxer({
      ...{ binary, program },
      onFrames: outlet.push,
      onWarning: (line) => logger.debug({ line }, 'ffmpeg on a remote segment'),
    });
    const leg: Leg = { remuxer, program, nextTicks: undefined, hasFailed: false };
    this.#leg = leg;
    void remuxer.done.then((error) => {
      leg.hasFailed = true;
      if (error !== undefined) logger.warn({ reason: error.message }, 'a stretch of a remote source ended early');
    });
    await Promise.all([old?.remuxer.end(), remuxer.start()]);
    await outlet.begin(kindsOf(program));
  }

  /** Whole packets only: what a lost piece left over would spoil the next segment. */
  async #write(piece: Buffer): Promise<void> {
    const bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    const whole = bytes.length - (bytes.length % TS_PACKET_BYTES);
    this.#rest = bytes.subarray(whole);
    if (whole > 0) await this.#leg?.remuxer.write(bytes.subarray(0, whole));
  }
}

function kindsOf(program: TsProgram | undefined): TrackKind[] {
  const kinds: TrackKind[] = [];
  if (program?.video !== undefined) kinds.push('video');
  if (program?.audio !== undefined) kinds.push('audio');
  return kinds;
}
