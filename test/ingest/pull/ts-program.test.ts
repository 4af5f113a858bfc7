import { describe, expect, it } from 'vitest';
import { readTsProgram, sameProgram, TsProgramReader } from '../../../src/ingest/pull/ts-program.ts';
import { findPacket, readPacket } from '../../../src/ingest/pull/ts-packets.ts';
import { mutate, seededRandom } from '../../support/fmp4.ts';
import {
  encodeTs,
  patPacket,
  pesPacket,
  pmtPacket,
  TS_AAC,
  TS_H264,
  TS_PICTURE,
  TS_TONE,
  tsPacket,
} from '../../support/transport-streams.ts';

const H264 = { type: 0x1b, pid: 0x100 };
const AAC = { type: 0x0f, pid: 0x101 };
const language = (name: string): number[] => [0x0a, 4, ...Buffer.from(name), 0];
const registration = (name: string): number[] => [0x05, 4, ...Buffer.from(name)];
const adts = (rateIndex: number): number[] => [0xff, 0xf1, 0x40 | (rateIndex << 2), 0x80];

function stream(...packets: Buffer[]): Buffer {
  return Buffer.concat(packets);
}

describe('readTsProgram', () => {
  it('reads what ffmpeg writes, from any cut on', async () => {
    const bytes = await encodeTs([...TS_PICTURE, ...TS_TONE, ...TS_H264, ...TS_AAC], { seconds: 1 });
    const program = readTsProgram(bytes);
    expect(program).toMatchObject({ number: 1, isEncrypted: false });
    expect(program?.video).toMatchObject({ pid: 0x100, codec: 'h264' });
    expect(program?.audio).toMatchObject({ pid: 0x101, codec: 'aac' });
    // It repeats its tables each 0.1 s.
    expect(sameProgram(program!, readTsProgram(bytes.subarray(1_000))!)).toBe(true);
  });

  it.each([
    [0x02, [], 'mpeg-video'],
    [0x24, [], 'h265'],
    [0x10, [], 'mpeg4'],
    [0x06, registration('HEVC'), 'h265'],
  ] as const)('knows a picture of type %i', (type, descriptors, codec) => {
    const bytes = stream(patPacket([[1, 0x1000]]), pmtPacket(0x1000, 1, [{ type, pid: 0x100, descriptors }]));
    expect(readTsProgram(bytes)?.video?.codec).toBe(codec);
  });

  it.each([
    [0x03, [], 'mpeg-audio'],
    [0x11, [], 'latm'],
    [0x81, [], 'ac3'],
    [0x87, [], 'eac3'],
    [0x06, [0x6a, 1, 0], 'ac3'],
    [0x06, [...language('deu'), 0x7a, 1, 0], 'eac3'],
    [0x06, [0x7b, 1, 0], 'dts'],
    [0x06, registration('Opus'), 'opus'],
  ] as const)('knows a sound of type %i', (type, descriptors, codec) => {
    const bytes = stream(patPacket([[1, 0x1000]]), pmtPacket(0x1000, 1, [{ type, pid: 0x100, descriptors }]));
    expect(readTsProgram(bytes)?.audio?.codec).toBe(codec);
  });

  it('leaves out teletext, subtitles, ID3 and SCTE 35', () => {
    const others = [
      { type: 0x06, pid: 0x110, descriptors: [0x56, 5, ...Buffer.from('deu'), 1, 0] },
      { type: 0x06, pid: 0x111, descriptors: [0x59, 8, ...Buffer.from('deu'), 1, 0, 1, 0, 1] },
      { type: 0x15, pid: 0x112, descriptors: [] },
      { type: 0x86, pid: 0x113, descriptors: registration('CUEI') },
    ];
    const pmt = pmtPacket(0x1000, 1, [...others, H264, AAC]);
    const program = readTsProgram(
      stream(patPacket([[1, 0x1000]]), pmt, pesPacket(0x112), pesPacket(0x100), pesPacket(0x101)),
    );
    expect(program).toMatchObject({ video: { pid: 0x100 }, audio: { pid: 0x101 } });
    expect(readTsProgram(stream(patPacket([[1, 0x1000]]), pmtPacket(0x1000, 1, others)))).toBeUndefined();
  });

  it('takes the first program with a picture, wherever it is in the table; else the first with sound', () => {
    const radio = pmtPacket(0x1001, 1, [{ type: 0x03, pid: 0x201 }]);
    const video = pmtPacket(0x1002, 2, [H264, AAC]);
    const later = pmtPacket(0x1003, 3, [{ type: 0x1b, pid: 0x300 }]);
    const pat = patPacket([
      [0, 0x10],
      [1, 0x1001],
      [2, 0x1002],
      [3, 0x1003],
    ]);
    expect(
      readTsProgram(stream(pat, radio, later, pesPacket(0x300), video, pesPacket(0x100), pesPacket(0x101))),
    ).toMatchObject({
      number: 2,
      video: { pid: 0x100 },
    });
    expect(readTsProgram(stream(pat, radio))).toMatchObject({ number: 1, video: undefined, audio: { pid: 0x201 } });
  });

  it('leaves out a stream that is listed but never comes, as long as there is another', () => {
    const tables = stream(patPacket([[1, 0x1000]]), pmtPacket(0x1000, 1, [H264, AAC]));
    expect(readTsProgram(stream(tables, pesPacket(0x100)))).toMatchObject({ video: { pid: 0x100 }, audio: undefined });
    expect(readTsProgram(tables)).toMatchObject({ video: { pid: 0x100 }, audio: { pid: 0x101 } });
  });

  it('prefers AAC among the same sound in several codecs, and the first language', () => {
    const sounds = [
      { type: 0x81, pid: 0x101, descriptors: language('deu') },
      { type: 0x0f, pid: 0x102, descriptors: language('eng') },
      { type: 0x0f, pid: 0x103, descriptors: language('deu') },
    ];
    const bytes = stream(patPacket([[1, 0x1000]]), pmtPacket(0x1000, 1, [H264, ...sounds]));
    expect(readTsProgram(bytes)?.audio).toMatchObject({ pid: 0x103, language: 'deu' });
  });

  it('says what is encrypted: scrambled packets, SAMPLE-AES', () => {
    const pat = patPacket([[1, 0x1000]]);
    const scrambled = stream(pat, pmtPacket(0x1000, 1, [H264]), pesPacket(0x100, [], 0x90));
    expect(readTsProgram(scrambled)?.isEncrypted).toBe(true);
    const samples = stream(pat, pmtPacket(0x1000, 1, [{ type: 0xdb, pid: 0x100 }]), pesPacket(0x100));
    expect(readTsProgram(samples)?.isEncrypted).toBe(true);
    const clear = stream(pat, pmtPacket(0x1000, 1, [H264]), pesPacket(0x100));
    expect(readTsProgram(clear)?.isEncrypted).toBe(false);
  });

  it('puts a table of several packets together, and ignores one that is damaged', () => {
    const many = Array.from({ length: 40 }, (_, index) => ({
      type: 0x0f,
      pid: 0x200 + index,
      descriptors: language('deu'),
    }));
    const pat = patPacket([[1, 0x1000]]);
    const pmt = pmtPacket(0x1000, 1, [...many, H264]);
    expect(pmt.length).toBeGreaterThan(188);
    expect(readTsProgram(stream(pat, pmt.subarray(0, 188), pesPacket(0x300), pmt.subarray(188)))?.video?.pid).toBe(
      0x100,
    );
    const damaged = Buffer.from(pmt);
    damaged[20] = damaged[20]! ^ 1;
    expect(readTsProgram(stream(pat, damaged))).toBeUndefined();
    expect(readTsProgram(stream(pat, damaged, pmt))?.video?.pid).toBe(0x100);
  });

  it('finds the packets among other bytes, and nothing where there are none', () => {
    const bytes = stream(patPacket([[1, 0x1000]]), pmtPacket(0x1000, 1, [H264]), pesPacket(0x100));
    const noise = Buffer.from('<GG>html>G');
    expect(readTsProgram(stream(noise, bytes))?.video?.pid).toBe(0x100);
    const pat = bytes.subarray(0, 188);
    expect(readTsProgram(stream(pat, pat, pat, noise, bytes.subarray(188)))?.video?.pid).toBe(0x100);
    expect(readTsProgram(Buffer.from('<html>'.repeat(1_000)))).toBeUndefined();
    expect(readTsProgram(Buffer.alloc(0))).toBeUndefined();
  });

  it('survives whatever bytes come', async () => {
    const bytes = await encodeTs([...TS_PICTURE, ...TS_TONE, ...TS_H264, ...TS_AAC], { seconds: 0.2 });
    const head = bytes.subarray(0, 188 * 40);
    const random = seededRandom(7);
    for (let left = 2_000; left > 0; left -= 1) readTsProgram(mutate(head, random));
    // A pointer, lengths and adaptation fields that reach past the packet.
    for (const control of [0x10, 0x20, 0x30]) {
      const wild = tsPacket(0, Buffer.alloc(184, 0xfe), { control });
      expect(
        readTsProgram(stream(wild, wild, wild, patPacket([[1, 0x1000]]), pmtPacket(0x1000, 1, [H264])))?.number,
      ).toBe(1);
    }
  });
});

