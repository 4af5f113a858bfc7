import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aacFrameSeconds, opusPacketSamples } from '../../../src/media/flv/audio-frame-length.ts';
import { parseAudioMessage } from '../../../src/media/flv/audio-message.ts';
import { AppError } from '../../../src/util/errors.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const text = (value: string): Buffer => Buffer.from(value, 'latin1');
const DATA = text('coded');
const join = (...parts: Buffer[]): Buffer => Buffer.concat(parts);

describe('an audio message', () => {
  it('in legacy form carries AAC, with a set-up of any length', () => {
    expect(parseAudioMessage(hex('af 00 11 90 56 e5 00'))).toEqual([
      { kind: 'config', trackId: 0, codec: 'aac', config: hex('11 90 56 e5 00') },
    ]);
    expect(parseAudioMessage(join(hex('af 01'), DATA))).toEqual([
      { kind: 'frame', trackId: 0, codec: 'aac', data: DATA },
    ]);
  });

  it.each([
    ['mp4a', 'aac'],
    ['Opus', 'opus'],
  ])('in enhanced form carries %s', (fourCc, codec) => {
    expect(parseAudioMessage(join(hex('90'), text(fourCc), DATA))).toEqual([
      { kind: 'config', trackId: 0, codec, config: DATA },
    ]);
    expect(parseAudioMessage(join(hex('91'), text(fourCc), DATA))).toEqual([
      { kind: 'frame', trackId: 0, codec, data: DATA },
    ]);
    expect(parseAudioMessage(join(hex('92'), text(fourCc)))).toEqual([{ kind: 'end', trackId: 0 }]);
  });

  it('behind ModEx prefixes and in multitrack layouts is found', () => {
    expect(parseAudioMessage(join(hex('97 02 000000 01'), text('Opus'), DATA))).toMatchObject([
      { kind: 'frame', codec: 'opus' },
    ]);
    const two = join(hex('95 21'), text('mp4a'), hex('00 000005'), DATA, text('Opus'), hex('01 000005'), DATA);
    expect(parseAudioMessage(two)).toEqual([
      { kind: 'frame', trackId: 0, codec: 'aac', data: DATA },
      { kind: 'frame', trackId: 1, codec: 'opus', data: DATA },
    ]);
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['an empty frame', hex('af 01')],
    ['an empty set-up', hex('af 00')],
    ['MP3', hex('2f 00 00')],
    ['an unknown AAC packet type', hex('af 07 00')],
    ['FLAC', join(hex('91'), text('fLaC'), DATA)],
    ['an inherited property name', join(hex('91'), text('name'), DATA)],
    ['a channel layout', join(hex('94'), text('mp4a'), DATA)],
  ])('with %s is ignored', (_what, body) => {
    expect(parseAudioMessage(body)).toMatchObject([{ kind: 'ignored' }]);
  });

  it('that is cut short is refused', () => {
    expect(() => parseAudioMessage(hex('af'))).toThrow(AppError);
    expect(() => parseAudioMessage(hex('91 4f 70'))).toThrow(AppError);
    expect(() => parseAudioMessage(hex('97 20 00'))).toThrow(AppError);
  });

  it('of any bytes gives messages or an AppError', () => {
    fc.assert(
      fc.property(fc.constantFrom(0xaf, 0x90, 0x91, 0x95, 0x97), fc.uint8Array({ maxLength: 40 }), (first, rest) => {
        try {
          expect(parseAudioMessage(join(Buffer.from([first]), Buffer.from(rest))).length).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(AppError);
        }
      }),
      { numRuns: 2000, seed: 43 },
    );
  });
});

describe('frame lengths', () => {
  it.each([
    ['11 90', 1024 / 48_000],
    ['11 90 56 e5 00', 1024 / 48_000],
    ['12 10', 1024 / 44_100],
    ['11 94', 960 / 48_000],
    ['2b 11 88 00', 1024 / 24_000],
    ['17 80 5d c0 10', 1024 / 48_000],
  ])('of AAC follow from the config %s', (config, seconds) => {
    expect(aacFrameSeconds(hex(config))).toBeCloseTo(seconds, 9);
  });

  it('of AAC are refused for a short config or a reserved rate', () => {
    expect(() => aacFrameSeconds(hex('11'))).toThrow(AppError);
    expect(() => aacFrameSeconds(hex('16 90'))).toThrow(AppError);
  });

  it.each([
    ['fc', 960],
    ['f8', 960],
    ['fd', 1920],
    ['7b 03', 2880],
    ['e0', 120],
    ['18', 2880],
  ])('of Opus follow from the packet %s', (packet, samples) => {
    expect(opusPacketSamples(hex(packet))).toBe(samples);
  });

  it('of Opus are refused without a TOC byte, without frames and above 120 ms', () => {
    expect(() => opusPacketSamples(Buffer.alloc(0))).toThrow(AppError);
    expect(() => opusPacketSamples(hex('ff 00'))).toThrow(AppError);
    expect(() => opusPacketSamples(hex('1b 3f'))).toThrow(AppError);
  });
});
