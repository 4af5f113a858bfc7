import { findProgram } from '../find-program.mjs';
import { lastLines, runCommand } from '../run-command.mjs';
import { SetupError } from '../setup-error.mjs';

/** Package managers, and the commands that install with each one. */
const MANAGERS = [
  {
    program: 'apt-get',
    commands: (/** @type {string} */ name) => [
      ['apt-get', 'update'],
      ['apt-get', 'install', '-y', '--no-install-recommends', name],
    ],
  },
  { program: 'dnf', commands: (/** @type {string} */ name) => [['dnf', 'install', '-y', name]] },
  { program: 'apk', commands: (/** @type {string} */ name) => [['apk', 'add', '--no-cache', name]] },
];

/**
 * Installs a package of the operating system when that is possible without asking.
 *
 * @param {string} name
 * @param {string} need says for a person what is missing
 * @param {{ env: NodeJS.ProcessEnv, isRoot: boolean, run?: typeof runCommand }} context
 * @param {(text: string) => void} say
 * @throws {SetupError} that names the command to run
 */
export async function installSystemPackage(name, need, { env, isRoot, run = runCommand }, say) {
  const manager = MANAGERS.find(({ program }) => findProgram([program], env) !== undefined);
  if (manager === undefined) throw new SetupError(`${need}; install "${name}" with your system's package manager`);
  const commands = manager.commands(name);
  if (!isRoot) {
    throw new SetupError(`${need}; run: ${commands.map((command) => `sudo ${command.join(' ')}`).join(' && ')}`);
  }
  say(`installing ${name} with ${manager.program}`);
  for (const [program = '', ...args] of commands) {
    const { code, output } = await run(program, args, { env: { ...env, DEBIAN_FRONTEND: 'noninteractive' } });
    if (code !== 0) {
      throw new SetupError(`${need}; "${[program, ...args].join(' ')}" failed:\n${lastLines(output)}`);
    }
  }
}
