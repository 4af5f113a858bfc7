import { createFile, type Movie, MP4BoxBuffer } from 'mp4box';
import { AppError, reasonOf } from '../../util/errors.ts';
import { aacConfigOfEsds } from '../codec/esds.ts';
import type { TrackInit } from '../fragment.ts';
import { type GuardedTrack, guardInit } from './init-guard.ts';
import { buildAudioInit, buildVideoInit } from './init-writer.ts';
import type { TrackDefaults } from './sample-reader.ts';
import type { VideoFourCc } from './sample-entry.ts';

/** One track of an init that was read. */
export interface InitTrack {
  /** The id that the source's fragments use. */
  readonly trackId: number;
  /** Ticks per second of the source's fragments. */
  readonly timescale: number;
  /** What the source's edit list adds to all times, in seconds. */
  readonly editSeconds: number;
  readonly defaults: TrackDefaults;
  /**
   * The track as this program has it, written anew: id 1, no edit list, and the ladder's timescale (video) or the sample
   * rate (audio), whatever the source's timescale is.
   */
  readonly init: TrackInit;
}

/** Sample entries that are stored under their out-of-band twin: the guard found the parameter sets in the init. */
const VIDEO_FOURCC: Readonly<Record<string, VideoFourCc>> = {
  avc1: 'avc1',
  avc3: 'avc1',
  hvc1: 'hvc1',
  hev1: 'hvc1',
  av01: 'av01',
  vp09: 'vp09',
};

/**
 * Reads a foreign init of one or several tracks; those that are neither video nor audio are left out.
 * @throws AppError `BAD_MEDIA` for anything malformed, unsupported or over a limit.
 */
export function readInit(bytes: Buffer): InitTrack[] {
  const guarded = guardInit(bytes);
  // First, since our own readers tell what is wrong, and mp4box then only sees configurations that are right.
  for (const track of guarded.tracks) rebuild(track, undefined);
  const movie = parseMovie(guarded.bytes);
  return guarded.tracks.map((track) => {
    const parsed = movie.tracks.find(({ id }) => id === track.trackId);
    if (parsed === undefined) throw new AppError('BAD_MEDIA', `track ${track.trackId} of the init cannot be parsed`);
    const { trackId, editSeconds, defaults } = track;
    return { trackId, timescale: parsed.timescale, editSeconds, defaults, init: rebuild(track, parsed.video) };
  });
}

/**
 * Reads the init of a transcoder's output.
 * @throws AppError `BAD_MEDIA` unless it has exactly one track, with id 1 and the program's own timescale.
 */
export function readTrackInit(bytes: Buffer): TrackInit {
  const [track, ...others] = readInit(bytes);
  if (track === undefined || others.length > 0 || track.trackId !== 1) {
    throw new AppError('BAD_MEDIA', `the output has ${1 + others.length} tracks; it must have one, with id 1`);
  }
  if (track.timescale !== track.init.timescale) {
    throw new AppError(
      'BAD_MEDIA',
      `the output counts ${track.timescale} ticks a second instead of ${track.init.timescale}`,
    );
  }
  return track.init;
}

function rebuild({ entryType, config }: GuardedTrack, size: { width: number; height: number } | undefined): TrackInit {
  const fourcc = VIDEO_FOURCC[entryType];
  if (fourcc !== undefined) return buildVideoInit({ fourcc, config, ...size });
  if (entryType === 'Opus') return buildAudioInit({ codec: 'opus', config });
  return buildAudioInit({ codec: 'aac', config: aacConfigOfEsds(config) });
}

/** mp4box throws all kinds of errors, reports others through `onError`, and waits in silence for what is cut off. */
function parseMovie(bytes: Buffer): Movie {
  try {
    const file = createFile();
    let failure = '';
    file.onError = (module, message) => {
      failure = `${module}: ${message}`;
    };
    file.appendBuffer(MP4BoxBuffer.fromArrayBuffer(new Uint8Array(bytes).buffer, 0), true);
    const movie = file.getInfo();
    if (failure !== '' || !movie.hasMoov) throw new AppError('BAD_MEDIA', failure || 'there is no complete moov');
    return movie;
  } catch (thrown) {
    throw new AppError('BAD_MEDIA', `the init cannot be parsed: ${reasonOf(thrown)}`, { cause: thrown });
  }
}
