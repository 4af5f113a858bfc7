import type { TrackKind } from '../../media/fragment.ts';
import { findPacket, readPacket, TS_PACKET_BYTES, type TsPacket } from './ts-packets.ts';
import { TsSections } from './ts-sections.ts';
import { readStream, type TsStream } from './ts-streams.ts';

/** Programs of one transport stream that are looked at. */
const MAX_PROGRAMS = 64;
const MAX_STREAMS = 64;
const PAT_PID = 0;
const PAT_TABLE = 0;
const PMT_TABLE = 2;

/** A stream of a program as far as it has been seen. */
export interface TsTrack extends TsStream {
  /** Which decoder its ADTS headers ask for; `undefined` if it has none, or none was seen. */
  readonly setup: number | undefined;
}

/** What a transport stream carries: at most one video and one audio stream of one program. */
export interface TsProgram {
  readonly number: number;
  /** Where its PMT is. */
  readonly tablePid: number;
  readonly video: TsTrack | undefined;
  readonly audio: TsTrack | undefined;
  /** True if it cannot be decoded here: scrambled packets or encrypted samples. */
  readonly isEncrypted: boolean;
}

/** True if one ffmpeg can go on with the other program as if it were the same. */
export function sameProgram(a: TsProgram, b: TsProgram): boolean {
  return a.number === b.number && sameTrack(a.video, b.video) && sameTrack(a.audio, b.audio);
}

function sameTrack(a: TsTrack | undefined, b: TsTrack | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.pid === b.pid && a.codec === b.codec && (a.setup ?? b.setup) === (b.setup ?? a.setup);
}

/** The tracks of a program; none without one. */
export function kindsOf(program: TsProgram | undefined): TrackKind[] {
  return [program?.video, program?.audio].flatMap((track) => (track === undefined ? [] : [track.kind]));
}

/**
 * Reads which streams a piece of a transport stream carries, e.g. a segment that was fetched whole: those of the first
 * program with video, else of the first with sound. Streams that a program lists without a packet of theirs are left out
 * as long as there are others. `undefined` if there is no transport stream, or no program with either.
 */
export function readTsProgram(bytes: Buffer): TsProgram | undefined {
  const reader = new TsProgramReader();
  for (let at = findPacket(bytes); at >= 0 && !reader.isComplete;) {
    const packet = readPacket(bytes, at);
    if (packet !== undefined) reader.push(packet);
    at = packet === undefined ? findPacket(bytes, at + 1) : at + TS_PACKET_BYTES;
  }
  return reader.program();
}

interface ListedProgram {
  readonly number: number;
  readonly tablePid: number;
  readonly sections: TsSections;
  /** Of its PMT: some multiplexers change it under the same version. */
  checksum: number | undefined;
  streams: readonly TsStream[];
}

interface SeenStream {
  setup: number | undefined;
  /** What the newest header says. */
  doubtful: number | undefined;
}

/** Learns from packets which program a transport stream carries, and goes on watching it. Memory: bounded. */
export class TsProgramReader {
  readonly #pat = new TsSections();
  /** By the PID of their PMT, in the order of the PAT. */
  #programs = new Map<number, ListedProgram>();
  /** What was seen of each PID that a PMT lists. */
  #seen = new Map<number, SeenStream>();
  #scrambled = new Set<number>();
  #chosen: number | undefined;

