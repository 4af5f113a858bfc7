import { execFileSync } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runFfprobe } from '../../../src/ffmpeg/ffprobe.ts';
import { runFfmpegOnce } from '../../../src/ffmpeg/one-shot.ts';
import type { MediaSource } from '../../../src/vod/source/media-source.ts';
import { SourceResolver } from '../../../src/vod/source/source-resolver.ts';

const BOUNDS = { timeoutMs: 10_000, maxOutputBytes: 1_000_000 };

let base: string;
let film: string;
let sound: Buffer;
let resolver: SourceResolver;
beforeAll(async () => {
  base = await fs.realpath(await fs.mkdtemp(path.join(os.tmpdir(), 'laddercast-local-')));
  film = path.join(base, 'made.wav');
  execFileSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'sine=duration=0.5:sample_rate=8000', film]);
  sound = await fs.readFile(film);
});
afterAll(() => fs.rm(base, { recursive: true }));

let root: string;
beforeEach(async () => {
  root = await fs.mkdtemp(path.join(base, 'root-'));
  resolver = new SourceResolver({ mediaRoots: [root] });
});
afterEach(() => fs.rm(root, { recursive: true }));

async function place(name: string): Promise<MediaSource> {
  await fs.copyFile(film, path.join(root, name));
  return resolver.resolve(path.join(root, name));
}

describe('LocalSource', () => {
  it.each([
    'with a space.wav',
    'two  spaces and more.wav',
    '-i.wav',
    '-',
    `quo'te"s.wav`,
    'new\nline.wav',
    'carriage\rreturn\ttab.wav',
    'Ünïcødé 映画 🎬.wav',
    '%03d $(touch x) `y` ${z} *.wav',
    '#?&=;|<>!.wav',
    'back\\slash.wav',
    'Part 2: The Return.wav',
    'http:wav',
    'concat:a|b.wav',
    "[link']",
    'no extension',
    'playlist.m3u8',
  ])('lets ffprobe and ffmpeg read a file called %j', async (name) => {
    const source = await place(name);
    const input = await source.openInput();
    const shown = ['-show_entries', 'format=duration', '-of', 'csv=p=0'];
    const probed = await runFfprobe({ ...BOUNDS, binaryPath: 'ffprobe', args: shown, input });
    expect(probed.toString()).toBe('0.500000\n');
    const commandLine = { input: ['-loglevel', 'error'], output: ['-f', 's16le'] };
    const decoded = await runFfmpegOnce({
      ...BOUNDS,
      binaryPath: 'ffmpeg',
      commandLine,
      input: undefined,
      source: input,
    });
    expect(decoded).toHaveLength(8_000);
    input.release();
    expect(await fs.readdir(root)).toEqual([name]);
  });

  it('gives its bytes, and none beyond the end', async () => {
    const bytes = await (await place('a.wav')).openBytes();
    expect(bytes.sizeBytes).toBe(sound.length);
    expect(await bytes.read(0, 4)).toEqual(sound.subarray(0, 4));
    expect(await bytes.read(100, 1_000_000)).toEqual(sound.subarray(100));
    expect(await bytes.read(sound.length, 10)).toHaveLength(0);
    expect(await bytes.read(sound.length + 10, 10)).toHaveLength(0);
    await expect(bytes.read(0, 1, AbortSignal.abort())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await bytes.close();
    await bytes.close();
  });

  it.each<[string, (file: string) => Promise<unknown>]>([
    ['gone', (file) => fs.rm(file)],
    ['longer', (file) => fs.appendFile(file, 'x')],
    ['of another time', (file) => fs.utimes(file, 1, 1)],
    ['a folder', (file) => fs.rm(file).then(() => fs.mkdir(file))],
    ['a pipe', (file) => fs.rm(file).then(() => execFileSync('mkfifo', [file]))],
    ['a link', (file) => fs.rename(file, `${file}.moved`).then(() => fs.symlink(`${file}.moved`, file))],
  ])('is opened no more once it is %s', async (_what, change) => {
    const source = await place('a.wav');
    await change(path.join(root, 'a.wav'));
    await expect(source.openInput()).rejects.toMatchObject({ code: 'GONE' });
    await expect(source.openBytes()).rejects.toMatchObject({ code: 'GONE' });
  });

  it('is opened no more once a folder above it leads elsewhere', async () => {
    await fs.mkdir(path.join(root, 'folder'));
    const source = await place('folder/a.wav');
    await fs.rename(path.join(root, 'folder'), path.join(base, 'elsewhere'));
    await fs.symlink(path.join(base, 'elsewhere'), path.join(root, 'folder'));
    await expect(source.openInput()).rejects.toMatchObject({ code: 'GONE' });
  });

  it('says that it has changed while it is read', async () => {
    const bytes = await (await place('a.wav')).openBytes();
    await bytes.read(0, 10);
    await fs.truncate(path.join(root, 'a.wav'), 20);
    await expect(bytes.read(0, 10)).rejects.toMatchObject({ code: 'BAD_MEDIA' });
    await expect(bytes.read(10, 100)).rejects.toThrow(/changed/);
    await bytes.close();
  });
});
