import { runCheck } from './run-check.ts';

process.exitCode = await runCheck(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
});
