import { execFileSync } from 'node:child_process';
import fs from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type FfprobeRun, findFfprobe, readFfprobeLines, runFfprobe } from '../../src/ffmpeg/ffprobe.ts';

let folder: string;
let file: string;
beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'laddercast-ffprobe-'));
  file = path.join(folder, 'film.mp4');
  const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=64x64:rate=25:duration=10', '-c:v', 'libx264'];
  execFileSync('ffmpeg', ['-v', 'error', ...picture, '-preset', 'ultrafast', file]);
});
afterAll(() => fs.rm(folder, { recursive: true }));

const PACKETS = ['-show_entries', 'packet=pts_time', '-of', 'csv=p=0'];

function run(changes: Partial<FfprobeRun> = {}): FfprobeRun {
  const input = { url: `file:${file}`, options: ['-protocol_whitelist', 'file'] };
  return { binaryPath: 'ffprobe', args: PACKETS, input, timeoutMs: 15_000, maxOutputBytes: 100_000, ...changes };
}

/** An address at which nobody ever answers, and who asked there. */
async function silence(): Promise<{ url: string; asked: () => number; close: () => void }> {
  const sockets: net.Socket[] = [];
  const server = net.createServer((socket) => sockets.push(socket.on('error', () => undefined))).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as net.AddressInfo).port}/film`,
    asked: () => sockets.length,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

describe('runFfprobe', () => {
  it('gives what ffprobe shows', async () => {
    const args = ['-show_entries', 'format=duration', '-of', 'json'];
    const output = await runFfprobe(run({ args }));
    expect(JSON.parse(output.toString())).toEqual({ format: { duration: '10.000000' } });
  });

  it('says why, without the place of the source', async () => {
    const text = path.join(folder, 'no film at all.mp4');
    await fs.writeFile(text, 'text'.repeat(1_000));
    const failed = runFfprobe(run({ input: { url: `file:${text}`, options: [] } }));
    await expect(failed).rejects.toMatchObject({ code: 'BAD_MEDIA' });
    await expect(failed).rejects.toThrow(/^the source cannot be read: .*(Invalid data|moov atom)/);
    await expect(failed).rejects.not.toThrow(folder);
    await expect(failed).rejects.not.toThrow('0x');
  });

  it('takes as much output as it may, and not one byte more', async () => {
    const { length } = await runFfprobe(run());
    expect(await runFfprobe(run({ maxOutputBytes: length }))).toHaveLength(length);
    await expect(runFfprobe(run({ maxOutputBytes: length - 1 }))).rejects.toThrow(`more than ${length - 1} bytes`);
  });

  it('ends when it takes too long, or is aborted, before or meanwhile', async () => {
    const { url, asked, close } = await silence();
    const input = { url, options: [] };
    await expect(runFfprobe(run({ input, timeoutMs: 300 }))).rejects.toThrow(/longer than 300 ms/);
    const controller = new AbortController();
    const before = asked();
    const probed = runFfprobe(run({ input, signal: controller.signal }));
    await vi.waitFor(() => expect(asked()).toBe(before + 1), 10_000);
    controller.abort();
    await expect(probed).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(runFfprobe(run({ signal: controller.signal }))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    close();
  });

  it('uses no proxy', async () => {
    const { url, asked, close } = await silence();
    process.env['http_proxy'] = url;
    try {
      await expect(runFfprobe(run({ input: { url: 'http://127.0.0.1:1/x', options: [] } }))).rejects.toThrow(/refused/);
    } finally {
      delete process.env['http_proxy'];
      close();
    }
    expect(asked()).toBe(0);
  });

  it('says that ffprobe cannot be run', async () => {
    const failed = runFfprobe(run({ binaryPath: path.join(folder, 'none') }));
    await expect(failed).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('readFfprobeLines', () => {
  it('gives each line once, whole and in order', async () => {
    const lines: string[] = [];
    await readFfprobeLines({ ...run(), onLine: (line) => lines.push(line) });
    expect(lines).toHaveLength(250);
    expect(lines.join('\n')).toBe((await runFfprobe(run())).toString().trimEnd());
  });

  it('gives the last line, although it has no end', async () => {
    const binaryPath = await script('printf "one\\ntwo"');
    const lines: string[] = [];
    await readFfprobeLines({ ...run({ binaryPath }), onLine: (line) => lines.push(line) });
    expect(lines).toEqual(['one', 'two']);
  });

  it('takes a line as long as it may be, and not longer, whether it ends or not', async () => {
    const onLine = (): void => undefined;
    const lines = (text: string): Promise<void> =>
      script(text).then((binaryPath) => readFfprobeLines({ ...run({ binaryPath }), maxLineBytes: 10, onLine }));
    await lines('printf "0123456789\\n0123456789"');
    await expect(lines('printf "0123456789a\\n"')).rejects.toThrow(/more than 10 bytes/);
    await expect(lines('printf 0123456789a')).rejects.toThrow(/more than 10 bytes/);
    await expect(lines('exec yes "no end" | tr -d "\\n"')).rejects.toThrow(/more than 10 bytes/);
  });

  it('ends when a line is not what was expected', async () => {
    const onLine = (line: string): void => {
      throw new TypeError(`bad ${line}`);
    };
    await expect(readFfprobeLines({ ...run(), onLine })).rejects.toThrow('bad 0.000000');
  });
});

describe('findFfprobe', () => {
  it('prefers the one beside ffmpeg, and takes the one on PATH else', async () => {
    const beside = path.join(folder, 'ffprobe-7');
    await fs.symlink(execFileSync('which', ['ffprobe'], { encoding: 'utf8' }).trim(), beside);
    expect(await findFfprobe(path.join(folder, 'ffmpeg-7'))).toBe(beside);
    expect(await findFfprobe('/nonexistent/ffmpeg')).toBe('ffprobe');
    expect(await findFfprobe('ffmpeg')).toBe('ffprobe');
  });

  it('says that there is none', async () => {
    const before = process.env['PATH'];
    process.env['PATH'] = '/nonexistent';
    try {
      await expect(findFfprobe('/nonexistent/ffmpeg')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    } finally {
      process.env['PATH'] = before;
    }
  });
});

/** A program that does this instead of what ffprobe does. */
async function script(text: string): Promise<string> {
  const program = path.join(await fs.mkdtemp(path.join(folder, 'script-')), 'ffprobe');
  await fs.writeFile(program, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return program;
}
