import { readFfprobeLines } from '../../ffmpeg/ffprobe.ts';
import { AppError } from '../../util/errors.ts';
import type { FfmpegInput } from './media-source.ts';
import { type VideoIndex, VideoIndexBuilder } from './video-index.ts';
import { TICKS_PER_SECOND } from './segment-plan.ts';

const MAX_PACKETS = 20_000_000;
const MAX_LINE_BYTES = 256;

/** Which packets to look at. */
export interface PacketPass {
  /** Path of ffprobe. */
  readonly binaryPath: string;
  readonly input: FfmpegInput;
  readonly streamIndex: number;
  /** Only so much of the beginning, seconds. */
  readonly firstSeconds?: number;
  /** Only from the keyframe before this time on, seconds of the source's own timeline. */
  readonly fromSeconds?: number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads a source's packets to learn when its frames are shown; `undefined` if they do not tell.
 * @throws AppError as `runFfprobe` does, and `BAD_MEDIA` for more than 20 million packets or none that is a keyframe
 */
export async function readPacketIndex(pass: PacketPass): Promise<VideoIndex | undefined> {
  const builder = new VideoIndexBuilder();
  let untimed = 0;
  await readPackets(pass, ({ ptsTicks, durationTicks, bytes, flags }) => {
    if (ptsTicks === undefined) untimed += 1;
    else {
      builder.add({ ptsTicks, durationTicks, bytes, isKeyframe: flags.startsWith('K'), isHidden: flags[1] === 'D' });
    }
  });
  return untimed > 0 ? undefined : builder.build();
}

/** When the last packet of a stream ends, ticks of the source's own timeline; `undefined` if there is none. Errors as above. */
export async function readEndTicks(pass: PacketPass): Promise<number | undefined> {
  let endTicks: number | undefined;
  await readPackets(pass, ({ ptsTicks, durationTicks }) => {
    if (ptsTicks !== undefined) endTicks = Math.max(endTicks ?? -Infinity, ptsTicks + durationTicks);
  });
  return endTicks;
}

interface Packet {
  readonly ptsTicks: number | undefined;
  readonly durationTicks: number;
  readonly bytes: number;
  readonly flags: string;
}

async function readPackets(pass: PacketPass, onPacket: (packet: Packet) => void): Promise<void> {
  const { binaryPath, input, streamIndex, firstSeconds, fromSeconds, timeoutMs, signal } = pass;
  let packets = 0;
  await readFfprobeLines({
    binaryPath,
    input,
    args: [
      ...['-select_streams', String(streamIndex)],
      ...(fromSeconds === undefined ? [] : ['-read_intervals', `${fromSeconds.toFixed(6)}%`]),
      ...(firstSeconds === undefined ? [] : ['-read_intervals', `%+${firstSeconds}`]),
      ...['-show_entries', 'packet=pts_time,duration_time,size,flags', '-of', 'csv=p=0'],
    ],
    timeoutMs,
    maxOutputBytes: MAX_PACKETS * MAX_LINE_BYTES,
    maxLineBytes: MAX_LINE_BYTES,
    signal,
    onLine: (line) => {
      const [pts = '', duration = '', size = '', flags = ''] = line.split(',');
      if (flags === '') return;
      packets += 1;
      if (packets > MAX_PACKETS) throw new AppError('BAD_MEDIA', `the source has more than ${MAX_PACKETS} packets`);
      onPacket({ ptsTicks: ticksOf(pts), durationTicks: ticksOf(duration) ?? 0, bytes: Number(size) || 0, flags });
    },
  });
}

function ticksOf(seconds: string): number | undefined {
  const ticks = Math.round(Number(seconds) * TICKS_PER_SECOND);
  return seconds !== '' && Number.isSafeInteger(ticks) ? ticks : undefined;
}
