import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { isPlainFileName } from '../cache/safe-name.ts';
import type { TrackKind } from '../media/fragment.ts';
import type { Clock } from '../util/clock.ts';
import type { Closable } from '../util/closer.ts';
import { AppError, reasonOf } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';
import { type ArchiveEnd, type ArchiveHead, INDEX_FILE, readIndex } from './archive-index.ts';
import { completeArchive } from './archived-broadcast.ts';
import { LoadedArchives } from './loaded-archives.ts';
import type { StoredFile } from './media-file.ts';
import { Recording } from './recording.ts';
import type { RenderedPlaylist } from './rendered-playlist.ts';
import type { VodPlayback } from './vod-playback.ts';
import type { DateSpan } from './vod-row.ts';

/** Facts about a recording. */
export interface ArchiveInfo {
  /** Safe in URLs. */
  readonly id: string;
  /** `app/name`. */
  readonly broadcast: string;
  /** ISO 8601, wall clock of the first picture. */
  readonly startedAt: string;
  readonly durationMs: number;
  /** Media on disk. */
  readonly bytes: number;
  readonly renditions: readonly string[];
  /** Path of the multivariant playlist. */
  readonly playlist: string;
}

interface ArchivesOptions {
  readonly root: string;
  /** Media of all recordings; beyond it the oldest recording goes. */
  readonly maxBytes: number;
  /** How much of an index may tell of what was deleted since; default 16 MiB. */
  readonly compactBytes?: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

const COMPACT_BYTES = 16 * 1024 * 1024;

/** Folders on their way out; they can never be a recording's id. */
const DELETED_PREFIX = '.deleted-';

/** Trimming goes this share of the limit further than it must, so that it is not for each segment. */
const TRIM_SHARE = 0.02;

const MEDIA_NAME = /^(video|audio)-[\w-]+\.(m4s|mp4)$/;

/** Broadcasts that stayed: a folder for each, with an index, and the very segments that were live. They outlive the process. */
export class Archives implements Closable {
  readonly #options: ArchivesOptions;
  /** Oldest first. */
  readonly #finished = new Map<string, ArchiveInfo>();
  readonly #recordings = new Map<string, { recording: Recording; head: ArchiveHead }>();
  readonly #loaded = new LoadedArchives();
  readonly #deletions = new Set<Promise<void>>();
  #bytes = 0;

  private constructor(options: ArchivesOptions) {
    this.#options = options;
  }

  /**
   * Opens the recordings of a folder; completes what a crash cut off.
   * @throws AppError `BAD_CONFIG` if the folder cannot be used
   */
  static async open(options: ArchivesOptions): Promise<Archives> {
    const archives = new Archives(options);
    await archives.#scan();
    archives.#makeRoom();
    return archives;
  }

