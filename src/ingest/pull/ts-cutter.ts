import { AppError } from '../../util/errors.ts';
import { isTimeBreak } from './time-break.ts';
import { startsDecoding } from './ts-access.ts';
import { findPacket, readPacket, TS_PACKET_BYTES, type TsPacket } from './ts-packets.ts';
import { sameProgram, type TsProgram, TsProgramReader } from './ts-program.ts';
import { decodeTimeOf, ticksBetween } from './ts-times.ts';

/** Bounds of what is looked at before a stream must have shown what it is. */
export const CUTTER_LIMITS = Object.freeze({
  maxHeldBytes: 2 * 1024 * 1024,
  /** Media time after which streams that are listed but do not come are waited for no longer, ms. */
  completeWithinMs: 1_000,
  /** Packets of a table that are kept. */
  maxTablePackets: 16,
});

/** Why a stretch of a stream begins. */
export type TsBreak = 'start' | 'program' | 'times';

/** A piece of a transport stream. */
export interface TsRun {
  /** Whole packets. */
  readonly bytes: Buffer;
  /** Present if it does not go on from the piece before; its bytes then begin with the program's tables and a keyframe. */
  readonly begins?: { readonly program: TsProgram; readonly reason: TsBreak };
}

/** The stretch at present. */
interface Leg {
  readonly program: TsProgram;
  /** Its stream that tells the time. */
  readonly clockPid: number;
  ticks: number | undefined;
}

/**
 * Cuts a transport stream that goes on for ever into stretches without a break: where its program changes, or its times jump
 * (see `isTimeBreak()`). Finds the packets again after other bytes. Memory: what is held until a stretch begins.
 */
export class TsCutter {
  readonly #reader = new TsProgramReader();
  readonly #tables = new Map<number, Buffer[]>();
  #rest: Buffer = Buffer.alloc(0);
  #leg: Leg | undefined;
  /** While there is no leg: the program that it will have, once that is known, and where its times were first. */
  #program: TsProgram | undefined;
  #heldSinceTicks: number | undefined;
  #held: Buffer[] = [];
  #uselessBytes = 0;
  #reason: TsBreak = 'start';
  #mediaTicks = 0;

  /** Media time that has come, ms; breaks count nothing. */
  get mediaMs(): number {
    return this.#mediaTicks / 90;
  }

  /**
   * Takes the next bytes, cut anywhere, and answers what may go on.
   * @throws AppError `BAD_MEDIA` if there is no stream with video or sound in 2 MB
   */
  push(chunk: Buffer): TsRun[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const runs: TsRun[] = [];
    let runFrom: number | undefined;
    let at = 0;
    const endRun = (): void => {
      if (runFrom !== undefined) runs.push({ bytes: bytes.subarray(runFrom, at) });
      runFrom = undefined;
    };
    while (at + TS_PACKET_BYTES <= bytes.length) {
      const packet = readPacket(bytes, at);
      const raw = bytes.subarray(at, at + TS_PACKET_BYTES);
      if (packet !== undefined && this.#goesOn(packet, raw)) runFrom ??= at;
      else {
        endRun();
        const first = packet === undefined ? undefined : this.#begin(packet, raw);
        if (first !== undefined) runs.push(first);
      }
      const next = packet === undefined ? findPacket(bytes, at + 1) : at + TS_PACKET_BYTES;
      if (packet === undefined) this.#countUseless((next < 0 ? bytes.length : next) - at);
      at = next < 0 ? bytes.length : next;
    }
    endRun();
    this.#rest = Buffer.from(bytes.subarray(at));
    return runs;
  }

  /** Forgets what came: the next bytes begin anew, at a keyframe. */
  restart(): void {
    this.#rest = Buffer.alloc(0);
    this.#breakOff('times');
  }

  /** True if the packet belongs to the stretch at present. */
  #goesOn(packet: TsPacket, raw: Buffer): boolean {
    const mayDiffer = this.#reader.push(packet);
    if (this.#reader.isTable(packet.pid)) this.#keepTable(packet, raw);
    const leg = this.#leg;
    if (leg === undefined) return false;
    const program = mayDiffer ? this.#reader.program() : leg.program;
    if (program === undefined || !sameProgram(program, leg.program)) this.#breakOff('program');
    else if (!this.#follows(leg, packet)) this.#breakOff('times');
    return this.#leg !== undefined;
  }

  #follows(leg: Leg, { pid, isStart, payload }: TsPacket): boolean {
    if (pid !== leg.clockPid || !isStart) return true;
    const ticks = decodeTimeOf(payload);
    if (ticks === undefined) return true;
    const step = leg.ticks === undefined ? 0 : ticksBetween(leg.ticks, ticks);
    if (isTimeBreak(step)) return false;
    this.#mediaTicks += Math.max(0, step);
    leg.ticks = ticks;
    return true;
  }

  #breakOff(reason: TsBreak): void {
    this.#leg = undefined;
    this.#program = undefined;
    this.#heldSinceTicks = undefined;
    this.#held = [];
    this.#reason = reason;
  }

