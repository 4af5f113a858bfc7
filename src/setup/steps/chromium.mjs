import { findProgram } from '../find-program.mjs';
import { runCommand } from '../run-command.mjs';
import { SetupError } from '../setup-error.mjs';
import { installSystemPackages } from './system-package.mjs';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/**
 * Finds the Chromium that plays in the tests: the one that `LADDERCAST_CHROMIUM` names, else one on the PATH, else the
 * system's package.
 *
 * @param {{ env: NodeJS.ProcessEnv, isRoot: boolean, run?: typeof runCommand }} context
 * @param {(text: string) => void} say
 */
export async function provideChromium(context, say) {
  const { env, run = runCommand } = context;
  let file = env['LADDERCAST_CHROMIUM'] || findProgram(NAMES, env);
  if (file === undefined) {
    await installSystemPackages(['chromium'], 'the tests need Chromium, which is missing', context, say);
    file = findProgram(NAMES, env) ?? 'chromium';
  }
  const { code, output } = await run(file, ['--version'], { env, timeoutMs: 60_000 });
  if (code === 0) return `${output.trim().split('\n').at(-1)} (${file})`;
  throw new SetupError(
    `${file} does not run; install Chromium and name it: LADDERCAST_CHROMIUM=/path/to/chromium npm test`,
  );
}
