import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

const ADMIN_TOKEN = 'bench-admin-token';
const STREAM_KEY = 'bench-stream-key';

interface Ready {
  readonly msg: string;
  readonly rtmpUrl: string;
  readonly httpUrl: string;
}

/** The built server in a process and a folder of its own, so that measuring takes none of its time. */
export class ServerProcess {
  readonly pid: number;
  readonly httpUrl: string;
  /** A media root. */
  readonly mediaFolder: string;
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #rtmpUrl: string;

  private constructor(child: ChildProcess, folder: string, { rtmpUrl, httpUrl }: Ready) {
    this.pid = child.pid!;
    this.httpUrl = httpUrl;
    this.mediaFolder = path.join(folder, 'media');
    this.#child = child;
    this.#folder = folder;
    this.#rtmpUrl = rtmpUrl;
  }

  /** Starts `dist/cli.js`, which has to be built. */
  static async start(): Promise<ServerProcess> {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-bench-'));
    await mkdir(path.join(folder, 'media'));
    const cli = path.resolve(import.meta.dirname, '../../dist/cli.js');
    const flags = [
      '--host',
      '127.0.0.1',
      '--rtmp-port',
      '0',
      '--http-port',
      '0',
      '--data-dir',
      path.join(folder, 'data'),
    ];
    const child = spawn(process.execPath, [cli, ...flags, '--media-root', path.join(folder, 'media')], {
      cwd: folder,
      env: {
        ...process.env,
        ...{ LADDERCAST_STREAM_KEY: STREAM_KEY, LADDERCAST_ADMIN_TOKEN: ADMIN_TOKEN },
        LADDERCAST_ALLOW_PRIVATE: '127.0.0.0/8',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return new ServerProcess(child, folder, await readyLine(child.stdout));
  }

  /** Where a broadcast is published. */
  rtmpUrl(name: string): string {
    return `${this.#rtmpUrl}/live/${name}?key=${STREAM_KEY}`;
  }

  /** A request with the admin token. */
  admin(method: string, route: string, body?: object): Promise<Response> {
    return fetch(`${this.httpUrl}${route}`, {
      method,
      headers: {
        authorization: `Bearer ${ADMIN_TOKEN}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  }

  async close(): Promise<void> {
    this.#child.kill('SIGTERM');
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function readyLine(stdout: NodeJS.ReadableStream): Promise<Ready> {
  for await (const line of createInterface(stdout)) {
    if (!line.startsWith('{')) continue;
    const entry = JSON.parse(line) as Ready;
    if (entry.msg !== 'ready') continue;
    stdout.resume();
    return entry;
  }
  throw new Error('the server ended before it was ready');
}
