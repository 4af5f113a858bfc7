// `npm test`: all set-up, then every check and test. The last line is "N passed, N failed".
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { npmCommand } from './run-command.mjs';
import { ROOT, setUp } from './set-up.mjs';
import { tallyVitest } from './test-tally.mjs';

/** The parts of `npm run check`. */
const CHECKS = ['typecheck', 'lint', 'format:check', 'unused'];
/** One after the other: end-to-end tests share the machine with nothing else. */
const PROJECTS = ['unit', 'e2e', 'alone', 'players'];

/** Runs a program whose output goes straight through; resolves with its exit code. */
function show(/** @type {string} */ command, /** @type {readonly string[]} */ args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', () => resolve(1));
    child.on('close', (code) => resolve(code ?? 1));
  });
}

/** Runs a part of the checks; its output is shown when it has ended, so that it can share the time with the others. */
async function check(/** @type {string} */ name) {
  const [npm, prefix] = npmCommand(process.env);
  const { code, output } = await collect(npm, [...prefix, 'run', '--silent', name]);
  const passed = code === 0;
  console.log(`\n== ${name}\n${output}${passed ? 'passed' : 'failed'}`);
  return { passed: passed ? 1 : 0, failed: passed ? 0 : 1 };
}

async function vitest(/** @type {string} */ project, /** @type {string} */ folder) {
  console.log(`\n== ${project} tests`);
  const file = path.join(folder, `${project}.json`);
  const code = await show(process.execPath, [
    path.join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'),
    ...['run', '--config', 'test/tooling/vitest.config.ts', '--project', project],
    ...['--reporter=default', '--reporter=json', `--outputFile.json=${file}`],
  ]);
  return tallyVitest({ code, report: await readFile(file, 'utf8').catch(() => undefined) });
}

/** Runs a program and keeps what it writes; resolves with its exit code and that. */
function collect(/** @type {string} */ command, /** @type {readonly string[]} */ args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
    child.on('error', (error) => resolve({ code: 1, output: `${error.message}\n` }));
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

await setUp({ chromium: true, testPrograms: true });
const folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-test-'));
const tallies = [];
try {
  tallies.push(...(await Promise.all(CHECKS.map(check))));
  for (const project of PROJECTS) tallies.push(await vitest(project, folder));
} finally {
  await rm(folder, { recursive: true, force: true });
}
const total = (/** @type {'passed' | 'failed'} */ key) => tallies.reduce((sum, tally) => sum + tally[key], 0);
process.exitCode = total('failed') === 0 ? 0 : 1;
console.log(`\n${total('passed')} passed, ${total('failed')} failed`);
