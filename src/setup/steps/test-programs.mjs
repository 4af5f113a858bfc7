import path from 'node:path';
import { findProgram } from '../find-program.mjs';
import { runCommand } from '../run-command.mjs';
import { SetupError } from '../setup-error.mjs';
import { installSystemPackages } from './system-package.mjs';

/** Programs that tests run, and the packages of Debian that have them. */
const PROGRAMS = [
  { name: 'varnishd', packages: ['varnish'] },
  { name: 'nginx', packages: ['nginx-light'] },
  {
    name: 'gst-launch-1.0',
    packages: ['tools', 'plugins-base', 'plugins-good', 'plugins-bad', 'libav'].map((part) => `gstreamer1.0-${part}`),
  },
];

/**
 * Installs the proxies and players that tests put in front of the server. Where that is not possible set-up goes on: the
 * tests that need them fail then, and say what they miss.
 *
 * @param {{ env: NodeJS.ProcessEnv, isRoot: boolean, serverFolders?: readonly string[],
 *   run?: typeof runCommand }} context
 * @param {(text: string) => void} say
 */
export async function provideTestPrograms(context, say) {
  const missing = PROGRAMS.filter(({ name }) => findOnSystem(name, context) === undefined);
  if (missing.length === 0) return PROGRAMS.map(({ name }) => name).join(', ');
  const names = missing.map(({ name }) => name).join(', ');
  try {
    const packages = missing.flatMap((program) => program.packages);
    await installSystemPackages(packages, `tests need ${names}, which the system lacks`, context, say);
    return `installed ${names}`;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    return `${error.message}\n  Until then the tests that need them fail.`;
  }
}

/** Debian keeps servers where the PATH of a user does not lead. */
const SERVER_FOLDERS = ['/usr/sbin', '/sbin'];

function findOnSystem(
  /** @type {string} */ name,
  /** @type {{ env: NodeJS.ProcessEnv, serverFolders?: readonly string[] }} */ { env, serverFolders = SERVER_FOLDERS },
) {
  return findProgram([name], { ...env, PATH: [env['PATH'] ?? '', ...serverFolders].join(path.delimiter) });
}
