import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { DemuxedFrame } from '../../../src/ingest/fmp4-demuxer.ts';
import { STUCK_MS, TsLeg } from '../../../src/ingest/pull/ts-leg.ts';
import { readTsProgram } from '../../../src/ingest/pull/ts-program.ts';
import { silentLogger } from '../../../src/util/logger.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/poll.ts';
import { encodeTs, TS_AAC, TS_H264, TS_PICTURE, TS_TONE } from '../../support/transport-streams.ts';
import { testBinary } from '../../support/vod-heads.ts';

const bytes = await encodeTs([...TS_PICTURE, ...TS_TONE, ...TS_H264, ...TS_AAC]);
const program = readTsProgram(bytes)!;
let leg: TsLeg;

afterEach(() => leg.close());

function open(clock = new ManualClock()) {
  const frames: DemuxedFrame[] = [];
  leg = new TsLeg({
    ...{ binary: testBinary, program, clock, logger: silentLogger },
    onFrames: (more) => void frames.push(...more),
  });
  return { clock, frames };
}

/** The ffmpeg that this process has started. */
function childPid(): number {
  const pids = readdirSync(`/proc/${process.pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${process.pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
  const [pid, ...others] = pids.filter((one) => readFileSync(`/proc/${one}/comm`, 'utf8').trim() === 'ffmpeg');
  if (pid === undefined || others.length > 0) throw new Error(`${pids.length} children`);
  return pid;
}

describe('TsLeg', () => {
  it('takes what goes on, over holes of up to ten seconds', async () => {
    open();
    expect(leg.takes(program, 900_000)).toBe(true);
    leg.beginSegment(900_000, 2_000);
    for (const [ticks, goesOn] of [
      [1_080_000, true],
      [1_080_000 + 900_000, true],
      [1_080_000 + 900_001, false],
      [1_080_000 - 45_000, true],
      [1_080_000 - 45_001, false],
      [undefined, true],
    ] as const) {
      expect([ticks, leg.takes(program, ticks)]).toEqual([ticks, goesOn]);
    }
    expect(leg.takes({ ...program, audio: undefined }, 1_080_000)).toBe(false);
    await leg.close();
  });

  it('hands all frames on, and takes nothing more when it has ended', async () => {
    const { frames } = open();
    await leg.start();
    leg.beginSegment(900_000, 2_000);
    await leg.write(bytes);
    await leg.end();
    expect(frames.filter(({ init }) => init.kind === 'video')).toHaveLength(50);
    expect(leg.takes(program, undefined)).toBe(false);
  });

  it('is given up when segments bring no frame for a while', async () => {
    const { clock } = open();
    await leg.start();
    leg.beginSegment(undefined, 2_000);
    clock.advance(STUCK_MS - 1);
    leg.beginSegment(undefined, 2_000);
    expect(leg.takes(program, undefined)).toBe(true);
    clock.advance(1);
    expect(leg.takes(program, undefined)).toBe(false);
  });

  it('does not let an ffmpeg that is stuck hold up anything', async () => {
    const { clock } = open();
    await leg.start();
    process.kill(childPid(), 'SIGSTOP');
    let isWritten = false;
    const written = (async () => {
      for (let count = 0; count < 4; count += 1) await leg.write(Buffer.alloc(1 << 20, bytes));
      isWritten = true;
    })();
    await until('somebody waits', () => clock.pending > 0);
    clock.advance(STUCK_MS - 1);
    await Promise.resolve();
    expect(isWritten).toBe(false);
    clock.advance(1);
    await written;
    expect(leg.takes(program, undefined)).toBe(false);
    await leg.end();
  });
});
