import { describe, expect, it } from 'vitest';
import { firstDecodeTime, ticksBetween } from '../../../src/ingest/pull/ts-times.ts';
import { readTsProgram } from '../../../src/ingest/pull/ts-program.ts';
import { encodeTs, probeTs, TS_AAC, TS_H264, TS_PICTURE, TS_TONE } from '../../support/transport-streams.ts';

describe('times of transport streams', () => {
  it.each([10, 2 ** 33 / 90_000 - 0.5])('are read as ffprobe reads them, from %d s on', async (startS) => {
    const bytes = await encodeTs([...TS_PICTURE, ...TS_TONE, ...TS_H264, ...TS_AAC], { seconds: 1, startS });
    const program = readTsProgram(bytes)!;
    for (const kind of ['video', 'audio'] as const) {
      const [first] = await probeTs(bytes, kind === 'video' ? 'v' : 'a');
      expect(ticksBetween(first!.dts, firstDecodeTime(bytes, program[kind]!.pid, 0)!)).toBe(0);
    }
    expect(firstDecodeTime(bytes, 0x1abc, 0)).toBeUndefined();
  });

  it('are compared over the turn of the clock', () => {
    expect(ticksBetween(100, 250)).toBe(150);
    expect(ticksBetween(250, 100)).toBe(-150);
    expect(ticksBetween(2 ** 33 - 50, 100)).toBe(150);
    expect(ticksBetween(100, 2 ** 33 - 50)).toBe(-150);
    expect(ticksBetween(-50, 100)).toBe(150);
  });
});
