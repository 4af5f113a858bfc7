import type { AppError } from '../../../util/errors.ts';
import type { FfmpegInput, InputPlace, MediaSource } from '../media-source.ts';
import { type PacketPass, readEndTicks } from '../packet-pass.ts';
import { probeMedia, type ProbedMedia } from '../probe.ts';

/** Where the end is looked for if the last segment holds nothing of a track. */
const FURTHER_SEGMENTS = 3;

/** How a film is looked at. */
export interface FilmProbe {
  readonly ffprobePath: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Finds out what is in a playlist, whose sound may lie apart, and when it really ends: it is read at its beginning and at its
 * end. Subtitles inside are left out.
 * @throws AppError `BAD_MEDIA` if nothing in it can be played, `UNAVAILABLE` if it cannot be read
 */
export async function probeFilm(source: MediaSource, probe: FilmProbe): Promise<ProbedMedia> {
  const look = (track: 'video' | 'audio'): Promise<ProbedMedia> =>
    within(source, { track }, (input) => probeMedia(probe.ffprobePath, input, probe.timeoutMs, probe.signal));
  const [media, apart] = await Promise.all([look('video'), source.hasSoundApart === true ? look('audio') : undefined]);
  const shift = (apart?.startTicks ?? 0) - media.startTicks;
  const audio = apart?.audio.map((track) => ({ ...track, startTicks: track.startTicks + shift })) ?? media.audio;
  const [track, streamIndex] =
    media.video !== undefined
      ? (['video', media.video.streamIndex] as const)
      : (['audio', audio[0]?.streamIndex ?? 0] as const);
  const { ffprobePath: binaryPath, timeoutMs, signal } = probe;
  const endIn = (lastSegments: number): Promise<number | undefined> =>
    within(source, { track, from: { lastSegments } }, (input) => {
      const pass: PacketPass = { binaryPath, input, streamIndex, timeoutMs, signal };
      return readEndTicks(pass);
    });
  const endTicks = (await endIn(1)) ?? (await endIn(FURTHER_SEGMENTS));
  const declaredTicks = endTicks === undefined ? undefined : endTicks - media.startTicks;
  return { ...media, audio, subtitles: [], declaredTicks };
}

/** What ffprobe makes of a beginning is no use if it could not read on. */
async function within<T>(source: MediaSource, place: InputPlace, read: (input: FfmpegInput) => Promise<T>): Promise<T> {
  const input = await source.openInput(place);
  const fault = (): AppError | undefined => input.fault?.();
  try {
    const result = await read(input);
    const cut = fault();
    if (cut !== undefined) throw cut;
    return result;
  } catch (thrown) {
    throw fault() ?? thrown;
  } finally {
    input.release();
  }
}
