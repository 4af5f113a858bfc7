import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deathBoundLaunch } from '../../src/ffmpeg/launcher.ts';
import { FfmpegPublisher } from '../support/ffmpeg-publisher.ts';
import { fetchMediaPlaylist, fetchMultivariant } from '../support/hls-client.ts';
import { PASSTHROUGH_LADDER, videoVariants } from '../support/live-server.ts';
import { until } from '../support/poll.ts';
import { StreamSenders } from '../support/stream-senders.ts';

const CLI = path.resolve(import.meta.dirname, '../../dist/cli.js');
const isBound = (await deathBoundLaunch('ffmpeg')).path === 'setpriv';

interface Ready {
  readonly rtmpUrl: string;
  readonly httpUrl: string;
}

/** Processes whose parent is, or was, the given one and that are still there. */
async function childrenOf(pid: number, known: ReadonlySet<number> = new Set()): Promise<number[]> {
  const pids = (await readdir('/proc')).map(Number).filter((entry) => Number.isInteger(entry));
  const found: number[] = [];
  for (const child of pids) {
    const status = await readFile(`/proc/${child}/status`, 'utf8').catch(() => '');
    const isZombie = /^State:\s*Z/m.test(status);
    const parent = Number(/^PPid:\s*(\d+)/m.exec(status)?.[1]);
    if (status !== '' && !isZombie && (parent === pid || known.has(child))) found.push(child);
  }
  return found;
}

describe('the server process', () => {
  let folder: string;
  let server: ChildProcess;
  let output = '';

  const start = async (): Promise<Ready> => {
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
    server = spawn(process.execPath, [CLI, ...flags], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface(server.stdout!);
    return new Promise((resolve, reject) => {
      lines.on('line', (line) => {
        output += `${line}\n`;
        const entry = line.startsWith('{') ? (JSON.parse(line) as Ready & { msg: string }) : undefined;
        if (entry?.msg === 'ready') resolve(entry);
      });
      server.once('exit', (code) => reject(new Error(`the server ended with ${code}\n${output}`)));
    });
  };

  const secrets = async () =>
    JSON.parse(await readFile(path.join(folder, 'data', 'secrets.json'), 'utf8')) as {
      adminToken: string;
      streamKey: string;
      urlSecret: string;
    };

  const goLive = async ({ rtmpUrl, httpUrl }: Ready): Promise<FfmpegPublisher> => {
    const { streamKey } = await secrets();
    const publisher = new FfmpegPublisher({ url: `${rtmpUrl}/live/demo?key=${streamKey}`, size: '640x480', gop: 30 });
    const playlist = `${httpUrl}/hls/live/demo/index.m3u8`;
    await until('the ladder', async () => videoVariants(await fetchMultivariant(playlist)).length >= 2);
    return publisher;
  };

  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-process-'));
    output = '';
  });

  afterEach(async () => {
    server.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  it('makes its secrets at the first start, keeps them to itself, and shows them once', async () => {
    const ready = await start();
    expect((await fetch(`${ready.httpUrl}/readyz`)).status).toBe(200);
    const made = await secrets();
    const { adminToken, streamKey, urlSecret } = made;
    expect((await stat(path.join(folder, 'data', 'secrets.json'))).mode & 0o777).toBe(0o600);
    expect(output.split(adminToken)).toHaveLength(2);
    expect(urlSecret).toMatch(/^[\w-]{43}$/);
    expect(output).not.toContain(urlSecret);
    server.kill('SIGTERM');
    expect(await once(server, 'exit')).toEqual([0, null]);
    expect(output.split('\n').filter((line) => line.startsWith('{') && line.includes(streamKey))).toEqual([]);

    output = '';
    await start();
    expect(output).not.toContain(adminToken);
    expect(output).not.toContain(streamKey);
    expect(await secrets()).toEqual(made);
  });

  it('leaves no encoder behind when it is told to end', async () => {
    const publisher = await goLive(await start());
    const children = await childrenOf(server.pid!);
    expect(children.length).toBeGreaterThanOrEqual(2);
    server.kill('SIGTERM');
    expect(await once(server, 'exit')).toEqual([0, null]);
    expect(await childrenOf(-1, new Set(children))).toEqual([]);
    expect(await publisher.exited).not.toBeNull();
  });

  it('leaves no encoder behind when it is killed', async () => {
    const publisher = await goLive(await start());
    const children = await childrenOf(server.pid!);
    expect(children.length).toBeGreaterThanOrEqual(2);
    server.kill('SIGKILL');
    await until('the encoders to end', async () => (await childrenOf(-1, new Set(children))).length === 0, 10_000);
    await publisher.exited;
  });

  it.runIf(isBound)('leaves nothing behind that reads a remote source when it is killed', async () => {
    const senders = new StreamSenders();
    let children: number[] = [];
    try {
      const settings = [
        'ladders = ["./ladder.toml"]\nallowPrivate = ["127.0.0.0/8"]\npull.allowHosts = ["127.0.0.0/8"]',
        `[[sources]]\nname = "encoder"\nurl = "${await senders.srt()}"\nmode = "ladder"\nonDemand = false`,
      ];
      await writeFile(path.join(folder, 'ladder.toml'), PASSTHROUGH_LADDER);
      await writeFile(path.join(folder, 'laddercast.toml'), settings.join('\n'));
      const { httpUrl } = await start();
      const playlist = `${httpUrl}/hls/live/encoder/original/video.m3u8`;
      await until('the broadcast', async () => ((await fetchMediaPlaylist(playlist))?.segments.length ?? 0) > 0);
      children = await childrenOf(server.pid!);
      const commands = await Promise.all(children.map((child) => readFile(`/proc/${child}/cmdline`, 'utf8')));
      const readers = children.filter((_, index) => commands[index]!.includes('srt://'));
      expect(readers).toHaveLength(1);
      expect(children.length).toBeGreaterThan(readers.length);
      // So it cannot end by itself when nobody takes its output.
      process.kill(readers[0]!, 'SIGSTOP');
      server.kill('SIGKILL');
      await until('the children to end', async () => (await childrenOf(-1, new Set(children))).length === 0, 10_000);
    } finally {
      for (const left of await childrenOf(-1, new Set(children))) process.kill(left, 'SIGKILL');
      await senders.close();
    }
  });

  it('keeps rungs that were added at runtime', async () => {
    const first = await start();
    const call = async ({ httpUrl }: Ready, method: string, body?: object) => {
      const headers = { authorization: `Bearer ${(await secrets()).adminToken}` };
      return fetch(`${httpUrl}/api/v1/renditions`, {
        method,
        headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
    };
    const added = await call(first, 'POST', { name: '360p', width: 640, height: 360, videoBitrateKbps: 700 });
    expect(added.status).toBe(201);
    server.kill('SIGKILL');
    await once(server, 'exit');
    expect(await (await call(await start(), 'GET')).text()).toContain('"360p"');
  });

  it('says in one line what is wrong with a setting, and ends', async () => {
    server = spawn(process.execPath, [CLI, '--rtmp-port', 'x'], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    server.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    expect(await once(server, 'close')).toEqual([1, null]);
    expect(stderr).toMatch(/^laddercast: .*rtmpPort.*\n$/);
  });
});
