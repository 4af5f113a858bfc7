import { describe, expect, it } from 'vitest';
import { readInit } from '../../../src/media/cmaf/init-reader.ts';
import { buildAudioInit, buildVideoInit } from '../../../src/media/cmaf/init-writer.ts';

/** 1920x1080 (8 rows cropped), High@4.0, fixed 30 fps. */
const AVCC_1080P = Buffer.from(
  '01640028ffe1001b67640028acd940780227e5c044000003000400000300f23c60c65801000468ef8fcbfdf8f800',
  'hex',
);
/** What OBS sends: AAC-LC, 48 kHz, stereo, with SBR signalled as absent. */
const OBS_AAC = Buffer.from('119056e500', 'hex');
const VP9_RECORD = Buffer.from('000a810202020000', 'hex');
const OPUS_HEAD = Buffer.concat([Buffer.from('OpusHead'), Buffer.from('0102380180bb0000000000', 'hex')]);
const DOPS = Buffer.from('000201380000bb80000000', 'hex');

const badMedia = expect.objectContaining({ code: 'BAD_MEDIA' }) as Error;

describe('buildVideoInit', () => {
  it('takes size and codec from the SPS rather than from the hints', () => {
    const init = buildVideoInit({ fourcc: 'avc1', config: AVCC_1080P, width: 640, height: 360 });
    expect(init).toMatchObject({ kind: 'video', codec: 'avc1.640028', width: 1920, height: 1080, timescale: 90_000 });
    expect(readInit(init.bytes)[0]?.init).toEqual(init);
  });

  it('takes size and frame rate from the hints where the configuration does not tell', () => {
    const init = buildVideoInit({ fourcc: 'vp09', config: VP9_RECORD, width: 1280, height: 720, frameRate: 29.97 });
    expect(init).toMatchObject({ codec: 'vp09.00.10.08', width: 1280, height: 720, frameRate: 29.97 });
  });

  it.each([NaN, -1, 0, 1.5, 100_000, Infinity])('ignores a hint of %s', (hint) => {
    const init = buildVideoInit({ fourcc: 'vp09', config: VP9_RECORD, width: hint, height: 720 });
    expect(init).not.toHaveProperty('width');
    expect(init).not.toHaveProperty('height');
  });

  it.each([NaN, -1, 0, 100_000, Infinity])('ignores a frame rate of %s', (frameRate) => {
    expect(buildVideoInit({ fourcc: 'vp09', config: VP9_RECORD, frameRate })).not.toHaveProperty('frameRate');
  });

  it('writes the same header for a vpcC with and without version and flags', () => {
    const full = Buffer.concat([Buffer.from([1, 0, 0, 0]), VP9_RECORD]);
    expect(buildVideoInit({ fourcc: 'vp09', config: full })).toEqual(
      buildVideoInit({ fourcc: 'vp09', config: VP9_RECORD }),
    );
  });

  it('reads an av1C without a sequence header', () => {
    const config = Buffer.from('81284c00', 'hex');
    expect(buildVideoInit({ fourcc: 'av01', config, width: 1920, height: 1080 })).toMatchObject({
      codec: 'av01.1.08M.10',
      width: 1920,
      height: 1080,
    });
  });

  it.each([
    ['avc1', ''],
    ['avc1', '01640028'],
    ['avc1', '00640028ffe1001d67640028'],
    ['avc1', '01640028ffe0'],
    ['avc1', '01640028ffe000'],
    ['avc1', '01640028ffe1ffff67640028acd9'],
    ['avc1', '01640028ffe10004686400280100'],
    ['avc1', '01640028ffe100046764002800'],
    ['hvc1', '01'],
    ['hvc1', '01'.padEnd(44, '0') + '01'],
    ['hvc1', '01'.padEnd(46, '0')],
    ['av01', '80000c00'],
    ['av01', '81000c000aff'],
    ['vp09', '00'],
    ['vp09', 'ff0a810202020000'],
  ] as const)('refuses a malformed %s configuration: %s', (fourcc, hex) => {
    expect(() => buildVideoInit({ fourcc, config: Buffer.from(hex, 'hex') })).toThrow(badMedia);
  });

  it('refuses a configuration above 16 kB', () => {
    const config = Buffer.concat([AVCC_1080P, Buffer.alloc(16 * 1024)]);
    expect(() => buildVideoInit({ fourcc: 'avc1', config })).toThrow(badMedia);
  });

  it('refuses a configuration that is cut off anywhere before its optional end', () => {
    for (let length = 0; length < AVCC_1080P.length - 4; length += 1) {
      expect(() => buildVideoInit({ fourcc: 'avc1', config: AVCC_1080P.subarray(0, length) })).toThrow(badMedia);
    }
  });
});

describe('buildAudioInit', () => {
  it('takes the five bytes that OBS sends', () => {
    const init = buildAudioInit({ codec: 'aac', config: OBS_AAC });
    expect(init).toMatchObject({ codec: 'mp4a.40.2', timescale: 48_000, sampleRate: 48_000, channels: 2 });
    expect(readInit(init.bytes)[0]?.init).toEqual(init);
  });

  it.each([
    ['1210', 'mp4a.40.2', 44_100, 2],
    ['1408', 'mp4a.40.2', 16_000, 1],
    ['11b8', 'mp4a.40.2', 48_000, 8],
    ['2b118800', 'mp4a.40.5', 48_000, 2],
    ['eb098800', 'mp4a.40.29', 48_000, 2],
    ['1780176410', 'mp4a.40.2', 11_976, 2],
  ])('reads the AudioSpecificConfig %s', (hex, codec, sampleRate, channels) => {
    const init = buildAudioInit({ codec: 'aac', config: Buffer.from(hex, 'hex') });
    expect(init).toMatchObject({ codec, sampleRate, channels, timescale: sampleRate });
  });

  it('writes a long configuration with a length of two bytes', () => {
    const config = Buffer.concat([OBS_AAC, Buffer.alloc(300)]);
    expect(readInit(buildAudioInit({ codec: 'aac', config }).bytes)[0]?.init.codec).toBe('mp4a.40.2');
  });

  it('writes the same header for an OpusHead and a dOps', () => {
    const init = buildAudioInit({ codec: 'opus', config: OPUS_HEAD });
    expect(init).toMatchObject({ codec: 'opus', timescale: 48_000, sampleRate: 48_000, channels: 2 });
    expect(init).toEqual(buildAudioInit({ codec: 'opus', config: DOPS }));
    expect(init.bytes.includes(DOPS)).toBe(true);
  });

  it.each([
    ['aac', ''],
    ['aac', '11'],
    ['aac', '0010'],
    ['aac', '1690'],
    ['aac', '11c8'],
    ['aac', '178000000010'],
    ['opus', '00'],
    ['opus', '000001380000bb80000000'],
    ['opus', '000301380000bb80000000'],
    ['opus', '010201380000bb80000000'],
    ['opus', '000601380000bb80000001'],
    ['opus', Buffer.from('OpusHead').toString('hex')],
  ] as const)('refuses a malformed %s configuration: %s', (codec, hex) => {
    expect(() => buildAudioInit({ codec, config: Buffer.from(hex, 'hex') })).toThrow(badMedia);
  });
});
