import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { AppError, reasonOf } from '../../util/errors.ts';

/** Far more than the subtitles of any film. */
const MAX_BYTES = 16 * 1024 * 1024;
/** What Windows-1252 has from 0x80 to 0x9f, in place of control characters; five are not in use. */
const WINDOWS_1252 = '€\uFFFD‚ƒ„…†‡ˆ‰Š‹Œ\uFFFDŽ\uFFFD\uFFFD‘’“”•–—˜™š›œ\uFFFDžŸ';

/**
 * Reads a subtitle file beside a film as text: UTF-8 or UTF-16 (with a byte order mark), else Windows-1252.
 * @throws AppError `BAD_MEDIA` if it cannot be read, is no regular file, or is larger than 16 MiB
 */
export async function readSidecarFile(realPath: string): Promise<string> {
  return decodeText(await readBytes(realPath));
}

async function readBytes(realPath: string): Promise<Buffer> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(realPath, flags).catch((thrown: unknown) => {
    throw new AppError('BAD_MEDIA', `the subtitle file cannot be read: ${codeOf(thrown)}`);
  });
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new AppError('BAD_MEDIA', 'the subtitle file is no regular file');
    if (stat.size > MAX_BYTES) {
      throw new AppError('BAD_MEDIA', `the subtitle file has ${stat.size} bytes; at most ${MAX_BYTES} are read`);
    }
    const bytes = Buffer.alloc(stat.size);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Turns bytes into text, by their byte order mark, or by whether they are UTF-8. */
function decodeText(bytes: Buffer): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return bytes.toString('latin1').replace(/[\u0080-\u009f]/g, windowsChar);
  }
}

/** The decoder of Node.js 20 takes Windows-1252 for Latin-1. */
function windowsChar(char: string): string {
  return WINDOWS_1252.charAt(char.charCodeAt(0) - 0x80);
}

/** A system's message would name the path. */
function codeOf(thrown: unknown): string {
  return (thrown as NodeJS.ErrnoException).code ?? reasonOf(thrown);
}
