import { parseArgs } from 'node:util';
import { AppError, reasonOf } from '../util/errors.ts';
import type { CheckOptions } from './check-hls.ts';

/** What `npm run hls:check` says when it is asked wrongly, or for help. */
export const USAGE = `usage: npm run hls:check -- URL [--seconds N] [--json] [--insecure]

  URL          multivariant or media playlist, http or https
  --seconds N  how long to watch (20)
  --json       the report as JSON
  --insecure   take any certificate
`;

/** What was asked for. */
interface CheckCommand extends CheckOptions {
  readonly url: string;
  readonly json: boolean;
}

/**
 * Reads the arguments of `npm run hls:check`; `undefined` if help is asked for.
 * @throws AppError `BAD_REQUEST` if they are not as `USAGE` says
 */
export function parseCommandLine(argv: readonly string[]): CheckCommand | undefined {
  const { values, positionals } = parse(argv);
  if (values.help === true) return undefined;
  const [url] = positionals;
  if (url === undefined || positionals.length > 1) {
    throw new AppError('BAD_REQUEST', `give one URL, not ${positionals.length}`);
  }
  const seconds = values.seconds === undefined ? {} : { seconds: Number(values.seconds) };
  return { url, ...seconds, json: values.json === true, insecure: values.insecure === true };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        seconds: { type: 'string' },
        json: { type: 'boolean' },
        insecure: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new AppError('BAD_REQUEST', reasonOf(error));
  }
}
