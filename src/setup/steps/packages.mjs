import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { lastLines, npmCommand, runCommand } from '../run-command.mjs';
import { SetupError } from '../setup-error.mjs';

/**
 * Installs the packages that the lockfile names, unless they are there.
 *
 * @param {{ root: string, env: NodeJS.ProcessEnv, run?: typeof runCommand }} context
 * @param {(text: string) => void} say
 */
export async function installPackages({ root, env, run = runCommand }, say) {
  if (await areInstalled(root)) return 'there already';
  say('installing from the lockfile');
  const [npm, prefix] = npmCommand(env);
  const { code, output } = await run(npm, [...prefix, 'ci', '--include=dev', '--no-progress'], { cwd: root, env });
  if (code === 0) return 'installed';
  throw new SetupError(`the packages could not be installed; npm said:\n${lastLines(output)}\n  To try again: npm ci`);
}

/** npm writes its own copy of the lockfile last, so what that says is there, whole. */
async function areInstalled(/** @type {string} */ root) {
  const wanted = await readLock(path.join(root, 'package-lock.json'));
  const present = await readLock(path.join(root, 'node_modules', '.package-lock.json'));
  if (wanted === undefined) throw new SetupError('package-lock.json is missing or damaged; get it from the repository');
  return Object.entries(wanted).every(([name, entry]) => {
    // What is optional is there on some platforms only.
    return name === '' || entry.optional === true || present?.[name]?.version === entry.version;
  });
}

/** @returns {Promise<Record<string, { version?: string, optional?: boolean }> | undefined>} */
async function readLock(/** @type {string} */ file) {
  try {
    return JSON.parse(await readFile(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
}
