import { open } from 'node:fs/promises';

/** Makes a file's content survive a loss of power; gives its length in bytes. */
export async function syncFile(file: string): Promise<number> {
  const handle = await open(file, 'r');
  try {
    await handle.datasync();
    return (await handle.stat()).size;
  } finally {
    await handle.close();
  }
}
