import { createHash } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { lastLines, npmCommand, runCommand } from '../run-command.mjs';
import { SetupError } from '../setup-error.mjs';

const STAMP = path.join('dist', '.built-from');

/**
 * Compiles `src` to `dist`, unless `dist` was made from the very same sources.
 *
 * @param {{ root: string, env: NodeJS.ProcessEnv, run?: typeof runCommand }} context
 * @param {(text: string) => void} say
 */
export async function build({ root, env, run = runCommand }, say) {
  const stamp = path.join(root, STAMP);
  const digest = await digestSources(root);
  if ((await readFile(stamp, 'utf8').catch(() => '')) === digest) return 'up to date';
  say('compiling');
  await rm(stamp, { force: true });
  const [npm, prefix] = npmCommand(env);
  const { code, output } = await run(npm, [...prefix, 'run', '--silent', 'build'], { cwd: root, env });
  if (code !== 0) throw new SetupError(`the build failed; it said:\n${lastLines(output, 20)}`);
  await writeFile(stamp, digest);
  return 'built';
}

/** Covers all that the output depends on; times are left out, since a checkout changes them without need. */
async function digestSources(/** @type {string} */ root) {
  const src = path.join(root, 'src');
  const entries = await readdir(src, { recursive: true, withFileTypes: true });
  const sources = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  const files = [...sources.sort(), path.join(root, 'tsconfig.json'), path.join(root, 'package-lock.json')];
  const hash = createHash('sha256');
  for (const file of files) {
    const content = await readFile(file);
    hash.update(`${path.relative(root, file)}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}
