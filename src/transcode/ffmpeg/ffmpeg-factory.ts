import { SHARED_AUDIO_RENDITION } from '../../ladder/ladder-source.ts';
import { factoryOf, isAudioOnly } from '../../ladder/rendition.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import type { EncoderBroker } from '../encoders.ts';
import type { AudioEncoder } from '../shared-audio.ts';
import type { OptOut, Transcoder, TranscoderContext, TranscoderFactory } from '../transcoder.ts';
import { audioCommandLine, videoCommandLine } from './ffmpeg-args.ts';
import { FfmpegTranscoder } from './ffmpeg-transcoder.ts';
import { planFrames, sizeObjection } from './rung-geometry.ts';

/** What the factory works with. */
export interface FfmpegFactoryOptions {
  readonly encoders: Pick<EncoderBroker, 'choose' | 'binary'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Encodes rungs with one ffmpeg child each: video to H.264, audio to AAC. */
export class FfmpegFactory implements TranscoderFactory, AudioEncoder {
  readonly name = 'ffmpeg';
  readonly #options: FfmpegFactoryOptions;

  constructor(options: FfmpegFactoryOptions) {
    this.#options = options;
  }

  build(context: TranscoderContext): Transcoder | OptOut {
    return context.source.track === 'video' ? this.#buildVideo(context) : this.#buildAudio(context);
  }

  #buildVideo(context: TranscoderContext): Transcoder | OptOut {
    const { rendition: spec, init } = context;
    const { encoders, clock, logger } = this.#options;
    if (factoryOf(spec) !== 'ffmpeg') return { optOut: 'the rung is passed through', servedElsewhere: true };
    if (isAudioOnly(spec)) return { optOut: 'the rung carries audio only', servedElsewhere: true };
    const objection = sizeObjection(spec, init);
    if (objection !== undefined) return { optOut: objection };
    const choice = encoders.choose(spec);
    if ('optOut' in choice) return choice;
    const { binary } = encoders;
    const plan = planFrames(spec, init);
    return new FfmpegTranscoder({
      ...{ context, clock, logger, binaryPath: binary.path, encoder: choice.encoder.name },
      commandLine: videoCommandLine({ binary, spec, init, encoder: choice.encoder }),
      frameRate: plan.declared ? plan.frameRate : undefined,
    });
  }

  encodeAudio(context: TranscoderContext): Transcoder {
    const { rendition: spec, init } = context;
    const { encoders, clock, logger } = this.#options;
    return new FfmpegTranscoder({
      ...{ context, clock, logger, binaryPath: encoders.binary.path, encoder: 'aac', frameRate: undefined },
      commandLine: audioCommandLine(spec, init),
    });
  }

  #buildAudio(context: TranscoderContext): Transcoder | OptOut {
    const { rendition: spec } = context;
    const sharesAudio = !isAudioOnly(spec) && spec.audio !== 'own';
    if (sharesAudio || spec.name === SHARED_AUDIO_RENDITION) {
      return { optOut: 'the rung shares the common audio', servedElsewhere: true };
    }
    return this.encodeAudio(context);
  }
}
