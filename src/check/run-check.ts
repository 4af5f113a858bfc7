import { reasonOf } from '../util/errors.ts';
import { checkHls } from './check-hls.ts';
import { parseCommandLine, USAGE } from './command-line.ts';
import { formatReport } from './report.ts';

/** Where a command writes. */
interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** `npm run hls:check`: checks and prints; resolves with the exit code, 0 if no item failed. Never rejects. */
export async function runCheck(argv: readonly string[], { out, err }: Output): Promise<number> {
  try {
    const command = parseCommandLine(argv);
    if (command === undefined) {
      out(USAGE);
      return 0;
    }
    const report = await checkHls(command.url, command);
    out(command.json ? `${JSON.stringify(report, undefined, 2)}\n` : formatReport(report));
    return report.passed ? 0 : 1;
  } catch (error) {
    err(`hls:check: ${reasonOf(error)}\n\n${USAGE}`);
    return 1;
  }
}
