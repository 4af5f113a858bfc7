import { startApp } from './app.ts';
import { HELP, parseCommandLine } from './config/command-line.ts';
import { loadConfig, renderConfig } from './config/load-config.ts';
import { renderBanner } from './observability/banner.ts';
import { createLogger } from './observability/logger.ts';
import { Scrubber } from './observability/scrubber.ts';
import { AppError, reasonOf } from './util/errors.ts';

/** How long an orderly end may take before the process ends anyway, in ms. */
const SHUTDOWN_TIMEOUT_MS = 10_000;

/**
 * Runs what the command line asks for. Resolves once the server is up (or the help is printed); a bad configuration is
 * told in one line and sets the exit code.
 */
export async function main(argv: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<void> {
  try {
    const { command } = parseCommandLine(argv);
    if (command === 'help') process.stdout.write(HELP);
    else if (command === 'pre-encode') throw new AppError('UNAVAILABLE', 'pre-encode is not available yet');
    else await runWithConfig(command, argv, env);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    process.stderr.write(`laddercast: ${error.message}\n`);
    process.exitCode = 1;
  }
}

async function runWithConfig(command: 'check' | 'serve', argv: readonly string[], env: NodeJS.ProcessEnv) {
  const config = loadConfig({ argv, env, cwd: process.cwd() });
  if (command === 'check') {
    process.stdout.write(`${renderConfig(config)}\n`);
    return;
  }
  const scrubber = new Scrubber();
  const logger = createLogger({ level: config.logLevel, scrubber });
  process.on('unhandledRejection', (reason) => logger.error({ reason: reasonOf(reason) }, 'unhandled rejection'));
  process.on('uncaughtException', (error) => {
    logger.error({ reason: reasonOf(error), stack: error.stack }, 'uncaught exception; the process ends');
    process.exit(1);
  });
  const app = await startApp(config, logger, { scrubber });
  endWithSignals(() => app.close());
  process.stdout.write(renderBanner(app.bannerFacts));
  const { rtmpUrl, rtmpsUrl, httpUrl, httpsUrl } = app;
  logger.info({ rtmpUrl, rtmpsUrl, httpUrl, httpsUrl, pid: process.pid }, 'ready');
}

/** Ends in an orderly way at the first SIGINT or SIGTERM, and at once at the second or when it takes too long. */
function endWithSignals(close: () => Promise<void>): void {
  let ending = false;
  const end = (): void => {
    if (ending) process.exit(1);
    ending = true;
    setTimeout(() => process.exit(1), SHUTDOWN_TIMEOUT_MS).unref();
    void close().then(() => process.exit(0));
  };
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
}
