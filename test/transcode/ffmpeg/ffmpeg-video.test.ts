import { describe, expect, it } from 'vitest';
import { buildRun, softwareFactory, transcodeAll } from '../../support/transcode-run.ts';
import { keyframesOf, ptsOf, videoSource } from '../../support/transcode-source.ts';

const factory = await softwareFactory();

describe('an ffmpeg video rung', () => {
  it('has every pts and every keyframe of its source, B-frames or not', async () => {
    for (const bFrames of ['0', '2']) {
      const source = await videoSource({
        ...{ seconds: 6 },
        encoder: ['-c:v', 'libx264', '-preset', 'ultrafast', '-bf', bFrames, '-pix_fmt', 'yuv420p'],
      });
      const output = await transcodeAll(factory, { name: '240p', height: 240, videoBitrateKbps: 400 }, source);
      expect(output).toHaveLength(180);
      expect(ptsOf(output)).toEqual(ptsOf(source.fragments).sort((a, b) => a - b));
      expect(keyframesOf(output)).toEqual(keyframesOf(source.fragments));
      expect(keyframesOf(output)).toHaveLength(6);
      expect(output[0]!.init).toMatchObject({
        kind: 'video',
        timescale: 90_000,
        width: 426,
        height: 240,
        frameRate: 30,
      });
    }
  });

  it('has keyframes each 2 s between those of a long source GOP, the same ones in rungs of any size and frame rate', async () => {
    const source = await videoSource({ rate: 60, gop: 500, seconds: 12, size: '640x360' });
    const rungs = [
      { name: '360p', height: 360, videoBitrateKbps: 600 },
      { name: '240p', height: 240, videoBitrateKbps: 300 },
      { name: '180p30', height: 180, videoBitrateKbps: 200, maxFrameRate: 30 },
      { name: '120p20', height: 120, videoBitrateKbps: 100, maxFrameRate: 20 },
    ];
    const start = source.fragments[0]!.firstPts;
    const outputs = [];
    for (const rung of rungs) outputs.push(await transcodeAll(factory, rung, source));
    const seconds = outputs.map((output) => keyframesOf(output).map((pts) => (pts - start) / 90_000));
    expect(seconds[0]!.map((at) => at.toFixed(2))).toEqual(['0.00', '2.00', '4.00', '6.00', '8.00', '8.33', '10.33']);
    for (const other of seconds) expect(other).toEqual(seconds[0]);
    expect(outputs.map((output) => output.length)).toEqual([720, 720, 360, 241]);
    expect(outputs.map((output) => output[0]!.init.frameRate)).toEqual([60, 60, 30, 20]);
    const known = new Set(ptsOf(source.fragments));
    for (const output of outputs) expect(ptsOf(output).every((pts) => known.has(pts))).toBe(true);
  });

  it('keeps the shape of any source, with even sizes inside its box', async () => {
    const box = { name: '480p', width: 854, height: 480, videoBitrateKbps: 500 };
    for (const [size, width, height] of [
      ['854x480', 854, 480],
      ['1280x536', 854, 358],
      ['720x1280', 270, 480],
      ['1000x1002', 480, 480],
      ['640x482', 638, 480],
    ] as const) {
      const output = await transcodeAll(factory, box, await videoSource({ size, seconds: 0.5 }));
      expect([size, output[0]!.init.width, output[0]!.init.height]).toEqual([size, width, height]);
    }
  });

  it('makes pixels square', async () => {
    const source = await videoSource({ size: '720x576', seconds: 0.5, filter: 'setsar=64/45' });
    const output = await transcodeAll(factory, { name: '480p', width: 854, height: 480 }, source);
    expect(output[0]!.init).toMatchObject({ width: 854, height: 480 });
  });

  it('is refused above the source’s size, with the reason', async () => {
    const source = await videoSource({ size: '1280x720', seconds: 0.2 });
    const built = buildRun(factory, { name: '1080p', width: 1920, height: 1080 }, source);
    expect(built).toEqual({ optOut: '1920x1080 is larger than the source’s 1280x720' });
  });

  it('tells the codec string, profile and level of what the encoder really made', async () => {
    for (const [spec, codec] of [
      [{ name: 'a', height: 720, videoBitrateKbps: 2_500 }, 'avc1.64001f'],
      [{ name: 'b', height: 240, videoBitrateKbps: 400, profile: 'main' as const }, 'avc1.4d4015'],
      [{ name: 'c', height: 240, videoBitrateKbps: 400, maxFrameRate: 15 }, 'avc1.640015'],
      [{ name: 'd', height: 360, videoBitrateKbps: 400, profile: 'baseline' as const }, 'avc1.42c01e'],
    ] as const) {
      const source = await videoSource({ size: '1280x720', seconds: 0.5 });
      const output = await transcodeAll(factory, spec, source);
      expect([spec.name, output[0]!.init.codec]).toEqual([spec.name, codec]);
    }
  });

  it('makes 8-bit 4:2:0 H.264 of HEVC, VP9 and 10-bit 4:2:2 sources', async () => {
    for (const encoder of [
      ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none:bframes=0', '-tag:v', 'hvc1'],
      ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-pix_fmt', 'yuv420p'],
      ['-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '0', '-pix_fmt', 'yuv422p10le'],
    ]) {
      const source = await videoSource({ size: '320x240', seconds: 1, encoder });
      const output = await transcodeAll(factory, { name: '144p', height: 144, videoBitrateKbps: 200 }, source);
      expect([source.init.codec, ptsOf(output)]).toEqual([source.init.codec, ptsOf(source.fragments)]);
      expect(output[0]!.init.codec).toMatch(/^avc1\.6400/);
    }
  });
});
