import { readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { FfmpegChild } from '../../src/ffmpeg/ffmpeg-child.ts';
import type { FfmpegSource } from '../../src/ffmpeg/ffmpeg-source.ts';
import { until } from '../support/poll.ts';

const PICTURE = 'color=size=320x240:rate=25,format=gray';

let child: FfmpegChild;
afterEach(() => child.kill());

/** The nice values of all threads of a child that is at work. */
async function niceValues(source: FfmpegSource | string, input: string[]): Promise<number[]> {
  let received = 0;
  child = new FfmpegChild({
    ...{ binaryPath: 'ffmpeg', commandLine: { input, output: ['-f', 'rawvideo'] }, source },
    onOutput: (chunk) => (received += chunk.length),
    onWarning: () => undefined,
  });
  await child.start();
  await until('output', () => received > 0);
  return readdirSync(`/proc/${child.pid}/task`).map((thread) => {
    const fields = readFileSync(`/proc/${child.pid}/task/${thread}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return Number(fields[16]);
  });
}

describe('the priority of FfmpegChild', () => {
  it('is lower where it reads a source that waits for nobody', async () => {
    const values = await niceValues({ url: PICTURE, options: ['-f', 'lavfi'] }, []);
    expect([...new Set(values)]).toEqual([10]);
  });

  it('is that of the server otherwise', async () => {
    const values = await niceValues(PICTURE, ['-f', 'lavfi']);
    expect([...new Set(values)]).toEqual([os.getPriority()]);
  });
});
