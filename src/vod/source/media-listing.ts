import type { Dirent } from 'node:fs';
import fs from 'node:fs/promises';
import { AppError } from '../../util/errors.ts';
import type { MediaRoots } from './media-roots.ts';

const MAX_ENTRIES = 1_000;
/** Larger folders are looked at in part. */
const MAX_SCANNED = 20_000;
const STATS_AT_A_TIME = 32;
const MEDIA_FILE =
  /\.(3g2|3gp|aac|avi|flac|flv|m2ts|m4a|m4v|mj2|mka|mkv|mov|mp3|mp4|mpeg|mpg|mts|oga|ogg|ogv|opus|ts|vob|wav|webm)$/i;

/** One thing in a folder. */
export interface MediaEntry {
  readonly name: string;
  readonly kind: 'folder' | 'file';
  /** 0 for folders. */
  readonly sizeBytes: number;
}

/** What may be played in a folder, folders first, in natural order. */
export interface MediaListing {
  /** `ROOTNAME/path`; empty for the list of the media roots. `path/name` is the source of an entry. */
  readonly path: string;
  /** At most 1000. */
  readonly entries: readonly MediaEntry[];
  /** True if there is more than that. */
  readonly isCut: boolean;
}

/**
 * Lists folders and files with the extension of a media file; hidden ones and links that lead out of the root are left
 * out. An empty path lists the roots.
 * @throws AppError see `MediaRoots.find()`, `BAD_REQUEST` if it is no folder
 */
export async function listMedia(roots: MediaRoots, folder: string): Promise<MediaListing> {
  if (folder === '') {
    const entries = roots.roots.map(({ name }): MediaEntry => ({ name, kind: 'folder', sizeBytes: 0 }));
    return { path: '', entries: entries.sort(byKindAndName), isCut: false };
  }
  const { realPath, label } = await roots.find(folder);
  const names: Dirent[] = [];
  let scanned = 0;
  try {
    for await (const entry of await fs.opendir(realPath)) {
      if (++scanned > MAX_SCANNED) break;
      if (!entry.name.startsWith('.')) names.push(entry);
    }
  } catch (thrown) {
    const isFile = (thrown as NodeJS.ErrnoException).code === 'ENOTDIR';
    if (isFile) throw new AppError('BAD_REQUEST', `"${label}" is a file, not a folder`);
    throw new AppError('NOT_FOUND', `the folder "${label}" cannot be listed`);
  }
  const known = names.filter((entry) => entry.isDirectory() || entry.isSymbolicLink() || MEDIA_FILE.test(entry.name));
  const wanted = known.sort((one, other) => byName(one.name, other.name)).slice(0, MAX_ENTRIES + 1);
  const entries: MediaEntry[] = [];
  for (let from = 0; from < wanted.length; from += STATS_AT_A_TIME) {
    const some = wanted.slice(from, from + STATS_AT_A_TIME);
    const looked = await Promise.all(some.map((entry) => look(roots, `${label}/${entry.name}`, entry.name)));
    entries.push(...looked.filter((entry) => entry !== undefined));
  }
  return {
    path: label,
    entries: entries.sort(byKindAndName).slice(0, MAX_ENTRIES),
    isCut: scanned > MAX_SCANNED || known.length > MAX_ENTRIES,
  };
}

async function look(roots: MediaRoots, label: string, name: string): Promise<MediaEntry | undefined> {
  try {
    const stats = await fs.stat((await roots.find(label)).realPath);
    if (stats.isDirectory()) return { name, kind: 'folder', sizeBytes: 0 };
    return stats.isFile() && MEDIA_FILE.test(name) ? { name, kind: 'file', sizeBytes: stats.size } : undefined;
  } catch {
    return undefined;
  }
}

const { compare: byName } = new Intl.Collator('en', { numeric: true });

function byKindAndName(one: MediaEntry, other: MediaEntry): number {
  return one.kind === other.kind ? byName(one.name, other.name) : one.kind === 'folder' ? -1 : 1;
}
