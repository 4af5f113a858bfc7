import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { film, H264, PICTURE, SOUND } from '../support/films.ts';

const CLI = path.resolve(import.meta.dirname, '../../dist/cli.js');
const TOKEN = 'command-line-token';
const LADDER = '[[rendition]]\nname = "90p"\nwidth = 160\nheight = 90\nvideoBitrateKbps = 100\npreset = "ultrafast"\n';

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

let folder: string;
let server: ChildProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-cli-'));
  await mkdir(path.join(folder, 'media'));
  await writeFile(path.join(folder, 'ladder.toml'), LADDER);
  const settings = ['host = "127.0.0.1"', 'rtmpPort = 0', 'httpPort = 0', 'ladders = ["./ladder.toml"]'];
  const places = ['dataDir = "data"', 'mediaRoots = ["media"]', `adminToken = "${TOKEN}"`];
  await writeFile(path.join(folder, 'laddercast.toml'), [...settings, ...places].join('\n'));
});

afterEach(async () => {
  if (server?.exitCode === null) {
    server.kill('SIGTERM');
    await once(server, 'exit');
  }
  server = undefined;
  await rm(folder, { recursive: true, force: true });
});

/** Runs the program to its end. */
function run(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, ...args], { cwd: folder }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr });
    });
  });
}

/** Starts a server; resolves with its address. */
async function serve(): Promise<string> {
  server = spawn(process.execPath, [CLI], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface(server.stdout!)) {
    const entry = line.startsWith('{') ? (JSON.parse(line) as { msg: string; httpUrl: string }) : undefined;
    if (entry?.msg !== 'ready') continue;
    server.stdout!.resume();
    return entry.httpUrl;
  }
  throw new Error('the server ended before it was ready');
}

async function cacheOf(httpUrl: string): Promise<{ entries: { quality: string; isComplete: boolean }[] }> {
  const reply = await fetch(`${httpUrl}/api/v1/cache`, { headers: { authorization: `Bearer ${TOKEN}` } });
  return (await reply.json()) as Awaited<ReturnType<typeof cacheOf>>;
}

describe('the command line', () => {
  it('starts no second server on the same data folder, and says which one has it', async () => {
    await serve();
    const second = await run();
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/^laddercast: .*data.*/);
    expect(second.stderr).toContain(String(server!.pid));
    expect(server!.exitCode).toBeNull();
  });

  it('encodes files ahead without a server, for the one that comes, and through the one that runs', async () => {
    const media = path.join(folder, 'media');
    const source = await film(media, ...PICTURE, ...SOUND, ...H264, '-t', '6', 'a film.mp4');
    const alone = await run('pre-encode', source);
    expect(alone).toMatchObject({ code: 0, stderr: '' });
    expect(alone.stdout).toMatch(/^a film\.mp4: complete/m);

    const url = await serve();
    expect((await cacheOf(url)).entries.map(({ quality, isComplete }) => [quality, isComplete])).toContainEqual([
      '90p',
      true,
    ]);
    await film(media, ...PICTURE, ...SOUND, ...H264, '-t', '5', 'other.mp4');
    const through = await run('pre-encode', 'media/other.mp4', 'media/missing.mp4');
    expect(through.stdout).toMatch(/^other\.mp4: complete/m);
    expect(through.stdout).toMatch(/^missing\.mp4: failed: /m);
    expect(through.code).toBe(1);
    expect((await cacheOf(url)).entries.every(({ isComplete }) => isComplete)).toBe(true);
  });
});
