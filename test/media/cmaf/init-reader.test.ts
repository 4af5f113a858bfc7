import { beforeAll, describe, expect, it } from 'vitest';
import { box, fullBox, u16, u32 } from '../../../src/media/cmaf/box-writer.ts';
import { guardInit, MAX_INIT_BYTES } from '../../../src/media/cmaf/init-guard.ts';
import { type InitTrack, readInit, readTrackInit } from '../../../src/media/cmaf/init-reader.ts';
import { AppError } from '../../../src/util/errors.ts';
import { encodeFmp4, H264, mutate, seededRandom, splitFmp4, TEST_PICTURE, TEST_TONE } from '../../support/fmp4.ts';

const badMedia = expect.objectContaining({ code: 'BAD_MEDIA' }) as Error;

let both: Buffer;
let hevc: Buffer;
let audio: Buffer;

async function initOf(args: readonly string[], movflags?: string): Promise<Buffer> {
  const stream = await encodeFmp4(args, { seconds: 0.4, ...(movflags !== undefined && { movflags }) });
  return splitFmp4(stream).init;
}

/** Exchanges the first box of a type for another one, and corrects the sizes of all boxes around it. */
function replaceBox(content: Buffer, type: string, replacement: Buffer): Buffer {
  const containers = new Set(['moov', 'trak', 'mdia', 'minf', 'stbl', 'mvex', 'edts']);
  let replaced = 0;
  const walk = (bytes: Buffer): Buffer => {
    const out: Buffer[] = [];
    for (let at = 0; at < bytes.length;) {
      const size = bytes.readUInt32BE(at);
      const name = bytes.toString('latin1', at + 4, at + 8);
      const whole = bytes.subarray(at, at + size);
      if (replaced === 0 && name === type) {
        replaced += 1;
        out.push(replacement);
      } else out.push(containers.has(name) ? box(name, walk(whole.subarray(8))) : whole);
      at += size;
    }
    return Buffer.concat(out);
  };
  const result = walk(content);
  if (replaced === 0) throw new Error(`there is no "${type}" box`);
  return result;
}

beforeAll(async () => {
  [both, hevc, audio] = await Promise.all([
    initOf([...TEST_PICTURE, ...TEST_TONE, ...H264, '-c:a', 'libopus'], 'empty_moov+default_base_moof+delay_moov'),
    initOf([...TEST_PICTURE, '-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none']),
    initOf([...TEST_TONE, '-c:a', 'aac']),
  ]);
});

