import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { AudioFacts, SegmentPlan, Title, VideoFacts } from '../../src/vod/source/title.ts';

const run = promisify(execFile);

interface Probe {
  readonly format: { readonly format_name: string; readonly start_time: string; readonly duration: string };
  readonly streams: readonly Record<string, string | number | undefined>[];
  readonly packets: readonly { readonly stream_index: number; readonly pts_time?: string; readonly flags: string }[];
}

/** How a file is cut up. */
export interface TitleChoices {
  /** Distance of boundaries. */
  readonly targetMs?: number;
  /** At keyframes, at any frames, or at multiples of the target without an index. */
  readonly cut?: 'keyframes' | 'frames' | 'blind';
  readonly copy?: boolean;
  readonly isInterlaced?: boolean;
  readonly isHdr?: boolean;
  /** Pixels as shown, if the file's own are not. */
  readonly size?: { readonly width: number; readonly height: number };
}

/** A title of a local file, told by nothing but ffprobe's packets. */
export async function titleOf(file: string, choices: TitleChoices = {}): Promise<Title> {
  const entries = ['-show_format', '-show_streams', '-show_entries', 'packet=stream_index,pts_time,flags'];
  const { stdout } = await run('ffprobe', ['-v', 'error', '-of', 'json', ...entries, file], { maxBuffer: 64 << 20 });
  const { format, streams, packets } = JSON.parse(stdout) as Probe;
  const startTicks = Math.round(Number(format.start_time) * 90_000);
  const picture = streams.find(({ codec_type }) => codec_type === 'video');
  const shown = packets
    .filter(
      ({ stream_index, pts_time, flags }) =>
        stream_index === picture?.['index'] && pts_time !== undefined && !flags.includes('D'),
    )
    .map(({ pts_time, flags }) => ({
      pts: Math.round(Number(pts_time) * 90_000) - startTicks,
      isKey: flags.startsWith('K'),
    }))
    .sort((a, b) => a.pts - b.pts);
  const frames = shown.map(({ pts }) => pts);
  const keyframes = shown.filter(({ isKey }) => isKey).map(({ pts }) => pts);
  const frameTicks = frames.length > 1 ? (frames.at(-1)! - frames[0]!) / (frames.length - 1) : 3_600;
  const endTicks =
    frames.length > 0 ? Math.round(frames.at(-1)! + frameTicks) : Math.round(Number(format.duration) * 90_000);
  const plan = planOf(choices, frames, keyframes, endTicks);
  const facts = (kind: string) => streams.filter(({ codec_type }) => codec_type === kind);
  return {
    source: {
      ...{ kind: 'file', label: 'film', identity: file, sizeBytes: 1, path: file },
      openInput: () => Promise.resolve({ url: `file:${file}`, options: [], release: () => undefined }),
      openBytes: () => Promise.reject(new Error('not needed')),
    },
    format: format.format_name,
    startTicks,
    durationTicks: plan.boundaries.at(-1)! - plan.boundaries[0]!,
    video: picture && videoOf(picture, 90_000 / frameTicks, choices),
    audio: facts('audio').map((stream) => audioOf(stream, startTicks)),
    subtitles: facts('subtitle').map((stream) => ({
      ...{ streamIndex: Number(stream['index']), sidecarPath: undefined, codec: String(stream['codec_name']) },
      ...{ kind: 'picture' as const, language: undefined, title: undefined, isDefault: false, isForced: false },
      isForHearingImpaired: false,
    })),
    plan,
  };
}

function planOf(
  { targetMs = 2_000, cut = 'keyframes' }: TitleChoices,
  frames: readonly number[],
  keyframes: readonly number[],
  endTicks: number,
): SegmentPlan {
  const target = targetMs * 90;
  const boundaries = [frames[0] ?? 0];
  const candidates = cut === 'keyframes' ? keyframes : frames;
  while (boundaries.at(-1)! + target < endTicks - 20_000) {
    const wanted = boundaries.at(-1)! + target;
    const next = cut === 'blind' || frames.length === 0 ? wanted : candidates.find((pts) => pts >= wanted - 400);
    if (next === undefined) break;
    boundaries.push(next);
  }
  return {
    boundaries: [...boundaries, endTicks],
    keyframes: cut === 'blind' ? undefined : keyframes,
    atKeyframes: cut === 'keyframes',
  };
}

function videoOf(
  stream: Record<string, string | number | undefined>,
  frameRate: number,
  choices: TitleChoices,
): VideoFacts {
  const size = choices.size ?? { width: Number(stream['width']), height: Number(stream['height']) };
  return {
    ...{ streamIndex: Number(stream['index']), codec: String(stream['codec_name']), ...size, frameRate },
    ...{ isInterlaced: choices.isInterlaced ?? false, isHdr: choices.isHdr ?? false, bitrate: undefined },
    copy:
      choices.copy === true
        ? {
            codec: 'avc1.640028',
            averageBandwidth: 1e6,
            bandwidth: 2e6,
            reorderTicks: 2 * Math.round(90_000 / frameRate),
          }
        : undefined,
    copyObjection: undefined,
  };
}

function audioOf(stream: Record<string, string | number | undefined>, startTicks: number): AudioFacts {
  return {
    ...{
      streamIndex: Number(stream['index']),
      codec: String(stream['codec_name']),
      profile: stream['profile'] as string,
    },
    ...{ channels: Number(stream['channels']), sampleRate: Number(stream['sample_rate']), bitrate: undefined },
    ...{ language: undefined, title: undefined, isDefault: false },
    startTicks: Math.round(Number(stream['start_time']) * 90_000) - startTicks,
  };
}