  /** True once nothing that is still to come can change the answer, but a change in the stream itself. */
  get isComplete(): boolean {
    const program = this.#choose();
    if (program === undefined) return false;
    const isKnown = program.number === this.#chosen || this.#isFirst(program);
    return isKnown && program.streams.every(({ pid }) => this.#seen.has(pid));
  }

  /** The program as far as it is known. */
  program(): TsProgram | undefined {
    const program = this.#choose();
    if (program === undefined) return undefined;
    const isPresent = ({ pid }: TsStream): boolean => this.#seen.has(pid);
    const present = program.streams.some(isPresent) ? program.streams.filter(isPresent) : program.streams;
    const videos = present.filter(({ kind }) => kind === 'video');
    const sounds = present.filter(({ kind }) => kind === 'audio');
    // Of the same sound in several codecs the one that need not be encoded anew.
    const sound = sounds.find(({ codec, language }) => codec === 'aac' && language === sounds[0]?.language);
    const [video, audio] = [videos[0], sound ?? sounds[0]].map((stream) => this.#track(stream));
    const chosen = [video, audio].filter((track) => track !== undefined);
    const isEncrypted = chosen.some((track) => track.isEncrypted || this.#scrambled.has(track.pid));
    return { number: program.number, tablePid: program.tablePid, video, audio, isEncrypted };
  }

  /** True if the packets of a PID tell which programs there are, or what is in them. */
  isTable(pid: number): boolean {
    return pid === PAT_PID || this.#programs.has(pid);
  }

  /** Keeps to the program at present, whatever other ones come up. */
  settle(): void {
    this.#chosen = this.#choose()?.number;
  }

  /** Takes the next packet. True if the program may have changed by it. */
  push(packet: TsPacket): boolean {
    const { pid } = packet;
    if (pid === PAT_PID) return this.#pat.push(packet).some((section) => this.#readPat(section));
    const program = this.#programs.get(pid);
    if (program !== undefined) return program.sections.push(packet).some((section) => readPmt(section, program));
    return this.#watch(packet);
  }

  /** The first with video, or with sound only once every program is known. */
  #choose(): ListedProgram | undefined {
    const programs = [...this.#programs.values()];
    if (this.#chosen !== undefined) return programs.find(({ number }) => number === this.#chosen);
    const withVideo = programs.find(({ streams }) => streams.some(({ kind }) => kind === 'video'));
    return withVideo ?? programs.find(({ streams }) => streams.length > 0);
  }

  /** True if no program that is still unknown could come before this one. */
  #isFirst(program: ListedProgram): boolean {
    const programs = [...this.#programs.values()];
    const hasVideo = program.streams.some(({ kind }) => kind === 'video');
    const before = hasVideo ? programs.slice(0, programs.indexOf(program)) : programs;
    return before.every(({ checksum }) => checksum !== undefined);
  }

  #track(stream: TsStream | undefined): TsTrack | undefined {
    return stream && { ...stream, setup: this.#seen.get(stream.pid)?.setup };
  }

  #watch({ pid, isStart, isScrambled, payload }: TsPacket): boolean {
    if (!isStart || payload.length === 0) return false;
    const stream = this.#streamAt(pid);
    if (stream === undefined) return false;
    if (isScrambled) this.#scrambled.add(pid);
    const setup = stream.codec === 'aac' && !isScrambled ? readAdtsSetup(payload) : undefined;
    const known = this.#seen.get(pid);
    if (known === undefined) {
      this.#seen.set(pid, { setup, doubtful: setup });
      return true;
    }
    // Media can look like a header by chance, but hardly twice.
    const hasChanged = setup !== undefined && setup !== known.setup && setup === known.doubtful;
    if (hasChanged) known.setup = setup;
    known.doubtful = setup;
    return hasChanged;
  }

  #streamAt(pid: number): TsStream | undefined {
    for (const { streams } of this.#programs.values()) {
      const stream = streams.find((one) => one.pid === pid);
      if (stream !== undefined) return stream;
    }
    return undefined;
  }

  #readPat(section: Buffer): boolean {
    if (section[0] !== PAT_TABLE) return false;
    const listed = new Map<number, ListedProgram>();
    for (let at = 8; at + 4 <= section.length - 4 && listed.size < MAX_PROGRAMS; at += 4) {
      const number = section.readUInt16BE(at);
      const pid = section.readUInt16BE(at + 2) & 0x1fff;
      const known = this.#programs.get(pid);
      // Number 0 names the network's own table.
      if (number === 0) continue;
      if (known?.number === number) listed.set(pid, known);
      else listed.set(pid, { number, tablePid: pid, sections: new TsSections(), checksum: undefined, streams: [] });
    }
    const hasChanged = [...listed.values()].some((program) => ![...this.#programs.values()].includes(program));
    this.#programs = listed;
    return hasChanged;
  }
}

/** True if it differs from the one before. */
function readPmt(section: Buffer, program: ListedProgram): boolean {
  const checksum = section.readUInt32BE(section.length - 4);
  const isCurrent = ((section[5] ?? 0) & 1) === 1;
  if (section[0] !== PMT_TABLE || !isCurrent || section.readUInt16BE(3) !== program.number) return false;
  if (checksum === program.checksum) return false;
  const end = section.length - 4;
  const streams: TsStream[] = [];
  let at = 12 + (section.readUInt16BE(10) & 0x0fff);
  while (at + 5 <= end && streams.length < MAX_STREAMS) {
    const infoEnd = at + 5 + (section.readUInt16BE(at + 3) & 0x0fff);
    const pid = section.readUInt16BE(at + 1) & 0x1fff;
    const stream = readStream(section[at] ?? 0, pid, section.subarray(at + 5, Math.min(infoEnd, end)));
    if (stream !== undefined) streams.push(stream);
    at = infoEnd;
  }
  program.checksum = checksum;
  program.streams = streams;
  return true;
}

/** Profile, sample rate and channels of the ADTS header that a PES packet begins with (ISO/IEC 13818-7, 6.2.1). */
function readAdtsSetup(payload: Buffer): number | undefined {
  if (payload.length < 9 || payload.readUIntBE(0, 3) !== 1) return undefined;
  const at = 9 + (payload[8] ?? 0);
  if (at + 4 > payload.length || (payload.readUInt16BE(at) & 0xfff6) !== 0xfff0) return undefined;
  return payload.readUInt16BE(at + 2) & 0xfdc0;
}
