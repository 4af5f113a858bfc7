import { FolderLock } from '../../src/cache/folder-lock.ts';

/** Tries to lock the folder that it is given, says how that went, and keeps running if it has the lock. */
try {
  const lock = await FolderLock.acquire(process.argv[2]!);
  lock.setInfo({ pid: process.pid, httpUrl: 'http://127.0.0.1:1' });
  process.stdout.write('held\n');
  setInterval(() => undefined, 1_000);
} catch (error) {
  process.stdout.write(`refused ${(error as { code: string }).code}\n`);
}
