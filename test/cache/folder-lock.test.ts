import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FolderLock } from '../../src/cache/folder-lock.ts';

let folder: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'folder-lock-'));
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

/** Another process that tries to lock the folder; `said` is its first line. */
function holder(at = folder): { child: ChildProcess; said: Promise<string> } {
  const child = spawn(process.execPath, ['--import', 'tsx', path.join(import.meta.dirname, 'lock-holder.ts'), at], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const said = once(child.stdout, 'data').then(([data]) => String(data).trim());
  return { child, said };
}

describe('FolderLock', () => {
  it('is had by one at a time', async () => {
    const lock = await FolderLock.acquire(folder);
    await expect(FolderLock.acquire(folder)).rejects.toMatchObject({
      code: 'BAD_CONFIG',
      message: expect.stringContaining(`process ${process.pid}`) as string,
    });
    await lock.close();
    await lock.close();
    const next = await FolderLock.acquire(folder);
    await next.close();
    expect(await readdir(path.join(folder, '.lock'))).toEqual([]);
  });

  it('is one, whatever the folder is called', async () => {
    const link = path.join(folder, 'link');
    await mkdir(path.join(folder, 'data'));
    await symlink(path.join(folder, 'data'), link);
    const lock = await FolderLock.acquire(link);
    await expect(FolderLock.acquire(path.join(folder, 'data', '..', 'data'))).rejects.toThrow('in use');
    await lock.close();
  });

  it('tells who has it, and changes nothing when nobody has', async () => {
    expect(await FolderLock.inspect(path.join(folder, 'missing'))).toBeUndefined();
    expect(await FolderLock.inspect(folder)).toBeUndefined();
    expect(await readdir(folder)).toEqual([]);
    const lock = await FolderLock.acquire(folder);
    expect(await FolderLock.inspect(folder)).toEqual({ pid: process.pid });
    lock.setInfo({ pid: process.pid, httpUrl: 'http://127.0.0.1:8080' });
    expect(await FolderLock.inspect(folder)).toEqual({ pid: process.pid, httpUrl: 'http://127.0.0.1:8080' });
    await expect(FolderLock.acquire(folder)).rejects.toThrow('http://127.0.0.1:8080');
    await lock.close();
    expect(await FolderLock.inspect(folder)).toBeUndefined();
  });

  it('is not had any more by a process that was killed', async () => {
    const { child, said } = holder();
    expect(await said).toBe('held');
    expect(await FolderLock.inspect(folder)).toEqual({ pid: child.pid, httpUrl: 'http://127.0.0.1:1' });
    await expect(FolderLock.acquire(folder)).rejects.toThrow(`process ${child.pid!}`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await readdir(path.join(folder, '.lock'))).toHaveLength(1);
    expect(await FolderLock.inspect(folder)).toBeUndefined();
    const lock = await FolderLock.acquire(folder);
    expect(await readdir(path.join(folder, '.lock'))).toHaveLength(1);
    await lock.close();
  });

  it('is had by one of many processes that start over a dead one', async () => {
    const { child, said } = holder();
    await said;
    child.kill('SIGKILL');
    await once(child, 'exit');
    const answers = await Promise.all([1, 2, 3].map(() => holder().said));
    expect(answers.filter((answer) => answer === 'held').length).toBeLessThanOrEqual(1);
    expect(answers.filter((answer) => answer !== 'held')).toEqual(
      answers.filter((answer) => answer !== 'held').map(() => 'refused BAD_CONFIG'),
    );
    expect(answers).toContain('held');
  });

  it('is had by one of many that want it at the very same time, again and again', async () => {
    for (let round = 0; round < 20; round += 1) {
      const tries = await Promise.allSettled(Array.from({ length: 6 }, () => FolderLock.acquire(folder)));
      const locks = tries.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      expect(locks).toHaveLength(1);
      await locks[0]!.close();
    }
  });

  it('is not taken from a process that does not answer', async () => {
    await mkdir(path.join(folder, '.lock'));
    const silent = createServer(() => undefined);
    silent.listen(path.join(folder, '.lock', 'a'.repeat(24)));
    await once(silent, 'listening');
    await expect(FolderLock.acquire(folder)).rejects.toThrow('does not answer');
    expect(await FolderLock.inspect(folder)).toBeUndefined();
    silent.close();
  });

  it('works where paths are longer than sockets may have', async () => {
    const deep = path.join(folder, 'd'.repeat(100), 'e'.repeat(100));
    const lock = await FolderLock.acquire(deep);
    await expect(FolderLock.acquire(deep)).rejects.toThrow('in use');
    expect(await FolderLock.inspect(deep)).toEqual({ pid: process.pid });
    expect(await readdir(path.join(deep, '.lock'))).toHaveLength(1);
    await lock.close();
    expect(await readdir(path.join(deep, '.lock'))).toEqual([]);
  });

  it('clears away what processes that were killed while starting left', async () => {
    const forgotten = path.join(folder, '.lock', `${'b'.repeat(24)}.new`);
    await mkdir(path.dirname(forgotten));
    await writeFile(forgotten, '');
    await utimes(forgotten, 0, 0);
    const lock = await FolderLock.acquire(folder);
    expect((await readdir(path.dirname(forgotten))).filter((name) => name.endsWith('.new'))).toEqual([]);
    await lock.close();
  });

  it('says what is in the way', async () => {
    await writeFile(path.join(folder, 'file'), '');
    await expect(FolderLock.acquire(path.join(folder, 'file'))).rejects.toMatchObject({
      code: 'BAD_CONFIG',
      message: expect.stringContaining('file cannot be used') as string,
    });
  });
});