describe('readInit', () => {
  it('gives each track of an init with several an init of its own', () => {
    const [video, sound] = readInit(both) as [InitTrack, InitTrack];
    expect(video).toMatchObject({
      trackId: 1,
      timescale: 12_800,
      init: { kind: 'video', timescale: 90_000, width: 322 },
    });
    expect(sound).toMatchObject({ trackId: 2, timescale: 48_000, init: { kind: 'audio', codec: 'opus' } });
    for (const { init } of [video, sound]) expect(readTrackInit(init.bytes)).toMatchObject({ kind: init.kind });
  });

  it('tells where the edit list cuts the start off', () => {
    expect(readInit(both).map(({ editSeconds }) => editSeconds)).toEqual([-0.08, -0.0065]);
  });

  it('adds the length of empty edits', () => {
    const elst = fullBox(
      'elst',
      1,
      0,
      u32(2),
      u32(0, 1500, 0xffffffff, 0xffffffff),
      u16(1, 0),
      u32(0, 0, 0, 1280),
      u16(1, 0),
    );
    expect(readInit(replaceBox(both, 'elst', elst))[0]?.editSeconds).toBeCloseTo(1.4, 9);
  });

  it('calls H.265 with parameter sets in its init hvc1', () => {
    expect(hevc.includes('hev1')).toBe(true);
    expect(readInit(hevc)[0]?.init.codec).toMatch(/^hvc1\./);
  });

  it('takes the defaults of trex', () => {
    const changed = replaceBox(audio, 'trex', fullBox('trex', 0, 0, u32(1, 1, 1024, 77, 0x02000000)));
    expect(readInit(changed)[0]?.defaults).toEqual({ duration: 1024, size: 77, flags: 0x02000000 });
  });

  it('leaves tracks out that are neither video nor audio', () => {
    const changed = replaceBox(both, 'hdlr', fullBox('hdlr', 0, 0, u32(0), Buffer.from('meta'), u32(0, 0, 0)));
    expect(readInit(changed).map(({ trackId }) => trackId)).toEqual([2]);
  });

  it.each<[string, () => Buffer]>([
    ['nothing', () => Buffer.alloc(0)],
    ['an init above 64 kB', () => Buffer.concat([both, box('free', Buffer.alloc(MAX_INIT_BYTES))])],
    [
      'a constant sample size with a huge count',
      () => replaceBox(audio, 'stsz', fullBox('stsz', 0, 0, u32(1, 0x7fffffff))),
    ],
    ['a sample table with entries', () => replaceBox(audio, 'stts', fullBox('stts', 0, 0, u32(1, 5, 1024)))],
    [
      'a second sample description',
      () => replaceBox(audio, 'stsd', fullBox('stsd', 0, 0, u32(2), box('mp4a'), box('mp4a'))),
    ],
    ['a sample description without an entry', () => replaceBox(audio, 'stsd', fullBox('stsd', 0, 0, u32(1)))],
    ['an unknown codec', () => replaceBox(audio, 'stsd', fullBox('stsd', 0, 0, u32(1), box('ac-3', Buffer.alloc(28))))],
    [
      'an encrypted track',
      () => replaceBox(audio, 'stsd', fullBox('stsd', 0, 0, u32(1), box('enca', Buffer.alloc(28)))),
    ],
    [
      'video in an audio track',
      () => replaceBox(audio, 'stsd', fullBox('stsd', 0, 0, u32(1), box('avc1', Buffer.alloc(78)))),
    ],
    [
      'an entry without its configuration',
      () => replaceBox(audio, 'stsd', fullBox('stsd', 0, 0, u32(1), box('mp4a', Buffer.alloc(28)))),
    ],
    ['an edit list with many entries', () => replaceBox(both, 'elst', fullBox('elst', 0, 0, u32(1_000_000)))],
    [
      'an edit list that cuts an hour off',
      () => replaceBox(both, 'elst', fullBox('elst', 0, 0, u32(1, 0, 3600 * 12_800, 0x10000))),
    ],
    ['no mvex', () => replaceBox(both, 'mvex', Buffer.alloc(0))],
    ['no sample description', () => replaceBox(both, 'stsd', Buffer.alloc(0))],
    ['a timescale of 0', () => replaceBox(both, 'mdhd', fullBox('mdhd', 0, 0, u32(0, 0, 0, 0, 0)))],
    ['a short mvhd', () => replaceBox(both, 'mvhd', fullBox('mvhd', 0, 0, Buffer.alloc(20)))],
    [
      'two tracks with one id',
      () => {
        const changed = Buffer.from(both);
        changed.writeUInt32BE(1, changed.lastIndexOf('tkhd') + 16);
        return changed;
      },
    ],
    [
      'too many tracks',
      () =>
        replaceBox(
          both,
          'mvhd',
          Buffer.concat([guardInit(both).bytes.subarray(28, 136), ...Array.from({ length: 9 }, () => box('trak'))]),
        ),
    ],
  ])('refuses %s', (_name, make) => {
    expect(() => readInit(make())).toThrow(badMedia);
  });

  it('throws nothing but BAD_MEDIA for 8,000 damaged inits, and takes no long time for any of them', () => {
    const random = seededRandom(20_261_121);
    const originals = [both, hevc, audio];
    let accepted = 0;
    let slowestMs = 0;
    for (let run = 0; run < 8_000; run += 1) {
      const original = originals[run % originals.length]!;
      const from = run % 2 === 0 ? 0 : original.indexOf('stsd');
      const damaged = mutate(
        original,
        random,
        from,
        run % 2 === 0 ? original.length : Math.min(original.length, from + 300),
      );
      const startMs = performance.now();
      try {
        readInit(damaged);
        accepted += 1;
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'BAD_MEDIA') throw error;
      }
      slowestMs = Math.max(slowestMs, performance.now() - startMs);
    }
    expect(accepted).toBeGreaterThan(100);
    expect(accepted).toBeLessThan(7_000);
    expect(slowestMs).toBeLessThan(1_000);
  });
});

describe('readTrackInit', () => {
  it('refuses an init with two tracks', () => {
    expect(() => readTrackInit(both)).toThrow(/2 tracks/);
  });

  it('refuses a timescale that is not the program’s own', () => {
    expect(() => readTrackInit(hevc)).toThrow(/12800 ticks/);
  });
});

describe('guardInit', () => {
  it('rebuilds an init from what it checked and nothing else', () => {
    const extended = replaceBox(
      both,
      'mvex',
      Buffer.concat([box('udta', Buffer.alloc(50, 7)), box('mvex', fullBox('trex', 0, 0, u32(1, 1, 0, 0, 0)))]),
    );
    const { bytes, tracks } = guardInit(extended);
    expect(bytes.includes('udta')).toBe(false);
    expect(tracks.map(({ entryType }) => entryType)).toEqual(['avc1', 'Opus']);
    expect(guardInit(bytes).bytes).toEqual(bytes);
  });
});