  /** Takes a packet before the next stretch; answers the stretch's first piece if it begins with what came. */
  #begin(packet: TsPacket, raw: Buffer): TsRun | undefined {
    this.#countUseless(raw.length);
    if (this.#program !== undefined) {
      if (!startsDecoding(this.#program, packet)) return undefined;
      return this.#start(this.#program, [raw]);
    }
    this.#held.push(raw);
    const program = this.#reader.program();
    if (program === undefined || !this.#isKnown(program, packet)) return undefined;
    this.#program = program;
    const held = this.#held.splice(0);
    const first = held.findIndex((bytes) => {
      const each = readPacket(bytes, 0);
      return each !== undefined && startsDecoding(program, each);
    });
    return first < 0 ? undefined : this.#start(program, held.slice(first));
  }

  /** True if the program's streams have shown themselves, or had the time to. */
  #isKnown(program: TsProgram, { pid, isStart, payload }: TsPacket): boolean {
    if (this.#reader.isComplete || this.#uselessBytes > CUTTER_LIMITS.maxHeldBytes / 2) return true;
    const ticks = isStart && pid === clockOf(program)?.pid ? decodeTimeOf(payload) : undefined;
    this.#heldSinceTicks ??= ticks;
    if (ticks === undefined || this.#heldSinceTicks === undefined) return false;
    return ticksBetween(this.#heldSinceTicks, ticks) > CUTTER_LIMITS.completeWithinMs * 90;
  }

  #start(program: TsProgram, packets: readonly Buffer[]): TsRun {
    this.#reader.settle();
    this.#uselessBytes = 0;
    const leg: Leg = { program, clockPid: clockOf(program)?.pid ?? -1, ticks: undefined };
    this.#leg = leg;
    for (const raw of packets) {
      const packet = readPacket(raw, 0);
      // The first times decide: a break among so few packets shows itself with the next one.
      if (packet !== undefined) this.#follows(leg, packet);
    }
    const tables = [0, program.tablePid].flatMap((pid) => this.#tables.get(pid) ?? []);
    return { bytes: Buffer.concat([...tables, ...packets]), begins: { program, reason: this.#reason } };
  }

  #keepTable({ pid, isStart }: TsPacket, raw: Buffer): void {
    const kept = isStart ? [] : (this.#tables.get(pid) ?? []);
    if (kept.length < CUTTER_LIMITS.maxTablePackets) this.#tables.set(pid, [...kept, Buffer.from(raw)]);
  }

  #countUseless(bytes: number): void {
    this.#uselessBytes += bytes;
    const limit = this.#program === undefined ? CUTTER_LIMITS.maxHeldBytes : Infinity;
    if (this.#uselessBytes <= limit) return;
    throw new AppError(
      'BAD_MEDIA',
      `there is no MPEG transport stream with video or sound in the first ${limit / 1024 / 1024} MB`,
    );
  }
}

/** The stream whose times tell whether the program goes on. */
function clockOf({ video, audio }: TsProgram): TsProgram['video'] {
  return video ?? audio;
}
