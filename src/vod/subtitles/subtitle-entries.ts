import { readFile, stat } from 'node:fs/promises';
import type { CacheLease } from '../../cache/cache-lease.ts';
import { type EncodeProfile, sha256 } from '../../cache/encode-profile.ts';
import type { FfmpegBinary } from '../../ffmpeg/ffmpeg-binary.ts';
import type { Title } from '../source/title.ts';
import type { Cue } from './cue.ts';
import { readWebVtt } from './webvtt-reader.ts';
import { writeWebVtt } from './webvtt-writer.ts';

/** What cues are made of has changed with each number. */
const FORMAT_VERSION = 1;

/** The part of the segment cache that keeps subtitles. */
export interface SubtitleCache {
  acquire(profile: EncodeProfile, segmentCount: number): Promise<CacheLease | undefined>;
  create(profile: EncodeProfile, segmentCount: number, init: Buffer): Promise<CacheLease>;
  invalidate(key: string, reason: string): Promise<void>;
}

/** Cues of several tracks, and the right to find them in the cache as long as they are used. */
export interface CachedTracks {
  readonly lease: CacheLease;
  readonly tracks: readonly (readonly Cue[])[];
}

/** Keeps the text subtitles of a title as one entry of the segment cache: a list of checksums, and one file a track. */
export class SubtitleEntries {
  readonly #cache: SubtitleCache;
  readonly #binary: FfmpegBinary;

  constructor({ cache, binary }: { cache: SubtitleCache; binary: FfmpegBinary }) {
    this.#cache = cache;
    this.#binary = binary;
  }

  /**
   * The wanted tracks, in this order; `undefined` if they are not there whole. Whoever gets them releases the lease.
   * @param tracks indexes in `Title.subtitles`
   */
  async find(title: Title, tracks: readonly number[]): Promise<CachedTracks | undefined> {
    const lease = await this.#cache.acquire(await this.#profile(title, tracks), tracks.length);
    if (lease === undefined) return undefined;
    try {
      const texts = lease.isComplete ? await readTracks(lease) : undefined;
      if (texts !== undefined) return { lease, tracks: texts.map((text) => readWebVtt(text.toString())) };
      if (lease.isComplete) await this.#cache.invalidate(lease.key, 'its subtitles are not what was written');
    } catch (thrown) {
      await lease.release();
      throw thrown;
    }
    await lease.release();
    return undefined;
  }

  /**
   * Keeps tracks. Whoever gets the lease releases it.
   * @throws AppError `UNAVAILABLE` if the cache has no room
   */
  async add(title: Title, tracks: readonly number[], cues: readonly (readonly Cue[])[]): Promise<CacheLease> {
    const files = cues.map((track) => writeWebVtt(track));
    const profile = await this.#profile(title, tracks);
    const list = Buffer.from(JSON.stringify({ tracks: files.map((bytes) => sha256(bytes)) }));
    const lease = await this.#cache.create(profile, tracks.length, list);
    try {
      const writer = lease.writer();
      if (writer !== undefined) {
        const run = writer.beginRun();
        for (const [index, bytes] of files.entries()) {
          await writer.write({ run, index, bytes, durationTicks: title.durationTicks });
        }
        await writer.endRun(run);
        await writer.seal();
        await writer.release();
      }
      return lease;
    } catch (thrown) {
      await lease.release();
      throw thrown;
    }
  }

  async #profile(title: Title, tracks: readonly number[]): Promise<EncodeProfile> {
    const { source, startTicks } = title;
    const made = await Promise.all(tracks.map((track) => origin(title, track)));
    return {
      format: 'subtitles',
      source: source.identity,
      ...(source.path !== undefined && { place: source.path }),
      sourceLabel: source.label,
      quality: 'subtitles',
      audioIndex: -1,
      encoder: `ffmpeg ${this.#binary.version}`,
      template: JSON.stringify([FORMAT_VERSION, startTicks, made]),
    };
  }
}

/** What a track is made of; a file beside the film may change while the film does not. */
async function origin({ subtitles }: Title, track: number): Promise<unknown> {
  const { streamIndex, codec, sidecarPath } = subtitles[track] ?? {};
  if (sidecarPath === undefined) return [streamIndex, codec];
  const facts = await stat(sidecarPath).catch(() => undefined);
  return [sidecarPath, codec, facts?.size, facts?.mtimeMs];
}

/** `undefined` if a file is missing, or not what was written. */
async function readTracks(lease: CacheLease): Promise<Buffer[] | undefined> {
  try {
    const { tracks: sums } = JSON.parse(await readFile(lease.init().path, 'utf8')) as { tracks: string[] };
    return await Promise.all(
      sums.map(async (sum, index) => {
        const bytes = await readFile(lease.find(index)?.path ?? '');
        if (sha256(bytes) !== sum) throw new Error('not what was written');
        return bytes;
      }),
    );
  } catch {
    return undefined;
  }
}
