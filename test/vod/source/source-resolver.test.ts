import { execFileSync } from 'node:child_process';
import fs from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AppError } from '../../../src/util/errors.ts';
import { SourceResolver } from '../../../src/vod/source/source-resolver.ts';

let base: string;
let films: string;
let resolver: SourceResolver;
let socket: net.Server;

beforeAll(async () => {
  base = await fs.realpath(await fs.mkdtemp(path.join(os.tmpdir(), 'laddercast-sources-')));
  films = path.join(base, 'films');
  const [more, outside, linked] = ['more/films', 'outside', 'linked-root'].map((name) => path.join(base, name)) as [
    string,
    string,
    string,
  ];
  await fs.mkdir(path.join(films, 'season 2'), { recursive: true });
  await fs.mkdir(more, { recursive: true });
  await fs.mkdir(outside);
  const write = (name: string, text = 'film'): Promise<void> => fs.writeFile(path.join(base, name), text);
  for (const name of [
    'films/a.mp4',
    'films/season 2/b.mkv',
    'films/.hidden.mp4',
    'films/notes.txt',
    'more/films/c.mp4',
  ]) {
    await write(name);
  }
  for (const name of ['more/films/a.mp4', 'outside/secret.mp4']) await write(name, 'another film');
  await write('films/empty.mp4', '');
  await write('films/locked.mp4');
  await fs.chmod(path.join(films, 'locked.mp4'), 0);
  for (const number of [10, 9, 1]) await write(`films/season 2/Part ${number}.mp4`);
  execFileSync('mkfifo', [path.join(films, 'pipe.mp4')]);
  socket = net.createServer().listen(path.join(films, 'socket.mp4'));
  await fs.symlink(outside, path.join(films, 'out'));
  await fs.symlink(path.join(outside, 'secret.mp4'), path.join(films, 'out.mp4'));
  await fs.symlink('../films/a.mp4', path.join(films, 'inside.mp4'));
  await fs.symlink(path.join(films, 'loop.mp4'), path.join(films, 'loop.mp4'));
  await fs.symlink(path.join(base, 'nowhere'), path.join(films, 'dangling.mp4'));
  await fs.symlink('/dev/zero', path.join(films, 'zero.mp4'));
  await fs.symlink(films, linked);
  resolver = new SourceResolver({
    mediaRoots: [films, more, linked, path.join(base, 'unmounted'), '/dev/shm', '/dev'],
  });
});
afterAll(async () => {
  socket.close();
  await fs.rm(base, { recursive: true });
});

