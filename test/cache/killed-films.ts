import { readFile } from 'node:fs/promises';
import type { CacheLease } from '../../src/cache/cache-lease.ts';
import type { EncodeProfile } from '../../src/cache/encode-profile.ts';
import { profile, segmentBytes } from './cache-fixture.ts';

export const FILMS = 6;
export const SEGMENTS = 12;

export function filmProfile(film: number): EncodeProfile {
  return profile({ source: `film ${film}` });
}

export function initOf(film: number): Buffer {
  return Buffer.from(`init of ${film}`);
}

/** Each has bytes and a length of its own. */
export function segmentOf(film: number, index: number): Buffer {
  return segmentBytes(index, 8_000 + 10 * film + index, `film ${film}`);
}

/** Throws unless everything that a lease has is what was encoded. Gives how many segments that were. */
export async function checkFilm(lease: CacheLease, film: number): Promise<number> {
  const present = lease.present();
  if (!(await readFile(lease.init().path)).equals(initOf(film))) throw new Error(`init of ${film} is wrong`);
  if (lease.isComplete && present.length !== SEGMENTS) throw new Error(`${film} was sealed wrongly`);
  for (const index of present) {
    const found = lease.find(index);
    if (found === undefined) continue;
    const bytes = await readFile(found.path).catch((error: unknown) => {
      // Another player may have invalidated it since; it has to be known then.
      if (lease.isGone) return undefined;
      throw error;
    });
    if (bytes === undefined) return 0;
    if (!bytes.equals(segmentOf(film, index)) || lease.durationTicks(index) !== index) {
      if (!lease.isGone) throw new Error(`segment ${index} of ${film} is wrong`);
    }
  }
  return present.length;
}
