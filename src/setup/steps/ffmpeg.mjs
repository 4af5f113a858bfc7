import { findProgram } from '../find-program.mjs';
import { runCommand } from '../run-command.mjs';
import { SetupError } from '../setup-error.mjs';
import { installSystemPackages } from './system-package.mjs';

/**
 * Finds an ffmpeg that is new enough: the one that `LADDERCAST_FFMPEG` names, else the one on the PATH, else the
 * system's package.
 *
 * @param {{ env: NodeJS.ProcessEnv, isRoot: boolean, run?: typeof runCommand }} context
 * @param {(text: string) => void} say
 */
export async function provideFfmpeg(context, say) {
  const { env, run = runCommand } = context;
  const named = env['LADDERCAST_FFMPEG'];
  if (named !== undefined && named !== '') return describe(await examine(named, run), named, 'LADDERCAST_FFMPEG names');
  const found = findProgram(['ffmpeg'], env);
  if (found !== undefined) return describe(await examine(found, run), found, 'the PATH has');
  await installSystemPackages(['ffmpeg'], 'ffmpeg 5.1 or newer is missing', context, say);
  const installed = findProgram(['ffmpeg'], env) ?? 'ffmpeg';
  return describe(await examine(installed, run), installed, 'the system installed');
}

/** @returns {Promise<{ version: string, fault: string | undefined }>} */
async function examine(/** @type {string} */ file, /** @type {typeof runCommand} */ run) {
  const [about, x264] = await Promise.all([
    run(file, ['-hide_banner', '-version'], { timeoutMs: 15_000 }),
    run(file, ['-hide_banner', '-h', 'encoder=libx264'], { timeoutMs: 15_000 }),
  ]);
  const version = /^ffmpeg version (\S+)/m.exec(about.output)?.[1] ?? 'of unknown version';
  if (about.code !== 0) return { version, fault: 'which does not run' };
  if (!isNewEnough(about.output)) return { version, fault: 'which is too old' };
  if (!x264.output.includes('Encoder libx264')) return { version, fault: 'which was built without libx264' };
  return { version, fault: undefined };
}

/** Judges by libavcodec, which every build states in the same way; 5.1 came with 59.37. */
function isNewEnough(/** @type {string} */ about) {
  const [, major, minor] = /libavcodec\s+(\d+)\.\s*(\d+)/.exec(about) ?? [];
  return Number(major) > 59 || (Number(major) === 59 && Number(minor) >= 37);
}

function describe(
  /** @type {{ version: string, fault: string | undefined }} */ { version, fault },
  /** @type {string} */ file,
  /** @type {string} */ where,
) {
  if (fault === undefined) return `${version} (${file})`;
  throw new SetupError(
    `${where} ffmpeg ${version} (${file}), ${fault}; install ffmpeg 5.1 or newer with libx264 and name it: LADDERCAST_FFMPEG=/path/to/ffmpeg npm start`,
  );
}
