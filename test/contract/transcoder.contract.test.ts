import { describe, expect, it } from 'vitest';
import type { RenditionSpec } from '../../src/ladder/rendition.ts';
import { PassthroughFactory } from '../../src/transcode/passthrough.ts';
import { SharedAudioFactory } from '../../src/transcode/shared-audio.ts';
import type { TranscoderFactory } from '../../src/transcode/transcoder.ts';
import { buildRun, type ManualRun, softwareFactory } from '../support/transcode-run.ts';
import { audioSource, ptsOf, type SourceMedia, videoSource } from '../support/transcode-source.ts';

interface Subject {
  readonly title: string;
  readonly factory: TranscoderFactory;
  readonly spec: RenditionSpec;
  readonly source: SourceMedia;
  /** What it must opt out of. */
  readonly foreign: SourceMedia;
}

const [video, audio, opus] = await Promise.all([
  videoSource({ size: '320x240', seconds: 2 }),
  audioSource('aac', 2, 2),
  audioSource('libopus', 2, 2),
]);
const ffmpeg = await softwareFactory();
const SUBJECTS: readonly Subject[] = [
  {
    ...{ title: 'passthrough', factory: new PassthroughFactory(), source: video, foreign: audio },
    spec: { name: 'original', factory: 'passthrough' },
  },
  {
    ...{ title: 'shared audio, AAC', factory: new SharedAudioFactory(ffmpeg), source: audio, foreign: video },
    spec: { name: 'audio' },
  },
  {
    ...{ title: 'ffmpeg video', factory: ffmpeg, source: video, foreign: audio },
    spec: { name: '144p', height: 144, videoBitrateKbps: 200 },
  },
  {
    ...{ title: 'shared audio, Opus', factory: new SharedAudioFactory(ffmpeg), source: opus, foreign: video },
    spec: { name: 'audio' },
  },
  {
    ...{ title: 'ffmpeg audio', factory: ffmpeg, source: opus, foreign: video },
    spec: { name: 'radio', audioBitrateKbps: 64 },
  },
];

describe.each(SUBJECTS)('the transcoder contract, $title:', ({ factory, spec, source, foreign }) => {
  function run(media: SourceMedia = source): ManualRun {
    const built = buildRun(factory, spec, media);
    if ('optOut' in built) throw new Error(built.optOut);
    return built;
  }

  it('hands out all media, in order, by the time stop() resolves, without a failure', async () => {
    const { transcoder, output, failures } = run();
    await transcoder.start();
    for (const fragment of source.fragments) await transcoder.push(fragment);
    await transcoder.stop();
    const pts = ptsOf(output);
    expect(pts).toEqual([...pts].sort((a, b) => a - b));
    const [first, last] = [source.fragments[0]!, source.fragments.at(-1)!];
    const toleranceTicks = source.init.timescale * 0.03;
    expect(Math.abs(pts[0]! - first.firstPts)).toBeLessThanOrEqual(toleranceTicks);
    expect(output.at(-1)!.endPts).toBeGreaterThanOrEqual(last.endPts - toleranceTicks);
    expect(failures).toEqual([]);
  });

  it('gives every output fragment the run’s epoch and the same init', async () => {
    const later = { ...source, fragments: source.fragments.map((fragment) => ({ ...fragment, epoch: 7 })) };
    const { transcoder, output } = run(later);
    await transcoder.start();
    for (const fragment of later.fragments) await transcoder.push(fragment);
    await transcoder.stop();
    expect(new Set(output.map(({ epoch }) => epoch))).toEqual(new Set([7]));
    expect(new Set(output.map(({ init }) => init)).size).toBe(1);
    expect(output[0]!.init.kind).toBe(source.init.kind);
  });

  it('hands out nothing after abort(), and no failure', async () => {
    const { transcoder, output, failures } = run();
    await transcoder.start();
    for (const fragment of source.fragments.slice(0, 20)) await transcoder.push(fragment);
    await transcoder.abort();
    const count = output.length;
    void transcoder.push(source.fragments[20]!);
    await transcoder.abort();
    expect(output.length - count).toBeLessThanOrEqual(1);
    expect(failures).toEqual([]);
  });

  it('may be aborted before it was started, and while it starts', async () => {
    await run().transcoder.abort();
    const { transcoder, failures } = run();
    const starting = Promise.resolve(transcoder.start()).catch(() => undefined);
    await transcoder.abort();
    await starting;
    expect(failures).toEqual([]);
  });

  it('starts nothing when it is built', () => {
    expect(run().transcoder.facts?.().pid).toBeUndefined();
  });

  it('opts out, with a reason, of media that it is not for', () => {
    const built = buildRun(factory, spec, foreign);
    expect('optOut' in built && built.optOut.length > 5).toBe(true);
  });
});
