import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { RenditionSpec } from '../ladder/rendition.ts';
import { reasonOf } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';
import type { OptOut } from './transcoder.ts';
import { type FfmpegBinary, inspectFfmpeg } from '../ffmpeg/ffmpeg-binary.ts';
import { primeFluentFfmpeg } from '../ffmpeg/ffmpeg-child.ts';
import { OptionList } from '../ffmpeg/option-list.ts';
import { HARDWARE_ENCODERS, SOFTWARE_ENCODER, type VideoEncoder, videoEncoder } from './ffmpeg/video-encoders.ts';

const run = promisify(execFile);
const PROBE_TIMEOUT_MS = 10_000;
const MAX_PROBE_OUTPUT_BYTES = 1024 * 1024;

/** What is known of one encoder of this machine. */
export interface EncoderReport {
  /** As ffmpeg calls it, e.g. `h264_nvenc`. */
  readonly name: string;
  /** Whether ffmpeg was built with it. */
  readonly listed: boolean;
  /** Whether it really encoded some frames. */
  readonly works: boolean;
  readonly reason: string;
}

/** The encoder of a rung, and why it is this one. */
export interface EncoderChoice {
  readonly encoder: VideoEncoder;
  readonly reason: string;
}

/** Knows which H.264 encoders work on this machine, since each has really encoded some frames, and picks one for a rung. */
export class EncoderBroker {
  readonly binary: FfmpegBinary;
  readonly #reports: ReadonlyMap<string, EncoderReport>;

  /**
   * Finds out what the binary is and which encoders work; takes about a second.
   * @param options.ffmpeg a path, or a name to be found on PATH.
   * @throws AppError `UNAVAILABLE` if the binary cannot be run or is too old.
   */
  static async open(options: { readonly ffmpeg: string; readonly logger: Logger }): Promise<EncoderBroker> {
    const binary = await inspectFfmpeg(options.ffmpeg);
    const [reports] = await Promise.all([probeEncoders(binary, options.logger), primeFluentFfmpeg(binary.path)]);
    return new EncoderBroker(binary, reports);
  }

  /** @param reports what is known of each encoder. */
  constructor(binary: FfmpegBinary, reports: readonly EncoderReport[]) {
    this.binary = binary;
    this.#reports = new Map(reports.map((report) => [report.name, report]));
  }

  /** The rung's encoder: the one it names, or with `auto` (the default) the first hardware encoder that works. */
  choose(spec: RenditionSpec): EncoderChoice | OptOut {
    const wanted = spec.encoder ?? 'auto';
    if (wanted === 'auto') {
      const name = HARDWARE_ENCODERS.find((candidate) => this.#reports.get(candidate)?.works === true);
      return name === undefined
        ? chosen(SOFTWARE_ENCODER, 'no hardware encoder works here')
        : chosen(name, 'first hardware encoder that works');
    }
    const report = this.#reports.get(wanted);
    if (report?.works === true) return chosen(wanted, 'named by the rung');
    const failure = `${wanted} ${report === undefined ? 'is no H.264 encoder that is known' : `does not work: ${report.reason}`}`;
    if (spec.softwareFallback === false) return { optOut: `${failure}; the rung forbids libx264 instead` };
    return chosen(SOFTWARE_ENCODER, `${failure}; libx264 stands in`);
  }

  /** What was found out, for admins. */
  report(): { ffmpeg: { path: string; version: string }; encoders: EncoderReport[] } {
    const { path, version } = this.binary;
    return { ffmpeg: { path, version }, encoders: [...this.#reports.values()] };
  }
}

/** Lets every encoder that ffmpeg was built with encode a few frames, each in a process of its own. Never rejects. */
async function probeEncoders(binary: FfmpegBinary, logger: Logger): Promise<EncoderReport[]> {
  const listed = await listedEncoders(binary);
  const names = [...HARDWARE_ENCODERS, SOFTWARE_ENCODER];
  const reports = await Promise.all(
    names.map((name) => (listed.has(name) ? probe(binary, name) : Promise.resolve(unlisted(name)))),
  );
  for (const report of reports) logger.info(report, 'encoder probed');
  return reports;
}

async function listedEncoders({ path }: FfmpegBinary): Promise<Set<string>> {
  try {
    const { stdout } = await run(path, ['-hide_banner', '-encoders'], limits());
    return new Set([...stdout.matchAll(/^ V\S+ (\S+)/gm)].flatMap(([, name]) => (name === undefined ? [] : [name])));
  } catch {
    return new Set();
  }
}

async function probe({ path }: FfmpegBinary, name: string): Promise<EncoderReport> {
  const encoder = videoEncoder(name);
  if (encoder === undefined) return { name, listed: true, works: false, reason: 'it is not known how to drive it' };
  const args = new OptionList()
    .flag('hide_banner')
    .option('loglevel', 'error')
    .options(encoder.deviceOptions)
    .option('f', 'lavfi')
    .option('i', 'testsrc2=size=640x360:rate=30')
    .option('frames:v', 8)
    .option('vf', encoder.upload)
    .option('c:v', name)
    .options(encoder.options({ name: 'probe' }))
    .options({ 'b:v': '500k', maxrate: '600k', bufsize: '600k', g: 4, force_key_frames: 'source', f: 'null' })
    .toArray();
  try {
    await run(path, [...args, '-'], limits());
    return { name, listed: true, works: true, reason: 'it encoded some frames' };
  } catch (thrown) {
    return { name, listed: true, works: false, reason: shortReason(thrown) };
  }
}

function unlisted(name: string): EncoderReport {
  return { name, listed: false, works: false, reason: 'ffmpeg was built without it' };
}

function chosen(name: string, reason: string): EncoderChoice {
  const encoder = videoEncoder(name);
  if (encoder === undefined) throw new TypeError(`encoder ${name} is not known`);
  return { encoder, reason };
}

function limits(): { timeout: number; killSignal: NodeJS.Signals; maxBuffer: number } {
  return { timeout: PROBE_TIMEOUT_MS, killSignal: 'SIGKILL', maxBuffer: MAX_PROBE_OUTPUT_BYTES };
}

/** The first line that ffmpeg wrote, without the address of the thing that it is about. */
function shortReason(thrown: unknown): string {
  const { stderr = '', killed = false } = thrown as { stderr?: string; killed?: boolean };
  if (killed) return `no answer within ${PROBE_TIMEOUT_MS} ms`;
  const line = stderr.split('\n').find((text) => text.trim() !== '') ?? reasonOf(thrown);
  return line.replace(/ @ 0x[0-9a-f]+/g, '').slice(0, 200);
}
