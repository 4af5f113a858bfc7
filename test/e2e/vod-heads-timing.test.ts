import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TIMELINE_ORIGIN_TICKS } from '../../src/vod/encode/canonical-fragment.ts';
import { segmentCount, type Title } from '../../src/vod/source/title.ts';
import { probePackets } from '../support/ffprobe.ts';
import { readTimecodes, writeTimecodedFilm } from '../support/timecode.ts';
import {
  cheapRung,
  copyOf,
  differences,
  framesOf,
  runHead,
  runHeads,
  sourceFrames,
  videoOf,
} from '../support/vod-heads.ts';
import { titleOf } from '../support/vod-title.ts';

const run = promisify(execFile);
const EVERY_2_S = ['-g', '48', '-bf', '2'];
let folder: string;
let film: Title;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-timing-'));
  const file = path.join(folder, 'film.mp4');
  await writeTimecodedFilm(file, { seconds: 8, output: [...EVERY_2_S, '-profile:v', 'high'] });
  film = await titleOf(file, { copy: true });
});

afterAll(() => rm(folder, { recursive: true }));

function everySegment(title: Title): number[] {
  return Array.from({ length: segmentCount(title) }, (_, index) => index);
}

describe('segments of heads', () => {
  it('follow one another without a gap, whatever rendition they are of', async () => {
    const renditions = [videoOf(film), videoOf(film, cheapRung({ height: 144, preset: 'veryfast' })), copyOf(film)];
    for (const rendition of renditions) {
      for (const index of everySegment(film)) {
        const { init, segments } = await runHead(film, rendition, index, index + 1);
        const packets = await probePackets(Buffer.concat([init!.bytes, segments[0]!.bytes]));
        const start = (TIMELINE_ORIGIN_TICKS + film.plan.boundaries[index]!) / 90_000;
        expect(packets[0]).toMatchObject({ keyframe: true });
        expect(packets[0]!.ptsS).toBeCloseTo(start, 4);
        expect(packets[0]!.dtsS).toBeCloseTo(start - 2 / 24, 4);
        expect(packets.at(-1)!.dtsS).toBeCloseTo(start + 45 / 24, 4);
        expect(packets).toHaveLength(48);
      }
    }
  });

  it('play one by one, with the times that they have among the others', async () => {
    const expected = await sourceFrames(film, 3, 4);
    for (const rendition of [videoOf(film), copyOf(film)]) {
      const { init, segments } = await runHead(film, rendition, 3, 4);
      const alone = Buffer.concat([init!.bytes, segments[0]!.bytes]);
      expect(differences(await readTimecodes(alone, TIMELINE_ORIGIN_TICKS), expected)).toEqual([]);
    }
  });

  it('begin where an edit list begins, between keyframes', async () => {
    const file = path.join(folder, 'edited.mp4');
    await run('ffmpeg', ['-v', 'error', '-ss', '1.1', '-i', film.source.path!, '-c', 'copy', file]);
    const title = await titleOf(file);
    const expected = await sourceFrames(title);
    expect(expected[0]!.number).toBeGreaterThan(0);
    for (const starts of [[0], everySegment(title)]) {
      const frames = await framesOf(await runHeads(title, videoOf(title), starts));
      expect(differences(frames, expected)).toEqual([]);
    }
  });

  it('may be empty where the picture stands still for longer', async () => {
    const file = path.join(folder, 'frozen.mkv');
    await writeTimecodedFilm(file, {
      ...{ seconds: 10, filters: "select='not(between(t,2.5,7.2))'" },
      output: [...EVERY_2_S, '-force_key_frames', 'expr:gte(t,n_forced*2)'],
    });
    const title = await titleOf(file, { cut: 'blind' });
    const expected = await sourceFrames(title);
    for (const starts of [[0], everySegment(title)]) {
      const runs = await runHeads(title, videoOf(title), starts);
      expect(differences(await framesOf(runs), expected)).toEqual([]);
    }
    const { end } = await runHead(title, videoOf(title), 2, 3);
    expect(end).toEqual({ ended: 'complete', lastIndex: 2 });
  });

  it('miss nothing where an index promises keyframes that are not there', async () => {
    const wrong = {
      ...film,
      plan: { ...film.plan, keyframes: everySegment(film).map((index) => index * 180_000 + 100_000) },
    };
    for (const rendition of [videoOf(wrong), copyOf(wrong)]) {
      const frames = await framesOf(await runHeads(wrong, rendition, [0, 2]));
      expect(differences(frames, await sourceFrames(film))).toEqual([]);
    }
  });
});

describe('the rates of a rung', () => {
  it('hold for pictures that need far more', async () => {
    const file = path.join(folder, 'noise.mp4');
    const filters = 'noise=alls=80:allf=t';
    await writeTimecodedFilm(file, { seconds: 8, size: '640x360', filters, output: ['-g', '48', '-crf', '10'] });
    const title = await titleOf(file);
    for (const spec of [
      { name: 'a', height: 240, videoBitrateKbps: 400 },
      { name: 'b', height: 360, videoBitrateKbps: 1_000, preset: 'ultrafast' },
    ]) {
      const rendition = videoOf(title, spec);
      const runs = await runHeads(title, rendition, everySegment(title));
      const segments = runs.flatMap((made) => made.segments);
      const rates = segments.map(({ bytes, durationTicks }) => (bytes.length * 8 * 90_000) / durationTicks);
      const bits = segments.reduce((sum, { bytes }) => sum + bytes.length * 8, 0);
      expect(Math.max(...rates)).toBeLessThanOrEqual(rendition.bandwidth);
      expect(Math.max(...rates)).toBeGreaterThan(rendition.bandwidth / 2);
      const [whole] = await runHeads(title, rendition, [0]);
      const wholeBits = whole!.segments.reduce((sum, { bytes }) => sum + bytes.length * 8, 0);
      expect(wholeBits / 8).toBeLessThanOrEqual(rendition.averageBandwidth * 1.1);
      expect(bits / 8).toBeLessThanOrEqual(rendition.bandwidth);
    }
  });
});
