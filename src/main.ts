import { localServer } from './app/local-server.ts';
import { startApp } from './app.ts';
import { HELP, parseCommandLine } from './config/command-line.ts';
import { loadConfig, renderConfig } from './config/load-config.ts';
import type { Config } from './config/schema.ts';
import { renderBanner } from './observability/banner.ts';
import { createLogger } from './observability/logger.ts';
import { Scrubber } from './observability/scrubber.ts';
import { preEncode } from './pre-encode/pre-encode.ts';
import { AppError, reasonOf } from './util/errors.ts';

/** How long an orderly end may take before the process ends anyway, in ms. */
const SHUTDOWN_TIMEOUT_MS = 10_000;

/**
 * Runs what the command line asks for. Resolves once the server is up (or the help is printed); a bad configuration is
 * told in one line and sets the exit code.
 */
export async function main(argv: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<void> {
  try {
    const { command, files } = parseCommandLine(argv);
    if (command === 'help') {
      process.stdout.write(HELP);
      return;
    }
    const config = loadConfig({ argv, env, cwd: process.cwd() });
    if (command === 'check') process.stdout.write(`${renderConfig(config)}\n`);
    else if (command === 'pre-encode') await encodeAhead(config, files);
    else await serve(config);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    process.stderr.write(`laddercast: ${error.message}\n`);
    process.exitCode = 1;
  }
}

async function serve(config: Config): Promise<void> {
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

/** Fills the cache of the server that has the data folder, or does it without one. */
async function encodeAhead(config: Config, files: readonly string[]): Promise<void> {
  // The progress is on the terminal, where only what is wrong may come between.
  const level = config.logLevel === 'info' ? 'warn' : config.logLevel;
  const server = await localServer(config, createLogger({ level, scrubber: new Scrubber() }));
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort());
  try {
    const { httpUrl: baseUrl, adminToken } = server;
    const output = process.stdout;
    process.exitCode = await preEncode({ files, baseUrl, adminToken, output, signal: interrupted.signal });
  } finally {
    await server.close();
  }
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
