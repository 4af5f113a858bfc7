import { describe, expect, it } from 'vitest';
import { audioCommandLine, videoCommandLine } from '../../../src/transcode/ffmpeg/ffmpeg-args.ts';
import { h264Level } from '../../../src/transcode/ffmpeg/h264-level.ts';
import { OptionList } from '../../../src/ffmpeg/option-list.ts';
import { fittedSize, planFrames, sizeObjection } from '../../../src/transcode/ffmpeg/rung-geometry.ts';
import { videoEncoder } from '../../../src/transcode/ffmpeg/video-encoders.ts';
import { audioInit, videoInit } from '../../support/fragments.ts';

const SPEC = { name: '720p', width: 1280, height: 720, videoBitrateKbps: 2_500 };
const INIT = { ...videoInit(), width: 1920, height: 1080, frameRate: 30 };
const source = (width: number, height: number): typeof INIT => ({ ...INIT, width, height });

/** The value of an option. */
function valueOf(args: readonly string[], option: string): string | undefined {
  const index = args.indexOf(`-${option}`);
  return index < 0 ? undefined : args[index + 1];
}

function video(overrides: object = {}, major = 5, encoder = 'libx264', init = INIT): readonly string[] {
  const binary = { path: 'ffmpeg', version: `${major}.0`, major };
  const line = videoCommandLine({ binary, spec: { ...SPEC, ...overrides }, init, encoder: videoEncoder(encoder)! });
  return [...line.input, ...line.output];
}

describe('the video command line', () => {
  it('keeps every time and forces the source’s keyframes', () => {
    expect(video()).toEqual(
      expect.arrayContaining(['-copyts', '-force_key_frames', 'source', '-forced-idr', '-fps_mode', 'passthrough']),
    );
    expect(valueOf(video(), 'g')).toBe('60');
    expect(valueOf(video(), 'level:v')).toBe('3.1');
    expect(video()).not.toContain('-fflags');
  });

  it('asks for the input’s time base in the words of each ffmpeg', () => {
    expect([5, 6, 7, 8].map((major) => valueOf(video({}, major), 'enc_time_base'))).toEqual([
      '-1',
      '-1',
      'demux',
      'demux',
    ]);
  });

  it('has no argument that fluent-ffmpeg would split in two', () => {
    for (const encoder of ['libx264', 'h264_nvenc', 'h264_qsv', 'h264_vaapi', 'h264_videotoolbox', 'h264_amf']) {
      const args = video({ maxFrameRate: 15 }, 5, encoder);
      expect(args.filter((arg) => /\s/.test(arg))).toEqual([]);
      expect(valueOf(args, 'c:v')).toBe(encoder);
    }
  });

  it('uploads pictures to the device where an encoder needs it', () => {
    const args = video({}, 5, 'h264_vaapi');
    expect(valueOf(args, 'vf')).toMatch(/format=nv12,hwupload$/);
    expect(args.indexOf('-vaapi_device')).toBeLessThan(args.indexOf('-f'));
  });

  it('refuses values that could be read as options', () => {
    for (const preset of ['-i', 'a b', 'veryfast\n', '']) expect(() => video({ preset })).toThrow(TypeError);
    expect(() => new OptionList().option('b:v', Number.NaN)).toThrow(TypeError);
    expect(() => new OptionList().flag('y -i')).toThrow(TypeError);
  });
});

describe('the audio command line', () => {
  it('keeps the sample rate, but for Opus, and at most two channels', () => {
    const plain = audioCommandLine({ name: 'audio', audioBitrateKbps: 96 }, audioInit()).output;
    expect([valueOf(plain, 'b:a'), valueOf(plain, 'ar'), valueOf(plain, 'ac')]).toEqual(['96k', undefined, undefined]);
    const surround = audioCommandLine({ name: 'audio' }, { ...audioInit(), codec: 'opus', channels: 6 }).output;
    expect([valueOf(surround, 'b:a'), valueOf(surround, 'ar'), valueOf(surround, 'ac')]).toEqual([
      '128k',
      '48000',
      '2',
    ]);
  });
});

