import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { DiskBudget } from '../../src/cache/disk-budget.ts';
import type { CacheLease, EntryWriter } from '../../src/cache/cache-lease.ts';
import type { EncodeProfile } from '../../src/cache/encode-profile.ts';
import { SegmentCache } from '../../src/cache/segment-cache.ts';
import { type Logger, silentLogger } from '../../src/util/logger.ts';
import { ManualClock } from '../support/manual-clock.ts';

export const MB = 1024 * 1024;

/** A profile of a film. */
export function profile(changes: Partial<EncodeProfile> = {}): EncodeProfile {
  return {
    source: '/media/film.mkv|1000|42',
    sourceLabel: 'media/film.mkv',
    quality: '480p',
    audioIndex: -1,
    encoder: 'ffmpeg 5.1.9 libx264',
    template: '-crf 23',
    ...changes,
  };
}

/** Bytes that tell which segment of what they are. */
export function segmentBytes(index: number, length = 64, of = 'film'): Buffer {
  return Buffer.alloc(length, `${of}#${index}|`);
}

type Options = Parameters<typeof SegmentCache.open>[0];

/** A folder for a cache, and caches in it, one after the other, with a clock of their own. */
export class CacheFixture {
  readonly clock = new ManualClock();
  readonly messages: string[] = [];
  readonly #open: SegmentCache[] = [];
  root = '';
  budget = new DiskBudget(100 * MB);

  readonly logger: Logger = {
    ...silentLogger,
    warn: (_, message) => void this.messages.push(`warn ${message}`),
    info: (_, message) => void this.messages.push(`info ${message}`),
  };

  get warnings(): string[] {
    return this.messages.filter((message) => message.startsWith('warn '));
  }

  async begin(): Promise<void> {
    this.messages.length = 0;
    this.root = path.join(await mkdtemp(path.join(os.tmpdir(), 'segment-cache-')), 'cache');
  }

  async end(): Promise<void> {
    for (const cache of this.#open.splice(0)) await cache.close();
    await rm(path.dirname(this.root), { recursive: true, force: true });
  }

  /** Opens the cache, with a budget of its own, as a process would. */
  async open(maxBytes = 100 * MB, options: Partial<Options> = {}): Promise<SegmentCache> {
    this.budget = new DiskBudget(maxBytes);
    const { root, budget, clock, logger } = this;
    const cache = await SegmentCache.open({ root, budget, clock, logger, ...options });
    this.#open.push(cache);
    return cache;
  }

  folder(key: string): string {
    return path.join(this.root, key);
  }
}

interface FillOptions {
  readonly indices: readonly number[];
  readonly of?: string;
  readonly length?: number;
  readonly durationTicks?: number;
}

/** Writes segments as one run that does not end. */
export async function fill(
  writer: EntryWriter,
  { indices, of = 'film', length = 64, durationTicks = 360_000 }: FillOptions,
): Promise<number> {
  const run = writer.beginRun();
  for (const index of indices) {
    await writer.write({ run, index, bytes: segmentBytes(index, length, of), durationTicks });
  }
  return run;
}

/** Makes an entry with some of its segments; the lease is still held. */
export async function makeEntry(
  cache: SegmentCache,
  {
    count,
    indices = [...Array(count).keys()],
    of = 'film',
    length,
    ...changes
  }: Partial<FillOptions> & Partial<EncodeProfile> & { count: number },
): Promise<{ lease: CacheLease; writer: EntryWriter; profile: EncodeProfile }> {
  const its = profile({ source: of, ...changes });
  const lease = await cache.create(its, count, Buffer.from(`init of ${of}`));
  const writer = lease.writer()!;
  await fill(writer, { indices, of, ...(length !== undefined && { length }) });
  return { lease, writer, profile: its };
}

/** Makes a complete entry and lets go of it. */
export async function sealEntry(
  cache: SegmentCache,
  options: Parameters<typeof makeEntry>[1],
): Promise<{ key: string; profile: EncodeProfile }> {
  const { lease, writer, profile: its } = await makeEntry(cache, options);
  if (!(await writer.seal())) throw new Error('the entry was not sealed');
  await lease.release();
  return { key: lease.key, profile: its };
}
