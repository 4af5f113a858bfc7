import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { AppError, reasonOf } from '../util/errors.ts';

const run = promisify(execFile);
const VERSION_TIMEOUT_MS = 10_000;
/** Release that brought each libavcodec, for builds that name no release. */
const MAJOR_BY_LIBAVCODEC = new Map([
  [59, 5],
  [60, 6],
  [61, 7],
  [62, 8],
]);

/** An ffmpeg that can be run. */
export interface FfmpegBinary {
  readonly path: string;
  /** As the binary tells it, e.g. `5.1.9-0+deb12u1`. */
  readonly version: string;
  /** Release that decides which options it knows, e.g. 5. */
  readonly major: number;
}

/**
 * Asks the binary for its version.
 * @throws AppError `UNAVAILABLE` if it cannot be run or is older than 5.1.
 */
export async function inspectFfmpeg(path: string): Promise<FfmpegBinary> {
  let output: string;
  try {
    output = (await run(path, ['-version'], { timeout: VERSION_TIMEOUT_MS })).stdout;
  } catch (thrown) {
    throw new AppError('UNAVAILABLE', `ffmpeg "${path}" cannot be run: ${reasonOf(thrown)}; set LADDERCAST_FFMPEG`);
  }
  const { version, major, minor } = parseFfmpegVersion(output);
  if (major < 5 || (major === 5 && minor < 1)) {
    throw new AppError(
      'UNAVAILABLE',
      `ffmpeg "${path}" is ${version}, but 5.1 or newer is needed; set LADDERCAST_FFMPEG`,
    );
  }
  return Object.freeze({ path, version, major });
}

/**
 * Reads the answer to `ffmpeg -version`. Builds from a branch name no release; what they can do is told by libavcodec.
 * @throws AppError `UNAVAILABLE` if it is no such answer.
 */
export function parseFfmpegVersion(output: string): { version: string; major: number; minor: number } {
  const version = /^ffmpeg version (\S{1,100})/.exec(output)?.[1];
  if (version === undefined) throw new AppError('UNAVAILABLE', 'the configured ffmpeg does not tell its version');
  const release = /^n?(\d{1,3})\.(\d{1,3})/.exec(version);
  if (release !== null) return { version, major: Number(release[1]), minor: Number(release[2]) };
  const libavcodec = Number(/libavcodec\s+(\d{1,3})\./.exec(output)?.[1] ?? 0);
  const newestKnown = Math.max(...MAJOR_BY_LIBAVCODEC.keys());
  const major = MAJOR_BY_LIBAVCODEC.get(libavcodec) ?? (libavcodec > newestKnown ? libavcodec - 54 : 0);
  return { version, major, minor: 1 };
}