describe('the size of a rung', () => {
  it('fits its box, keeps the shape, is even and never larger than the source', () => {
    const sizes = (spec: object, sourceWidth: number, sourceHeight: number): number[] => {
      const { width, height } = fittedSize({ name: 'r', ...spec }, source(sourceWidth, sourceHeight));
      return [width, height];
    };
    expect(sizes({ width: 1280, height: 720 }, 1920, 1080)).toEqual([1280, 720]);
    expect(sizes({ width: 1280, height: 720 }, 1080, 1920)).toEqual([406, 720]);
    expect(sizes({ width: 1280, height: 720 }, 2560, 1080)).toEqual([1280, 540]);
    expect(sizes({ height: 480 }, 1920, 1080)).toEqual([854, 480]);
    expect(sizes({ width: 640 }, 1920, 1080)).toEqual([640, 360]);
    expect(sizes({ width: 1280, height: 480 }, 640, 360)).toEqual([640, 360]);
    expect(sizes({ width: 16, height: 16 }, 4096, 16)).toEqual([16, 2]);
  });

  it('is refused above the source, not at it or where only one side is', () => {
    const objection = (spec: object, width: number, height: number): boolean =>
      sizeObjection({ name: 'r', ...spec }, source(width, height)) !== undefined;
    expect(objection({ width: 1920, height: 1080 }, 1280, 720)).toBe(true);
    expect(objection({ width: 1280, height: 720 }, 1280, 720)).toBe(false);
    expect(objection({ width: 1280, height: 720 }, 720, 1280)).toBe(false);
    expect(objection({ width: 1920, height: 1080 }, 1920, 800)).toBe(false);
    expect(objection({ height: 1080 }, 1280, 720)).toBe(true);
    expect(objection({ width: 1920 }, 1280, 720)).toBe(true);
    expect(objection({ height: 720 }, 1280, 720)).toBe(false);
  });
});

describe('the frames of a rung', () => {
  it('are every n-th of the source, with keyframes at the same frames whatever n is', () => {
    const plan = (frameRate: number, maxFrameRate: number): number[] => {
      const { divisor, gopFrames } = planFrames({ name: 'r', maxFrameRate }, { ...INIT, frameRate });
      return [divisor, gopFrames, divisor * gopFrames];
    };
    expect(plan(60, 30)).toEqual([2, 60, 120]);
    expect(plan(59.94, 30)).toEqual([2, 60, 120]);
    expect(plan(60, 25)).toEqual([3, 40, 120]);
    expect(plan(30.3, 30)).toEqual([1, 61, 61]);
    expect(plan(50, 20)).toEqual([4, 25, 100]);
    expect(plan(25, 24)).toEqual([1, 50, 50]);
    expect(plan(25, 10)).toEqual([5, 10, 50]);
    expect(plan(23.5, 1)[0]).toBe(47);
    expect(plan(90_000, 60)).toEqual([1, 60, 60]);
    expect(plan(Number.NaN, 60)).toEqual([1, 60, 60]);
  });
});

describe('the H.264 level', () => {
  it('is the lowest that allows size, frame rate and bitrate', () => {
    const level = (width: number, height: number, frameRate: number, maxKbps: number): string =>
      h264Level({ width, height, frameRate, maxKbps, bufferKbit: maxKbps, profile: 'high' });
    expect(level(1920, 1080, 30, 6_000)).toBe('4');
    expect(level(1920, 1080, 60, 8_000)).toBe('4.2');
    expect(level(1280, 720, 30, 3_000)).toBe('3.1');
    expect(level(1280, 720, 60, 4_500)).toBe('3.2');
    expect(level(854, 480, 30, 1_500)).toBe('3.1');
    expect(level(640, 360, 30, 1_000)).toBe('3');
    expect(level(426, 240, 30, 500)).toBe('2.1');
    expect(level(3840, 2160, 60, 20_000)).toBe('5.2');
    expect(level(1280, 720, 30, 30_000)).toBe('4.1');
  });
});
