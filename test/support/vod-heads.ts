import { createHash } from 'node:crypto';
import { type FfmpegBinary, inspectFfmpeg } from '../../src/ffmpeg/ffmpeg-binary.ts';
import type { RenditionSpec } from '../../src/ladder/rendition.ts';
import type { TrackInit } from '../../src/media/fragment.ts';
import { SOFTWARE_ENCODER, videoEncoder } from '../../src/transcode/ffmpeg/video-encoders.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { TIMELINE_ORIGIN_TICKS } from '../../src/vod/encode/canonical-fragment.ts';
import { Head, type HeadEnd } from '../../src/vod/encode/head.ts';
import { MAX_HEAD_SEGMENTS, type HeadSegment } from '../../src/vod/encode/segment-range.ts';
import { planRenditions, type RenditionRequest } from '../../src/vod/plan-renditions.ts';
import { segmentCount, type Title } from '../../src/vod/source/title.ts';
import type { VodAudio, VodRendition, VodVideo } from '../../src/vod/vod-rendition.ts';
import { readTimecodes, type TimecodedFrame } from './timecode.ts';

/** The ffmpeg on PATH. */
export const testBinary: FfmpegBinary = await inspectFfmpeg('ffmpeg');

/** Always libx264. */
export const chooseSoftware: RenditionRequest['choose'] = () => ({
  encoder: videoEncoder(SOFTWARE_ENCODER)!,
  reason: 'for tests',
});

/** A cheap rung of any size. */
export function cheapRung(spec: Partial<RenditionSpec> = {}): RenditionSpec {
  return { name: 'small', height: 90, videoBitrateKbps: 300, preset: 'ultrafast', ...spec };
}

/** The only picture that a title has with one rung. */
export function videoOf(title: Title, spec: RenditionSpec = cheapRung(), burn?: number): VodVideo {
  const [video] = planRenditions({ title, specs: [spec], choose: chooseSoftware, burn });
  if (video?.kind !== 'video') throw new Error('the title has no picture');
  return video;
}

/** The title's own frames. */
export function copyOf(title: Title): VodVideo {
  return videoOf(title, { name: 'original', factory: 'passthrough' });
}

/** All sounds of a title. */
export function allAudio(title: Title): VodAudio[] {
  return planRenditions({ title, specs: [], choose: chooseSoftware }).filter((rendition) => rendition.kind === 'audio');
}

/** A sound by its name. */
export function audioOf(title: Title, name = 'audio-0'): VodAudio {
  const audio = planRenditions({ title, specs: [], choose: chooseSoftware }).find(
    (rendition) => rendition.name === name,
  );
  if (audio?.kind !== 'audio') throw new Error(`the title has no sound ${name}`);
  return audio;
}

/** What a head made. */
export interface HeadRun {
  readonly init: TrackInit | undefined;
  readonly segments: readonly HeadSegment[];
  readonly end: HeadEnd;
}

/** Runs a head from its start to its end. */
export async function runHead(title: Title, rendition: VodRendition, first = 0, end?: number): Promise<HeadRun> {
  const segments: HeadSegment[] = [];
  const last = end ?? Math.min(segmentCount(title), first + MAX_HEAD_SEGMENTS);
  const head = new Head({
    ...{ binary: testBinary, title, rendition, first, end: last, logger: silentLogger },
    onSegment: (segment) => segments.push(segment),
  });
  head.start();
  const [init, how] = await Promise.all([head.init.catch(() => undefined), head.done]);
  return { init, segments, end: how };
}

/** Runs of heads that begin at the given segments, each to the next one's start. */
export async function runHeads(title: Title, rendition: VodRendition, starts: readonly number[]): Promise<HeadRun[]> {
  const runs: HeadRun[] = [];
  for (const [index, first] of starts.entries()) {
    runs.push(await runHead(title, rendition, first, starts[index + 1] ?? segmentCount(title)));
  }
  return runs;
}

/** Init and segments of several heads, one after the other. Fails unless all have the same init and ended well. */
export function join(runs: readonly HeadRun[]): Buffer {
  const inits = new Set(runs.map(({ init }) => createHash('sha1').update(init!.bytes).digest('hex')));
  const ends = new Set(runs.map(({ end }) => `${end.ended} ${end.reason ?? ''}`));
  if (inits.size !== 1) throw new Error(`${inits.size} different inits`);
  if (ends.size !== 1 || !ends.has('complete ')) throw new Error([...ends].join(', '));
  const segments = runs.flatMap((run) => run.segments.map(({ bytes }) => bytes));
  return Buffer.concat([runs[0]!.init!.bytes, ...segments]);
}

/** The frames of joined heads, in the title's time. */
export function framesOf(runs: readonly HeadRun[]): Promise<TimecodedFrame[]> {
  return readTimecodes(join(runs), TIMELINE_ORIGIN_TICKS);
}

/** The frames of the source from one segment on until another, in the title's time. */
export async function sourceFrames(title: Title, first = 0, end = segmentCount(title)): Promise<TimecodedFrame[]> {
  const [from, until] = [title.plan.boundaries[first]! - 90, title.plan.boundaries[end]! - 90];
  const frames = await readTimecodes(title.source.path!, title.startTicks);
  return frames.filter(({ pts }) => pts >= from && pts < until);
}

/** Where two lists of frames differ; empty if nowhere. Times may be a tick apart. */
export function differences(actual: readonly TimecodedFrame[], expected: readonly TimecodedFrame[]): string[] {
  const text = (frame: TimecodedFrame | undefined): string =>
    frame === undefined ? 'none' : `${frame.number}@${frame.pts}`;
  return Array.from(
    { length: Math.max(actual.length, expected.length) },
    (_, at) => [actual[at], expected[at]] as const,
  )
    .filter(([a, b]) => a?.number !== b?.number || Math.abs((a?.pts ?? 0) - (b?.pts ?? 0)) > 1)
    .map(([a, b]) => `${text(a)} instead of ${text(b)}`);
}
