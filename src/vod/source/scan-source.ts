import { AppError } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import { avcCodecOf, copyObjection, measureCopy } from './copy-facts.ts';
import { probeFilm } from './film/probe-film.ts';
import type { MediaSource } from './media-source.ts';
import { probeMedia, type ProbedMedia, type ProbedVideo } from './probe.ts';
import { type IndexContext, readSoundEnd, readVideoIndex } from './read-index.ts';
import { planSegments, TICKS_PER_SECOND } from './segment-plan.ts';
import type { SegmentPlan, Title, VideoFacts } from './title.ts';
import type { VideoIndex } from './video-index.ts';

const PROBE_TIMEOUT_MS = { file: 10_000, http: 30_000, playlist: 30_000 } as const;

/** All that is in a source itself: without the source, and without files beside it. */
export type TitleFacts = Omit<Title, 'source'>;

/** How to look at sources. */
export interface ScanOptions {
  readonly ffprobePath: string;
  /** Wanted segment duration, ticks. */
  readonly targetTicks: number;
  readonly logger: Logger;
}

/**
 * Looks at a source: what is in it, when its frames are shown, and where its segments begin.
 * @throws AppError `BAD_MEDIA` if it cannot be played, `GONE` or `UNAVAILABLE` if it cannot be read or the signal aborts
 */
export async function scanSource(
  source: MediaSource,
  { ffprobePath, targetTicks, logger }: ScanOptions,
  signal?: AbortSignal,
): Promise<TitleFacts> {
  const input = await source.openInput();
  try {
    const timeoutMs = PROBE_TIMEOUT_MS[source.kind];
    const media =
      source.kind === 'playlist'
        ? await probeFilm(source, { ffprobePath, timeoutMs, signal })
        : await probeMedia(ffprobePath, input, timeoutMs, signal);
    const context = { source, input, ffprobePath, logger, signal };
    const { video, plan } = (await planPicture(context, media, targetTicks)) ?? {
      video: undefined,
      plan: await planSound(context, media, targetTicks),
    };
    const { format, startTicks, audio, subtitles } = media;
    const durationTicks = (plan.boundaries.at(-1) ?? 0) - (plan.boundaries[0] ?? 0);
    return { format, startTicks, durationTicks, video, audio, subtitles, plan };
  } catch (error) {
    throw error instanceof AppError && error.code === 'BAD_MEDIA' ? named(error, source) : error;
  } finally {
    input.release();
  }
}

/** The same refusal for people who do not know which source was meant, nor where ffprobe keeps things in memory. */
function named(error: AppError, { label }: MediaSource): AppError {
  const reason = error.message.replace(/\[[^\]@]{1,100} @ 0x[0-9a-f]+\] ?/g, '');
  return new AppError('BAD_MEDIA', `"${label}" cannot be played: ${reason}`, { cause: error });
}

/** `undefined` if there is no picture, or but a single one beside sound. */
async function planPicture(
  context: IndexContext,
  media: ProbedMedia,
  targetTicks: number,
): Promise<{ video: VideoFacts; plan: SegmentPlan } | undefined> {
  const { video, startTicks, declaredTicks } = media;
  if (video === undefined) return undefined;
  const index = shifted(await readVideoIndex(context, media, video), -startTicks);
  if ((index?.frames?.length ?? video.frameCount) === 1) {
    if (media.audio.length > 0) return undefined;
    throw new AppError('BAD_MEDIA', 'the source is a still picture (0 frames per second), not a film');
  }
  const firstTicks = index?.frames?.[0] ?? index?.keyframes[0] ?? video.startTicks;
  const endTicks = checkedEnd(firstTicks, index?.endTicks ?? declaredTicks);
  const config = index?.config && avcCodecOf(index.config);
  const objection =
    copyObjection(video, index) ?? (config === undefined ? 'its configuration is not known' : undefined);
  const plan = planSegments({
    ...{ firstTicks, endTicks, targetTicks },
    keyframes: index?.keyframes,
    frames: index?.frames,
    keyframesOnly: objection === undefined,
  });
  const copy =
    objection === undefined && index !== undefined && config !== undefined
      ? measureCopy(config, index, plan.boundaries)
      : undefined;
  const frameRate = video.frameRate ?? meanRate(index, endTicks - firstTicks);
  return { video: { ...factsOf(video), frameRate, copy, copyObjection: objection }, plan };
}

async function planSound(context: IndexContext, media: ProbedMedia, targetTicks: number): Promise<SegmentPlan> {
  const { audio, startTicks, declaredTicks } = media;
  const track = audio.find(({ isDefault }) => isDefault) ?? audio[0];
  if (track === undefined)
    throw new AppError('BAD_MEDIA', 'the source has neither a picture nor sound that can be played');
  const lastTicks = await readSoundEnd(context, media, track.streamIndex);
  const firstTicks = Math.max(0, track.startTicks);
  const endTicks = checkedEnd(firstTicks, lastTicks === undefined ? declaredTicks : lastTicks - startTicks);
  return planSegments({ firstTicks, endTicks, targetTicks, keyframesOnly: false });
}

function checkedEnd(firstTicks: number, endTicks: number | undefined): number {
  if (endTicks === undefined) throw new AppError('BAD_MEDIA', 'the source does not tell how long it is');
  if (endTicks > firstTicks) return endTicks;
  throw new AppError('BAD_MEDIA', `the source has no duration (${(endTicks - firstTicks) / TICKS_PER_SECOND} s)`);
}

function meanRate(index: VideoIndex | undefined, ticks: number): number {
  const frames = index?.frames?.length ?? 0;
  if (frames > 1) return (frames * TICKS_PER_SECOND) / ticks;
  throw new AppError('BAD_MEDIA', 'the picture has 0 frames per second');
}

/** The same index on a timeline that begins elsewhere. */
function shifted(index: VideoIndex | undefined, byTicks: number): VideoIndex | undefined {
  return (
    index && {
      ...index,
      keyframes: index.keyframes.map((ticks) => ticks + byTicks),
      frames: index.frames?.map((ticks) => ticks + byTicks),
      endTicks: index.endTicks === undefined ? undefined : index.endTicks + byTicks,
    }
  );
}

function factsOf({
  streamIndex,
  codec,
  width,
  height,
  isInterlaced,
  isHdr,
  bitrate,
}: ProbedVideo): Omit<VideoFacts, 'frameRate' | 'copy' | 'copyObjection'> {
  return { streamIndex, codec, width, height, isInterlaced, isHdr, bitrate };
}
