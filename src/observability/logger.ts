import { pino } from 'pino';
import type { Config } from '../config/schema.ts';
import type { Logger } from '../util/logger.ts';
import { Scrubber } from './scrubber.ts';

/** How to log. */
export interface LoggerOptions {
  readonly level: Config['logLevel'];
  /** Takes whole lines, each with its line break; standard output if left out. */
  readonly write?: (line: string) => void;
  /** Knows the secrets that must not be seen. */
  readonly scrubber?: Scrubber;
}

/** Fields that hold a secret, at the top and one level down. */
const SECRET_FIELDS = ['key', 'token', 'adminToken', 'streamKey', 'authorization'];

/** Logs one JSON object a line: `level` (a word), `time` (ISO 8601), the fields, `msg`. No secret gets out. */
export function createLogger({ level, write, scrubber = new Scrubber() }: LoggerOptions): Logger {
  const output = write ?? ((line: string) => void process.stdout.write(line));
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]), censor: '[hidden]' },
    },
    { write: (line: string) => output(scrubber.scrub(line)) },
  );
}
