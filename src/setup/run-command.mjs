import { spawn } from 'node:child_process';

const KEPT_CHARACTERS = 64 * 1024;

/**
 * Runs a program to its end without a terminal and without standard input. Never rejects.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, timeoutMs?: number }} [options]
 * @returns {Promise<{ code: number, output: string }>} code -1 if it could not be started or was killed; the end of
 *   what it wrote
 */
export function runCommand(command, args, options = {}) {
  const { timeoutMs, ...spawnOptions } = options;
  return new Promise((resolve) => {
    let output = '';
    const keep = (/** @type {Buffer} */ chunk) => (output = (output + chunk).slice(-KEPT_CHARACTERS));
    const child = spawn(command, args, { ...spawnOptions, timeout: timeoutMs, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => resolve({ code: -1, output: error.message }));
    child.on('close', (code) => resolve({ code: code ?? -1, output }));
  });
}

/** The last lines of a program's output, indented, for an error message. */
export function lastLines(/** @type {string} */ output, count = 8) {
  const lines = output.trim().split('\n').slice(-count);
  return lines.map((line) => `    ${line}`).join('\n');
}

/**
 * How to call npm: the one that runs us, else the one on the PATH.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {[string, string[]]} command and its first arguments
 */
export function npmCommand(env) {
  const script = env['npm_execpath'];
  return script !== undefined && /npm-cli\.c?js$/.test(script) ? [process.execPath, [script]] : ['npm', []];
}
