// `npm run bench`: all set-up, then the benchmarks; `--json` makes them write JSON.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { ROOT, setUp } from './set-up.mjs';

await setUp();
const tsx = path.join(ROOT, 'node_modules', 'tsx', 'dist', 'cli.mjs');
const bench = path.join(ROOT, 'test', 'bench', 'index.ts');
const child = spawn(process.execPath, [tsx, bench, ...process.argv.slice(2)], { cwd: ROOT, stdio: 'inherit' });
child.on('close', (code) => (process.exitCode = code ?? 1));
