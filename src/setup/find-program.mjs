import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';

/**
 * Finds a program on the PATH.
 *
 * @param {readonly string[]} names in order of preference
 * @param {NodeJS.ProcessEnv} env
 * @returns {string | undefined} its full path
 */
export function findProgram(names, env) {
  const folders = (env['PATH'] ?? '').split(path.delimiter).filter((folder) => folder !== '');
  const files = names.flatMap((name) => folders.map((folder) => path.join(folder, name)));
  return files.find(isExecutable);
}

function isExecutable(/** @type {string} */ file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
