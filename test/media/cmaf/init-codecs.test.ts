import { createFile, MP4BoxBuffer, type Track } from 'mp4box';
import { describe, expect, it } from 'vitest';
import { readFragment } from '../../../src/media/cmaf/fragment-reader.ts';
import { mergeFragments } from '../../../src/media/cmaf/fragment-writer.ts';
import { readInit, readTrackInit } from '../../../src/media/cmaf/init-reader.ts';
import { decodeErrors, probePackets } from '../../support/ffprobe.ts';
import { encodeFmp4, H264, splitFmp4, TEST_PICTURE, TEST_TONE } from '../../support/fmp4.ts';

const YUV = ['-pix_fmt', 'yuv420p', '-video_track_timescale', '90000'];
const VIDEO = { kind: 'video', timescale: 90_000, width: 322, height: 184 };
const AUDIO = { kind: 'audio', timescale: 48_000, sampleRate: 48_000, channels: 1 };

const CASES = [
  ['H.264', [...TEST_PICTURE, ...H264, ...YUV], { ...VIDEO, codec: 'avc1.4d400d', frameRate: 25 }],
  [
    'H.264 high 4:2:2',
    [...TEST_PICTURE, '-c:v', 'libx264', '-video_track_timescale', '90000', '-pix_fmt', 'yuv422p'],
    { ...VIDEO, codec: 'avc1.7a000d' },
  ],
  [
    'H.264 interlaced',
    [...TEST_PICTURE, '-c:v', 'libx264', '-flags', '+ildct+ilme', ...YUV],
    { ...VIDEO, codec: 'avc1.640015' },
  ],
  [
    'H.265',
    [...TEST_PICTURE, '-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none', ...YUV],
    { ...VIDEO, codec: 'hvc1.1.6.L60.90' },
  ],
  ['AV1', [...TEST_PICTURE, '-c:v', 'libsvtav1', '-preset', '12', ...YUV], { ...VIDEO, codec: 'av01.0.00M.08' }],
  [
    'VP9',
    [...TEST_PICTURE, '-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', ...YUV],
    { ...VIDEO, codec: 'vp09.00.11.08' },
  ],
  ['AAC', [...TEST_TONE, '-c:a', 'aac'], { ...AUDIO, codec: 'mp4a.40.2' }],
  [
    'AAC stereo 44.1 kHz',
    [...TEST_TONE, '-c:a', 'aac', '-ac', '2', '-ar', '44100'],
    { ...AUDIO, codec: 'mp4a.40.2', channels: 2, sampleRate: 44_100, timescale: 44_100 },
  ],
  ['Opus', [...TEST_TONE, '-c:a', 'libopus'], { ...AUDIO, codec: 'opus' }],
] as const;

function parseWithMp4box(bytes: Buffer): Track {
  const file = createFile();
  file.appendBuffer(MP4BoxBuffer.fromArrayBuffer(new Uint8Array(bytes).buffer, 0), true);
  return file.getInfo().tracks[0]!;
}

describe.each(CASES)('an init with %s', (_name, args, expected) => {
  it('is read, written anew, understood by mp4box, and decoded by ffmpeg without a warning', async () => {
    const stream = await encodeFmp4(args, { seconds: 1, movflags: 'empty_moov+default_base_moof+frag_every_frame' });
    const { init: original, fragments } = splitFmp4(stream);
    const init = readTrackInit(original);
    expect(init).toMatchObject(expected);

    const parsed = parseWithMp4box(init.bytes);
    expect(parsed).toMatchObject({ id: 1, timescale: expected.timescale, type: expected.kind });
    expect(parsed.codec.toLowerCase()).toBe(init.codec.toLowerCase());
    if (init.kind === 'video') expect(parsed.video).toEqual({ width: 322, height: 184 });
    else expect(parsed.audio).toMatchObject({ sample_rate: init.sampleRate, channel_count: init.channels });

    const read = fragments.map((bytes) => readFragment(bytes, init, { epoch: 0, ingestedAtMs: 0 })!);
    const singles = Buffer.concat([init.bytes, ...read.map(({ bytes }) => bytes)]);
    const merged = Buffer.concat([init.bytes, mergeFragments(read, 1)]);
    const packets = await probePackets(stream);
    expect(packets.length).toBeGreaterThan(20);
    expect(await probePackets(singles)).toEqual(packets);
    expect(await probePackets(merged)).toEqual(packets);
    expect(await decodeErrors(merged)).toBe('');
  });

  it('survives being written and read again', async () => {
    const { init } = splitFmp4(await encodeFmp4(args, { seconds: 1 }));
    const once = readTrackInit(init);
    expect(readInit(once.bytes)).toEqual([
      {
        trackId: 1,
        timescale: expected.timescale,
        editSeconds: 0,
        defaults: { duration: 0, size: 0, flags: 0 },
        init: once,
      },
    ]);
  });
});