describe('SourceResolver', () => {
  it.each([
    ['a relative path', () => 'a.mp4', 'films/a.mp4'],
    ['a path below a root named by its name', () => 'films/season 2/b.mkv', 'films/season 2/b.mkv'],
    ['an absolute path', () => path.join(films, 'a.mp4'), 'films/a.mp4'],
    ['a path with needless parts', () => './films//season 2/./b.mkv', 'films/season 2/b.mkv'],
    ['a file that only the second root has', () => 'c.mp4', 'films-2/c.mp4'],
    ['the second of two roots of one name', () => 'films-2/a.mp4', 'films-2/a.mp4'],
    ['a link that stays inside', () => 'inside.mp4', 'films/inside.mp4'],
    ['a root that is a link', () => 'linked-root/a.mp4', 'linked-root/a.mp4'],
    ['an absolute path below a root that is a link', () => path.join(base, 'linked-root/a.mp4'), 'linked-root/a.mp4'],
  ])('finds %s', async (_what, name, label) => {
    const source = await resolver.resolve(name());
    expect(source).toMatchObject({ kind: 'file', label });
    expect(await fs.realpath(source.path!)).toBe(source.path);
    // What a source is called is itself the name of the source.
    expect((await resolver.resolve(source.label)).identity).toBe(source.identity);
  });

  it('takes one file for the same however it is named, and another for another', async () => {
    const identities = async (...names: string[]): Promise<number> =>
      new Set(await Promise.all(names.map(async (name) => (await resolver.resolve(name)).identity))).size;
    expect(await identities('a.mp4', 'films/a.mp4', 'inside.mp4', 'linked-root/a.mp4', path.join(films, 'a.mp4'))).toBe(
      1,
    );
    expect(await identities('a.mp4', 'films-2/a.mp4', 'c.mp4')).toBe(3);
  });

  it('takes a file of another size or modification time for another', async () => {
    const file = path.join(films, 'changing.mp4');
    await fs.writeFile(file, 'one');
    await fs.utimes(file, 1_000, 1_000);
    const { identity } = await resolver.resolve('changing.mp4');
    expect((await resolver.resolve('changing.mp4')).identity).toBe(identity);
    await fs.utimes(file, 1_000, 1_000.001);
    expect((await resolver.resolve('changing.mp4')).identity).not.toBe(identity);
    await fs.writeFile(file, 'three');
    await fs.utimes(file, 1_000, 1_000);
    expect((await resolver.resolve('changing.mp4')).identity).not.toBe(identity);
    await fs.rm(file);
  });

  it.each([
    ['BAD_MEDIA', /is empty/, 'empty.mp4'],
    ['BAD_MEDIA', /is a folder/, 'season 2'],
    ['BAD_MEDIA', /is a folder/, 'films'],
    ['BAD_MEDIA', /is a folder/, '.'],
    ['BAD_MEDIA', /is a named pipe/, 'pipe.mp4'],
    ['BAD_MEDIA', /is a socket/, 'socket.mp4'],
    ['BAD_MEDIA', /is a device/, 'dev/zero'],
    ['NOT_FOUND', /there is no/, 'missing.mp4'],
    ['NOT_FOUND', /there is no/, 'a.mp4/x'],
    ['NOT_FOUND', /there is no/, 'unmounted/a.mp4'],
    ['NOT_FOUND', /there is no/, 'loop.mp4'],
    ['NOT_FOUND', /there is no/, '-i'],
    ['BAD_REQUEST', /is empty/, ''],
    ['BAD_REQUEST', /NUL/, 'a.mp4\0.txt'],
    ['BAD_REQUEST', /4097 characters/, 'x'.repeat(4_097)],
  ])('says %s %s for %j', async (code, message, name) => {
    const refused = resolver.resolve(name);
    await expect(refused).rejects.toMatchObject({ code });
    await expect(refused).rejects.toThrow(message);
  });

  it.each([
    'concat:a.mp4|b.mp4',
    'file:/etc/passwd',
    'FILE:a.mp4',
    'gopher://127.0.0.1/x',
    'data:video/mp4;base64,AAAA',
  ])('does not take the protocol of %s', async (name) => {
    await expect(resolver.resolve(name)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });

  it.each([
    'subfile,,start,0,end,0,,:/etc/passwd',
    'crypto+http://127.0.0.1/',
    'async:a.mp4',
    'pipe:0',
    'ftp://h/x',
    'rtsp://h/',
  ])('takes no other protocol of ffmpeg: %s', async (name) => {
    await expect(resolver.resolve(name)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });

  it('says the same of what exists outside the roots and of what does not', async () => {
    const answer = async (name: string): Promise<string> =>
      resolver.resolve(name).then(
        () => 'found',
        (thrown: unknown) => {
          const { code, message } = thrown as AppError;
          return `${code} ${message.replaceAll(name, 'X')}`;
        },
      );
    const pairs = [
      ['/etc/passwd', '/etc/passwd-not-there'],
      [path.join(base, 'outside/secret.mp4'), path.join(base, 'outside/nothing.mp4')],
      [`${films}2/a.mp4`, `${films}3/a.mp4`],
      ['../outside/secret.mp4', '../outside/nothing.mp4'],
      ['films/../../outside/secret.mp4', 'films/../../outside/nothing.mp4'],
      ['..\\outside\\secret.mp4', '..\\outside\\nothing.mp4'],
      [path.join(films, 'out/secret.mp4'), path.join(films, 'out/nothing.mp4')],
      ['out/secret.mp4', 'out/nothing.mp4'],
      ['out.mp4', 'dangling.mp4'],
    ] as const;
    for (const [existing, missing] of pairs) {
      const said = await answer(existing);
      expect(said, existing).toMatch(/^(FORBIDDEN|NOT_FOUND) /);
      expect(said).toBe(await answer(missing));
    }
  });

  it('plays no local file without roots, and no remote one without a way to it', async () => {
    const bare = new SourceResolver({ mediaRoots: [] });
    await expect(bare.resolve(path.join(films, 'a.mp4'))).rejects.toThrow(/mediaRoots/);
    await expect(bare.resolve('https://films.example/a.mp4')).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await bare.browse()).toEqual({ path: '', entries: [], isCut: false });
  });

  it.skipIf(process.getuid?.() === 0)('finds no file that the system keeps from it', async () => {
    await expect(resolver.resolve('locked.mp4')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('SourceResolver.browse', () => {
  it('lists the roots', async () => {
    const { path: listed, entries } = await resolver.browse();
    expect(listed).toBe('');
    expect(entries.map(({ name }) => name)).toEqual(['dev', 'films', 'films-2', 'linked-root', 'shm', 'unmounted']);
  });

  it('lists folders and media files, folders first, in natural order, and nothing hidden or outside', async () => {
    const { path: listed, entries, isCut } = await resolver.browse('films/');
    expect({ listed, isCut }).toEqual({ listed: 'films', isCut: false });
    expect(entries.filter(({ name }) => name !== 'locked.mp4')).toEqual([
      { name: 'season 2', kind: 'folder', sizeBytes: 0 },
      { name: 'a.mp4', kind: 'file', sizeBytes: 4 },
      { name: 'empty.mp4', kind: 'file', sizeBytes: 0 },
      { name: 'inside.mp4', kind: 'file', sizeBytes: 4 },
    ]);
    const season = await resolver.browse('films/season 2');
    expect(season.entries.map(({ name }) => name)).toEqual(['b.mkv', 'Part 1.mp4', 'Part 9.mp4', 'Part 10.mp4']);
    expect((await resolver.resolve(`${season.path}/${season.entries[1]!.name}`)).label).toBe(
      'films/season 2/Part 1.mp4',
    );
  });

  it('lists at most a thousand things and says that there is more', async () => {
    const folder = path.join(films, 'many');
    await fs.mkdir(folder);
    for (let number = 0; number < 1_001; number++) await fs.writeFile(path.join(folder, `${number}.mp4`), '');
    const { entries, isCut } = await resolver.browse('films/many');
    expect([entries.length, entries.at(-1)?.name, isCut]).toEqual([1_000, '999.mp4', true]);
    await fs.rm(path.join(folder, '7.mp4'));
    expect(await resolver.browse('films/many')).toMatchObject({ isCut: false });
    await fs.rm(folder, { recursive: true });
  });

  it.each([
    ['FORBIDDEN', '/etc'],
    ['FORBIDDEN', 'films/..'],
    ['NOT_FOUND', 'films/out'],
    ['NOT_FOUND', 'films/nothing'],
    ['BAD_REQUEST', 'films/a.mp4'],
    ['BAD_REQUEST', 'films\0'],
  ])('says %s for %j', async (code, name) => {
    await expect(resolver.browse(name)).rejects.toMatchObject({ code });
  });
});
