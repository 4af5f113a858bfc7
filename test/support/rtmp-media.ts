import { execFileSync } from 'node:child_process';

/** One tag of an FLV file: an RTMP message's type, timestamp and body. */
export interface FlvTag {
  readonly type: number;
  readonly timestamp: number;
  readonly body: Buffer;
}

/** Splits an FLV file into its tags. */
function flvTags(file: Buffer): FlvTag[] {
  const tags: FlvTag[] = [];
  for (let at = 13; at + 11 <= file.length;) {
    const size = file.readUIntBE(at + 1, 3);
    const timestamp = (file.readUIntBE(at + 4, 3) | (file[at + 7]! << 24)) >>> 0;
    tags.push({ type: file[at]!, timestamp, body: file.subarray(at + 11, at + 11 + size) });
    at += 11 + size + 4;
  }
  return tags;
}

/** A short H.264 and AAC clip (30 fps, 1 s GOP, two B-frames), as ffmpeg's FLV muxer writes it. */
export function makeFlvClip(seconds = 1, size = '320x180'): FlvTag[] {
  const file = execFileSync(
    'ffmpeg',
    [
      ...['-hide_banner', '-loglevel', 'error'],
      ...['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=30:duration=${seconds}`],
      ...['-f', 'lavfi', '-i', `sine=sample_rate=48000:duration=${seconds}`],
      ...['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '30', '-bf', '2', '-pix_fmt', 'yuv420p'],
      ...['-c:a', 'aac', '-f', 'flv', 'pipe:1'],
    ],
    { maxBuffer: 64 * 1024 * 1024 },
  );
  return flvTags(file);
}

/** Arguments of an ffmpeg that publishes a test picture with tone. */
export function ffmpegPublishArgs(
  url: string,
  options: { seconds: number; realtime?: boolean; bFrames?: number },
): string[] {
  const { seconds, realtime = false, bFrames = 2 } = options;
  const pace = realtime ? ['-re'] : [];
  return [
    ...['-hide_banner', '-loglevel', 'error', '-nostdin'],
    ...[...pace, '-f', 'lavfi', '-i', `testsrc2=size=320x180:rate=30:duration=${seconds}`],
    ...[...pace, '-f', 'lavfi', '-i', `sine=sample_rate=48000:duration=${seconds}`],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '30', '-bf', `${bFrames}`, '-pix_fmt', 'yuv420p'],
    ...['-c:a', 'aac', '-f', 'flv', url],
  ];
}