describe('sameProgram', () => {
  const read = (...packets: Buffer[]) => readTsProgram(stream(patPacket([[1, 0x1000]]), ...packets))!;
  const first = read(pmtPacket(0x1000, 1, [H264, AAC]), pesPacket(0x100), pesPacket(0x101, adts(3)));

  it('is true for another version of the same table', () => {
    const next = read(pmtPacket(0x1000, 1, [AAC, H264], 5), pesPacket(0x100), pesPacket(0x101, adts(3)));
    expect(sameProgram(first, next)).toBe(true);
  });

  it.each([
    ['another codec', [{ type: 0x24, pid: 0x100 }, AAC], adts(3)],
    ['another PID', [{ type: 0x1b, pid: 0x102 }, AAC], adts(3)],
    ['no sound', [H264], adts(3)],
    ['another sample rate', [H264, AAC], adts(4)],
  ])('is false for %s', (_, streams, header) => {
    const next = read(pmtPacket(0x1000, 1, streams), pesPacket(streams[0]!.pid), pesPacket(0x101, header));
    expect(sameProgram(first, next)).toBe(false);
  });
});

describe('TsProgramReader', () => {
  function push(reader: TsProgramReader, ...packets: Buffer[]): boolean {
    const bytes = stream(...packets);
    let changed = false;
    for (let at = findPacket(bytes); at >= 0 && at < bytes.length; at += 188) {
      changed = reader.push(readPacket(bytes, at)!) || changed;
    }
    return changed;
  }

  it('is complete once all streams of the program that it will keep to were seen', () => {
    const reader = new TsProgramReader();
    expect(
      push(
        reader,
        patPacket([
          [1, 0x1001],
          [2, 0x1002],
        ]),
        pmtPacket(0x1002, 2, [H264, AAC]),
      ),
    ).toBe(true);
    push(reader, pesPacket(0x100), pesPacket(0x101));
    expect(reader.isComplete).toBe(false);
    push(reader, pmtPacket(0x1001, 1, [{ type: 0x03, pid: 0x201 }]));
    expect(reader.isComplete).toBe(true);
    expect(reader.program()?.number).toBe(2);
  });

  it('tells a change of the table, or of what the sound is coded for, and none of media that looks like it once', () => {
    const reader = new TsProgramReader();
    push(
      reader,
      patPacket([[1, 0x1000]]),
      pmtPacket(0x1000, 1, [H264, AAC]),
      pesPacket(0x100),
      pesPacket(0x101, adts(3)),
    );
    expect(push(reader, pmtPacket(0x1000, 1, [H264, AAC]), pesPacket(0x101, adts(3)))).toBe(false);
    expect(push(reader, pesPacket(0x101, adts(4)), pesPacket(0x101, adts(3)))).toBe(false);
    expect(push(reader, pesPacket(0x101, adts(4)), pesPacket(0x101, adts(4)))).toBe(true);
    expect(push(reader, pmtPacket(0x1000, 1, [{ type: 0x24, pid: 0x100 }, AAC], 1))).toBe(true);
    expect(reader.program()?.video?.codec).toBe('h265');
  });

  it('keeps to a program that it has settled on', () => {
    const reader = new TsProgramReader();
    push(
      reader,
      patPacket([
        [1, 0x1001],
        [2, 0x1002],
      ]),
      pmtPacket(0x1001, 1, [AAC]),
      pesPacket(0x101),
    );
    reader.settle();
    push(reader, pmtPacket(0x1002, 2, [H264]), pesPacket(0x100));
    expect(reader.program()).toMatchObject({ number: 1, video: undefined });
    expect(reader.isComplete).toBe(true);
  });
});