  /** Bytes of media of all recordings, those under way included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Finished recordings, newest first. */
  list(): ArchiveInfo[] {
    return [...this.#finished.values()].reverse();
  }

  /** A finished recording. */
  find(id: string): ArchiveInfo | undefined {
    return this.#finished.get(id);
  }

  /** Deletes a finished recording for good; false if there is none of this id. Resolves when its folder has gone. */
  async delete(id: string): Promise<boolean> {
    const info = this.#finished.get(id);
    if (info === undefined) return false;
    this.#finished.delete(id);
    this.#loaded.delete(id);
    this.#bytes -= info.bytes;
    const deletion = this.#remove(id).finally(() => this.#deletions.delete(deletion));
    this.#deletions.add(deletion);
    await deletion;
    return true;
  }

  /**
   * The multivariant playlist of a recording, or of a clip of it.
   * @throws AppError `NOT_FOUND` if there is no such recording; as `rowsWithin` does
   */
  async multivariant(id: string, span?: DateSpan): Promise<RenderedPlaylist> {
    return (await this.#load(id)).multivariant(span);
  }

  /**
   * A media playlist of a recording, or of a clip of it.
   * @throws AppError as with `multivariant`, and `NOT_FOUND` if it has no such track
   */
  async mediaPlaylist(id: string, rendition: string, track: TrackKind, span?: DateSpan): Promise<RenderedPlaylist> {
    return (await this.#load(id)).mediaPlaylist(rendition, track, span);
  }

  /** The I-frame playlist of a rendition; errors as with media playlists. */
  async iframes(id: string, rendition: string, span?: DateSpan): Promise<RenderedPlaylist> {
    return (await this.#load(id)).iframes(rendition, span);
  }

  /**
   * An init or a segment by the name that a playlist gave it.
   * @throws AppError `NOT_FOUND`
   */
  async media(id: string, rendition: string, file: string): Promise<StoredFile> {
    const [, kind] = MEDIA_NAME.exec(file) ?? [];
    if (this.#finished.has(id) && kind !== undefined && isPlainFileName(rendition)) {
      const location = path.join(this.#options.root, id, rendition, file);
      const found = await stat(location).catch(() => undefined);
      if (found?.isFile() === true) return { path: location, size: found.size, contentType: `${kind}/mp4` };
    }
    throw new AppError('NOT_FOUND', `recording ${quote(id)} has no file ${quote(file)}`);
  }

  /** Begins to record a broadcast; whoever asks for it hands it back to `finish`. */
  record(broadcast: string, format: Pick<ArchiveHead, 'targetDurationSeconds' | 'sharedAudioRendition'>): Recording {
    const { root, clock, logger, compactBytes = COMPACT_BYTES } = this.#options;
    const startedAtMs = Math.round(clock.nowMs());
    const id = this.#newId(broadcast, startedAtMs);
    const head: ArchiveHead = { type: 'head', format: 1, broadcast, startedAtMs, ...format };
    const onBytes = (bytes: number): number => {
      this.#bytes += bytes;
      return this.#makeRoom();
    };
    const recording = new Recording({ id, folder: path.join(root, id), head, logger, compactBytes, onBytes });
    this.#recordings.set(id, { recording, head });
    return recording;
  }

  /** Ends a recording and lists it; `undefined` if nothing is in it, and then nothing stays. */
  async finish(recording: Recording): Promise<ArchiveInfo | undefined> {
    const end = await recording.finish();
    const known = this.#recordings.get(recording.id);
    this.#recordings.delete(recording.id);
    if (known === undefined) return this.#finished.get(recording.id);
    if (end !== undefined) return this.#list(recording.id, known.head, end);
    this.#bytes -= recording.bytes;
    await this.#remove(recording.id);
    return undefined;
  }

  /** Finishes every recording that is still under way. */
  async close(): Promise<void> {
    await Promise.all([...this.#recordings.values()].map(({ recording }) => this.finish(recording)));
    await Promise.all(this.#deletions);
  }

  #load(id: string): Promise<VodPlayback> {
    if (this.#finished.has(id)) return this.#loaded.get(id, path.join(this.#options.root, id));
    return Promise.reject(new AppError('NOT_FOUND', `there is no recording ${quote(id)}`));
  }

  #newId(broadcast: string, startedAtMs: number): string {
    const time = new Date(startedAtMs).toISOString().replace(/[-:]|\.\d+/g, '');
    const name = broadcast
      .replace(/[^A-Za-z0-9_-]+/g, '.')
      .replace(/^\.+/, '')
      .slice(0, 120);
    const base = `${name === '' ? 'broadcast' : name}.${time}`;
    let id = base;
    for (let count = 2; this.#finished.has(id) || this.#recordings.has(id); count += 1) id = `${base}.${count}`;
    return id;
  }

  #list(id: string, { broadcast }: ArchiveHead, end: ArchiveEnd): ArchiveInfo {
    const { startMs, durationMs, bytes, renditions } = end;
    const startedAt = new Date(startMs).toISOString();
    const playlist = `/hls/${broadcast}/archives/${id}/index.m3u8`;
    const info = { id, broadcast, startedAt, durationMs, bytes, renditions, playlist };
    this.#finished.set(id, info);
    return info;
  }

  /** The oldest finished recordings go; gives what is too much without any: the one that grows has to lose its beginning. */
  #makeRoom(): number {
    const { maxBytes, logger } = this.#options;
    while (this.#bytes > maxBytes) {
      const [oldest] = this.#finished.values();
      if (oldest === undefined) break;
      logger.warn(
        { archive: oldest.id, bytes: oldest.bytes },
        'deletes the oldest recording: storage.archiveMaxMb is reached',
      );
      void this.delete(oldest.id);
    }
    return this.#bytes <= maxBytes ? 0 : this.#bytes - (1 - TRIM_SHARE) * maxBytes;
  }

  async #remove(id: string): Promise<void> {
    const { root, logger } = this.#options;
    const trash = path.join(root, `${DELETED_PREFIX}${id}`);
    try {
      await rename(path.join(root, id), trash).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      });
      await rm(trash, { recursive: true, force: true });
    } catch (error) {
      logger.warn({ archive: id, reason: reasonOf(error) }, 'the folder of a recording could not be deleted');
    }
  }

  async #scan(): Promise<void> {
    const { root, logger } = this.#options;
    const found: { id: string; head: ArchiveHead; end: ArchiveEnd }[] = [];
    try {
      await mkdir(root, { recursive: true });
      for (const id of await readdir(root)) {
        const folder = path.join(root, id);
        if (id.startsWith(DELETED_PREFIX)) await rm(folder, { recursive: true, force: true });
        else if (isPlainFileName(id)) found.push(...(await this.#open(id, folder)));
        else logger.warn({ folder }, 'is no recording; left alone');
      }
    } catch (error) {
      throw new AppError('BAD_CONFIG', `folder ${root} for recordings cannot be used: ${reasonOf(error)}`, {
        cause: error,
      });
    }
    found.sort((a, b) => a.end.startMs - b.end.startMs);
    for (const { id, head, end } of found) this.#bytes += this.#list(id, head, end).bytes;
  }

  /** A recording of an earlier run: none or one. */
  async #open(id: string, folder: string): Promise<{ id: string; head: ArchiveHead; end: ArchiveEnd }[]> {
    const { logger } = this.#options;
    try {
      const { head, end } = await readEnds(folder);
      if (head === undefined) throw new Error('it has no index');
      const complete = end ?? (await completeArchive(folder));
      if (complete !== undefined) return [{ id, head, end: complete }];
      await this.#remove(id);
    } catch (error) {
      logger.warn({ folder, reason: reasonOf(error) }, 'cannot be read as a recording; left alone');
    }
    return [];
  }
}

/** First and last line of an index. */
async function readEnds(folder: string): Promise<{ head: ArchiveHead | undefined; end: ArchiveEnd | undefined }> {
  const file = path.join(folder, INDEX_FILE);
  const { size } = await stat(file);
  let head: ArchiveHead | undefined;
  let end: ArchiveEnd | undefined;
  for await (const { line } of readIndex(file)) {
    if (line.type === 'head') head = line;
    break;
  }
  for await (const { line } of readIndex(file, Math.max(0, size - 16_384)))
    end = line.type === 'end' ? line : undefined;
  return { head, end };
}

function quote(name: string): string {
  return JSON.stringify(name.slice(0, 100));
}
