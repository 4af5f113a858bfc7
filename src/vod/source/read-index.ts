import { runFfprobe } from '../../ffmpeg/ffprobe.ts';
import { AppError, reasonOf } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import { formatObjection } from './copy-facts.ts';
import { EncryptedMediaError } from './encrypted-media.ts';
import { readMatroskaIndex } from './matroska-index.ts';
import type { FfmpegInput, MediaSource } from './media-source.ts';
import { readMp4Index } from './mp4-index.ts';
import { type PacketPass, readEndTicks, readPacketIndex } from './packet-pass.ts';
import type { ProbedMedia, ProbedVideo } from './probe.ts';
import { ProbeFields } from './probe-fields.ts';
import type { VideoIndex } from './video-index.ts';
import { TICKS_PER_SECOND } from './segment-plan.ts';

/** A source whose packets take longer to read is planned without an index. */
const PASS_TIMEOUT_MS = 120_000;
const CONFIG_TIMEOUT_MS = 10_000;
const MAX_CONFIG_OUTPUT = 1024 * 1024;
/** How much of a source without sample tables is looked at to see what its groups of pictures are like. */
const SAMPLE_SECONDS = { file: 60, http: 10 } as const;

/** What reading an index needs. */
export interface IndexContext {
  readonly source: MediaSource;
  /** Of that source; stays the caller's. */
  readonly input: FfmpegInput;
  readonly ffprobePath: string;
  readonly logger: Logger;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Finds out when the frames of a picture are shown: from the container's tables if it has some, else from all packets of a
 * file; `undefined` if neither can be had, as with playlists.
 * @throws EncryptedMediaError, AppError `GONE` or `UNAVAILABLE` if the source cannot be read
 */
export async function readVideoIndex(
  context: IndexContext,
  media: ProbedMedia,
  video: ProbedVideo,
): Promise<VideoIndex | undefined> {
  const { kind } = context.source;
  if (kind === 'playlist') return undefined;
  const tables = await orNothing(context, 'its tables', () => readTables(context, media, video));
  const isLocal = kind === 'file';
  if (tables?.isClosed !== undefined) return tables;
  const pass = passOf(context, video.streamIndex);
  if (tables !== undefined) {
    const [endTicks, sample] = await Promise.all([
      isLocal ? orNothing(context, 'its end', () => endOf(pass, tables)) : declaredEnd(media),
      sampleOf(context, video, SAMPLE_SECONDS[kind]),
    ]);
    const { isClosed, reorderTicks } = sample ?? {};
    const index = { ...tables, endTicks, isClosed, reorderTicks };
    // Frames that nothing but tables tell of may not be there.
    if (endTicks !== undefined) return withFirst(index, media.startTicks + video.startTicks);
  }
  if (!isLocal) return undefined;
  return orNothing(context, 'its packets', async () => {
    const index = await readPacketIndex(pass);
    if (index === undefined || formatObjection(video) !== undefined) return index;
    return { ...index, config: await readConfig(pass) };
  });
}

/**
 * When the last packet of a file's sound ends, ticks of the source's own timeline; `undefined` if that cannot be told. Errors
 * as with `readVideoIndex`.
 */
export async function readSoundEnd(
  context: IndexContext,
  media: ProbedMedia,
  streamIndex: number,
): Promise<number | undefined> {
  const { kind } = context.source;
  if (kind === 'playlist') return undefined;
  await orNothing(context, 'its tables', () => readTables(context, media, undefined));
  if (kind !== 'file') return undefined;
  return orNothing(context, 'its packets', () => readEndTicks(passOf(context, streamIndex)));
}

function passOf({ ffprobePath, input, signal }: IndexContext, streamIndex: number): PacketPass {
  return { binaryPath: ffprobePath, input, streamIndex, timeoutMs: PASS_TIMEOUT_MS, signal };
}

/** What the container's own tables tell of a picture; without one, only whether all tracks can be decoded is looked at. */
async function readTables(
  { source, signal }: IndexContext,
  { format }: ProbedMedia,
  video: ProbedVideo | undefined,
): Promise<VideoIndex | undefined> {
  const names = format.split(',');
  const isMp4 = names.includes('mp4');
  if (!isMp4 && !names.includes('matroska')) return undefined;
  const bytes = await source.openBytes();
  try {
    if (isMp4) return await readMp4Index(bytes, video?.trackId, signal);
    return await readMatroskaIndex(bytes, video?.ordinal, signal);
  } finally {
    await bytes.close();
  }
}

function endOf(pass: PacketPass, { keyframes }: VideoIndex): Promise<number | undefined> {
  return readEndTicks({ ...pass, fromSeconds: (keyframes.at(-1) ?? 0) / TICKS_PER_SECOND });
}

function declaredEnd({ startTicks, declaredTicks }: ProbedMedia): number | undefined {
  return declaredTicks === undefined ? undefined : startTicks + declaredTicks;
}

/** Tables may leave out the first frame, which always is a keyframe. */
function withFirst(tables: VideoIndex, firstTicks: number): VideoIndex {
  const { keyframes, gopBytes } = tables;
  if (firstTicks >= (keyframes[0] ?? firstTicks)) return tables;
  return {
    ...tables,
    keyframes: Float64Array.of(firstTicks, ...keyframes),
    gopBytes: Float64Array.of(gopBytes[0] ?? 0, ...gopBytes),
  };
}

/** What the first packets are like, if that decides anything. */
function sampleOf(context: IndexContext, video: ProbedVideo, firstSeconds: number): Promise<VideoIndex | undefined> {
  if (formatObjection(video) !== undefined) return Promise.resolve(undefined);
  const pass = { ...passOf(context, video.streamIndex), firstSeconds };
  return orNothing(context, 'its first packets', () => readPacketIndex(pass));
}

/** The decoder's configuration as ffprobe finds it. */
async function readConfig({ binaryPath, input, streamIndex, signal }: PacketPass): Promise<Buffer | undefined> {
  const output = await runFfprobe({
    binaryPath,
    input,
    args: ['-select_streams', String(streamIndex), '-show_data', '-show_entries', 'stream=extradata', '-of', 'json'],
    timeoutMs: CONFIG_TIMEOUT_MS,
    maxOutputBytes: MAX_CONFIG_OUTPUT,
    signal,
  });
  const dump = ProbeFields.parse(output).children('streams')[0]?.longText('extradata');
  // Each line is an offset of ten characters, up to 41 of bytes, and then the same as text.
  const lines = dump?.split('\n') ?? [];
  return Buffer.from(lines.map((line) => line.slice(10, 51).replaceAll(' ', '')).join(''), 'hex');
}

/** What was read, or nothing if what was read makes no sense. */
async function orNothing<T>(
  { source, logger, signal }: IndexContext,
  what: string,
  read: () => Promise<T | undefined>,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (signal?.aborted === true || !(error instanceof AppError) || error instanceof EncryptedMediaError) throw error;
    if (error.code !== 'BAD_MEDIA') throw error;
    logger.warn({ source: source.label, what, reason: reasonOf(error) }, 'index of a source not readable');
    return undefined;
  }
}
