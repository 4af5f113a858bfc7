import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createReport } from './report.mjs';
import { SetupError } from './setup-error.mjs';
import { build } from './steps/build.mjs';
import { provideChromium } from './steps/chromium.mjs';
import { provideFfmpeg } from './steps/ffmpeg.mjs';
import { checkNodeVersion } from './steps/node-version.mjs';
import { installPackages } from './steps/packages.mjs';
import { provideTestPrograms } from './steps/test-programs.mjs';

/** Folder of the repository. */
export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

/**
 * Does all set-up that is not done yet. It needs nothing but Node.js. Ends the process, with a line that says what to
 * do, if it cannot.
 *
 * @param {{ ffmpeg?: boolean, chromium?: boolean, testPrograms?: boolean }} wanted what is needed beyond packages and build
 */
export async function setUp({ ffmpeg = true, chromium = false, testPrograms = false } = {}) {
  const report = createReport();
  const context = { root: ROOT, env: process.env, isRoot: process.getuid?.() === 0 };
  /** @type {[string, (say: (text: string) => void) => Promise<string>][]} */
  const steps = [
    ['Node.js', async () => checkNodeVersion(process.versions.node)],
    ['packages', (say) => installPackages(context, say)],
    ['build', (say) => build(context, say)],
  ];
  if (ffmpeg) steps.push(['ffmpeg', (say) => provideFfmpeg(context, say)]);
  if (chromium) steps.push(['Chromium', (say) => provideChromium(context, say)]);
  if (testPrograms) steps.push(['proxies and players', (say) => provideTestPrograms(context, say)]);
  try {
    for (const [index, [label, run]] of steps.entries()) {
      await report.step(`[${index + 1}/${steps.length}] ${label}`, run);
    }
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    report.line(`\nSet-up stopped: ${error.message}`);
    process.exit(1);
  }
}
