import type { RenditionSpec } from '../../src/ladder/rendition.ts';
import type { Fragment } from '../../src/media/fragment.ts';
import { EncoderBroker } from '../../src/transcode/encoders.ts';
import { inspectFfmpeg } from '../../src/ffmpeg/ffmpeg-binary.ts';
import { primeFluentFfmpeg } from '../../src/ffmpeg/ffmpeg-child.ts';
import { FfmpegFactory } from '../../src/transcode/ffmpeg/ffmpeg-factory.ts';
import type { OptOut, Transcoder, TranscoderFactory } from '../../src/transcode/transcoder.ts';
import { systemClock } from '../../src/util/clock.ts';
import { silentLogger } from '../../src/util/logger.ts';
import type { SourceMedia } from './transcode-source.ts';

/** The ffmpeg factory with libx264, without the time that probing takes. */
export async function softwareFactory(): Promise<FfmpegFactory> {
  const binary = await inspectFfmpeg('ffmpeg');
  await primeFluentFfmpeg(binary.path);
  const works = { name: 'libx264', listed: true, works: true, reason: 'taken for granted' };
  return new FfmpegFactory({ encoders: new EncoderBroker(binary, [works]), clock: systemClock, logger: silentLogger });
}

/** One run of a transcoder, driven by hand. */
export interface ManualRun {
  readonly transcoder: Transcoder;
  readonly output: Fragment[];
  readonly failures: Error[];
}

/** Builds a run on the source, or answers why there is none. */
export function buildRun(
  factory: TranscoderFactory,
  rendition: RenditionSpec,
  { init, fragments }: SourceMedia,
): ManualRun | OptOut {
  const output: Fragment[] = [];
  const failures: Error[] = [];
  const built = factory.build({
    ...{ rendition, init, epoch: fragments[0]?.epoch ?? 0 },
    source: { broadcast: 'live/demo', rendition: 'source', track: init.kind },
    emit: (fragment) => output.push(fragment),
    fail: (error) => failures.push(error),
  });
  return 'optOut' in built ? built : { transcoder: built, output, failures };
}

/** Sends the whole source through a transcoder; answers what came out. */
export async function transcodeAll(
  factory: TranscoderFactory,
  rendition: RenditionSpec,
  source: SourceMedia,
): Promise<Fragment[]> {
  const run = buildRun(factory, rendition, source);
  if ('optOut' in run) throw new Error(run.optOut);
  await run.transcoder.start();
  for (const fragment of source.fragments) await run.transcoder.push(fragment);
  await run.transcoder.stop();
  if (run.failures[0] !== undefined) throw run.failures[0];
  return run.output;
}
