import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DiskBudget } from '../../src/cache/disk-budget.ts';
import { SegmentCache } from '../../src/cache/segment-cache.ts';
import type { MediaFile } from '../../src/hls/media-file.ts';
import { systemClock } from '../../src/util/clock.ts';
import type { Closable } from '../../src/util/closer.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { RenditionPool } from '../../src/vod/play/rendition-pool.ts';
import type { Title } from '../../src/vod/source/title.ts';
import type { VodRendition } from '../../src/vod/vod-rendition.ts';
import { cheapRung, testBinary, videoOf } from './vod-heads.ts';
import { titleOf } from './vod-title.ts';

/** A film that can be played without a server: a real cache, real encoders. */
export interface FilmPlayer extends Closable {
  /** Its segments are of 2 s. */
  readonly title: Title;
  /** The same picture at several heights. */
  readonly renditions: readonly VodRendition[];
  readonly cache: SegmentCache;
  readonly pool: RenditionPool;
}

interface PlayerOptions {
  /** Holds the cache, and what is known of the film. */
  readonly folder: string;
  readonly film: string;
  readonly maxEncoders?: number;
  readonly aheadSegments?: number;
}

const HEIGHTS = [90, 80, 72, 64];

/** Opens a film. */
export async function openPlayer(options: PlayerOptions): Promise<FilmPlayer> {
  const { folder, film, maxEncoders = 2, aheadSegments = 2 } = options;
  const [clock, logger] = [systemClock, silentLogger];
  const budget = await DiskBudget.open({ folder, size: 1 });
  const cache = await SegmentCache.open({ root: path.join(folder, 'cache'), budget, clock, logger });
  const pool = new RenditionPool({ cache, binary: testBinary, maxEncoders, aheadSegments, clock, logger });
  const title = await readTitle(folder, film);
  return {
    ...{ title, cache, pool },
    renditions: HEIGHTS.map((height) => videoOf(title, cheapRung({ name: `${height}p`, height }))),
    close: async () => {
      await pool.close();
      await cache.close();
    },
  };
}

/** The bytes of what was served. */
export async function bytesOf(file: MediaFile): Promise<Buffer> {
  return 'bytes' in file ? file.bytes : await readFile(file.path);
}

async function readTitle(folder: string, film: string): Promise<Title> {
  const notes = path.join(folder, 'title.json');
  const noted = await readFile(notes, 'utf8').catch(() => undefined);
  if (noted === undefined) {
    const title = await titleOf(film);
    await writeFile(notes, JSON.stringify(title));
    return title;
  }
  const { source, ...facts } = JSON.parse(noted) as Title;
  return {
    ...facts,
    source: {
      ...source,
      openInput: () => Promise.resolve({ url: `file:${film}`, options: [], release: () => undefined }),
      openBytes: () => Promise.reject(new Error('not needed')),
    },
  };
}
