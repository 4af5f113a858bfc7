import { mkdtemp, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { FfmpegBinary } from '../../ffmpeg/ffmpeg-binary.ts';
import { runFfmpegOnce } from '../../ffmpeg/one-shot.ts';
import { AppError, reasonOf } from '../../util/errors.ts';
import type { SubtitleFacts, Title } from '../source/title.ts';
import type { Cue } from './cue.ts';
import { readSidecarFile } from './sidecar-file.ts';
import { readWebVtt } from './webvtt-reader.ts';

/** What one track gives; a longer one is cut off there. */
const MAX_TRACK_BYTES = 4 * 1024 * 1024;
const WINDOW_TIMEOUT_MS = 30_000;
const SIDECAR_TIMEOUT_MS = 30_000;
/** A pass reads the whole file; even a slow disk or line gives this much. */
const LEAST_BYTES_PER_MS = 1_000;
const PASS_TIMEOUT_MS = 120_000;
/** A window begins this much earlier: what was shown before it began would not be found otherwise. */
const LEAD_IN_MS = 30_000;
const WEBVTT = ['-f', 'webvtt'];
/** Text that is no UTF-8 costs single cues, which ffmpeg takes for a success unless it is told not to. */
const STRICT = ['-max_error_rate', '0'];
const LENIENT = ['-max_error_rate', '1'];
const WINDOWS_CHARSET = ['-sub_charenc', 'CP1252'];

/** How ffmpeg calls the formats of files beside a film, by their codec; WebVTT needs no ffmpeg. */
const SIDECAR_FORMATS = new Map([
  ['subrip', 'srt'],
  ['ass', 'ass'],
]);

/** What came of a track: its cues, or why there are none. */
export type ExtractedTrack = { readonly cues: readonly Cue[] } | { readonly reason: string };

/** Makes cues of text subtitles with ffmpeg. All times are those of the title's timeline. */
export class SubtitleExtractor {
  readonly #binary: FfmpegBinary;
  readonly #folder: string;

  /** @param folder exists, for files that live as long as a call */
  constructor({ binary, folder }: { binary: FfmpegBinary; folder: string }) {
    this.#binary = binary;
    this.#folder = folder;
  }

  /**
   * All wanted tracks of the file itself, in one pass over it. A track that gives nothing has a reason and does not hold
   * the others up.
   * @param tracks indexes in `Title.subtitles`
   * @throws AppError if the pass is aborted, or the source may not be read
   */
  async embedded(title: Title, tracks: readonly number[], signal: AbortSignal): Promise<ExtractedTrack[]> {
    if (tracks.length === 0) return [];
    try {
      return (await this.#pass(title, tracks, STRICT, signal)).map((cues) => ({ cues }));
    } catch (thrown) {
      if (signal.aborted || !isFfmpegsFault(thrown)) throw thrown;
    }
    const found: ExtractedTrack[] = [];
    for (const track of tracks) found.push(await this.#alone(title, track, signal));
    return found;
  }

  /** A file beside the film. Errors as with `embedded`. */
  async sidecar(facts: SubtitleFacts, signal: AbortSignal): Promise<ExtractedTrack> {
    try {
      const text = await readSidecarFile(facts.sidecarPath ?? '');
      if (facts.codec === 'webvtt') return { cues: readWebVtt(text) };
      const format = SIDECAR_FORMATS.get(facts.codec);
      if (format === undefined) return { reason: `subtitle files of the kind ${facts.codec} are not read` };
      const output = await runFfmpegOnce({
        binaryPath: this.#binary.path,
        commandLine: { input: ['-v', 'error', '-protocol_whitelist', 'pipe', '-f', format], output: WEBVTT },
        input: Buffer.from(text),
        maxOutputBytes: 2 * MAX_TRACK_BYTES,
        timeoutMs: SIDECAR_TIMEOUT_MS,
        signal,
      });
      return { cues: readWebVtt(output.toString()) };
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      return { reason: reasonOf(thrown) };
    }
  }

  /**
   * The cues of one track of the file that are seen from `fromMs` until `toMs`, without reading more than that and half a
   * minute before it.
   * @throws AppError `TRANSCODER_FAILED`, or if the source may not be read
   */
  async window(
    title: Title,
    { track, fromMs, toMs }: { track: number; fromMs: number; toMs: number },
    signal: AbortSignal,
  ): Promise<readonly Cue[]> {
    const originS = title.startTicks / 90_000;
    const startMs = fromMs - LEAD_IN_MS;
    const seek = startMs > 0 ? ['-seek_timestamp', '1', '-ss', (originS + startMs / 1000).toFixed(3)] : [];
    const until = ['-to', (originS + toMs / 1000).toFixed(3)];
    const output = await this.#read(title, {
      input: [...LENIENT, ...seek],
      output: [...mapped(title, track), ...until, ...WEBVTT],
      timeoutMs: WINDOW_TIMEOUT_MS,
      signal,
    });
    return readWebVtt(output.toString(), title.startTicks / 90);
  }

  /** One track by itself: as it is, then as Windows-1252, then with what can be read of it. */
  async #alone(title: Title, track: number, signal: AbortSignal): Promise<ExtractedTrack> {
    let reason = '';
    for (const options of [STRICT, [...WINDOWS_CHARSET, ...STRICT], LENIENT]) {
      try {
        const [cues = []] = await this.#pass(title, [track], options, signal);
        return { cues };
      } catch (thrown) {
        if (signal.aborted || !isFfmpegsFault(thrown)) throw thrown;
        reason = reasonOf(thrown);
      }
    }
    return { reason };
  }

  async #pass(
    title: Title,
    tracks: readonly number[],
    options: readonly string[],
    signal: AbortSignal,
  ): Promise<Cue[][]> {
    const folder = await mkdtemp(path.join(this.#folder, 'pass-'));
    try {
      const fileOf = (track: number): string => path.join(folder, `${track}.vtt`);
      const outputs = tracks.map((track, at) => [
        ...[...mapped(title, track), '-fs', String(MAX_TRACK_BYTES), ...WEBVTT],
        // What comes last goes to stdout.
        ...(at < tracks.length - 1 ? [`file:${fileOf(track)}`] : []),
      ]);
      const timeoutMs = PASS_TIMEOUT_MS + title.source.sizeBytes / LEAST_BYTES_PER_MS;
      const last = await this.#read(title, { input: options, output: outputs.flat(), timeoutMs, signal });
      const files = await Promise.all(tracks.slice(0, -1).map((track) => readFile(fileOf(track))));
      return [...files, last].map((text) => readWebVtt(text.toString(), title.startTicks / 90));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async #read(
    title: Title,
    run: { input: readonly string[]; output: readonly string[]; timeoutMs: number; signal: AbortSignal },
  ): Promise<Buffer> {
    const source = await title.source.openInput();
    try {
      return await runFfmpegOnce({
        binaryPath: this.#binary.path,
        commandLine: { input: ['-v', 'error', '-copyts', ...run.input], output: run.output },
        input: undefined,
        source,
        maxOutputBytes: 2 * MAX_TRACK_BYTES,
        timeoutMs: run.timeoutMs,
        signal: run.signal,
      });
    } finally {
      source.release();
    }
  }
}

function mapped(title: Title, track: number): string[] {
  const { streamIndex, codec } = title.subtitles[track] ?? {};
  if (streamIndex === undefined) throw new AppError('INTERNAL', `subtitle track ${track} is not in the file`);
  return ['-map', `0:${streamIndex}`, '-c:s', codec === 'webvtt' ? 'copy' : 'webvtt'];
}

function isFfmpegsFault(thrown: unknown): boolean {
  return thrown instanceof AppError && thrown.code === 'TRANSCODER_FAILED';
}
