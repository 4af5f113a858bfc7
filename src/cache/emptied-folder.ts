import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';

/**
 * Makes a folder, empty whatever was in it. What was there is moved out of the way at once and deleted meanwhile: tells how
 * many files and folders that were, and when they are gone (never rejects).
 * @throws Error of the file system if it cannot be made or emptied
 */
export async function emptiedFolder(folder: string): Promise<{ cleared: number; gone: Promise<void> }> {
  const trash = `${folder}.old`;
  await rm(trash, { recursive: true, force: true });
  await mkdir(path.dirname(folder), { recursive: true });
  await rename(folder, trash).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  });
  await mkdir(folder);
  const left = await readdir(trash).catch(() => []);
  return { cleared: left.length, gone: rm(trash, { recursive: true, force: true }).catch(() => undefined) };
}
