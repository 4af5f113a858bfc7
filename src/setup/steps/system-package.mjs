import { findProgram } from '../find-program.mjs';
import { lastLines, runCommand } from '../run-command.mjs';
import { SetupError } from '../setup-error.mjs';

/** Package managers, and the commands that install with each one. */
const MANAGERS = [
  {
    program: 'apt-get',
    commands: (/** @type {readonly string[]} */ names) => [
      ['apt-get', 'update'],
      ['apt-get', 'install', '-y', '--no-install-recommends', ...names],
    ],
  },
  { program: 'dnf', commands: (/** @type {readonly string[]} */ names) => [['dnf', 'install', '-y', ...names]] },
  { program: 'apk', commands: (/** @type {readonly string[]} */ names) => [['apk', 'add', '--no-cache', ...names]] },
];

/**
 * Installs packages of the operating system when that is possible without asking.
 *
 * @param {readonly string[]} names
 * @param {string} need says for a person what is missing
 * @param {{ env: NodeJS.ProcessEnv, isRoot: boolean, run?: typeof runCommand }} context
 * @param {(text: string) => void} say
 * @throws {SetupError} that names the command to run
 */
export async function installSystemPackages(names, need, { env, isRoot, run = runCommand }, say) {
  const manager = MANAGERS.find(({ program }) => findProgram([program], env) !== undefined);
  if (manager === undefined) {
    throw new SetupError(`${need}; install "${names.join(' ')}" with your system's package manager`);
  }
  const commands = manager.commands(names);
  if (!isRoot) {
    throw new SetupError(`${need}; run: ${commands.map((command) => `sudo ${command.join(' ')}`).join(' && ')}`);
  }
  say(`installing ${names.join(', ')} with ${manager.program}`);
  for (const [program = '', ...args] of commands) {
    const { code, output } = await run(program, args, { env: { ...env, DEBIAN_FRONTEND: 'noninteractive' } });
    if (code !== 0) {
      throw new SetupError(`${need}; "${[program, ...args].join(' ')}" failed:\n${lastLines(output)}`);
    }
  }
}
