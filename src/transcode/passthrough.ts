import { factoryOf } from '../ladder/rendition.ts';
import type { OptOut, Transcoder, TranscoderContext, TranscoderFactory } from './transcoder.ts';

/** Serves the publisher's video untouched: the very same fragment objects, under the rung's name. */
export class PassthroughFactory implements TranscoderFactory {
  readonly name = 'passthrough';

  build(context: TranscoderContext): Transcoder | OptOut {
    if (factoryOf(context.rendition) !== 'passthrough') {
      return { optOut: 'the rung is to be encoded', servedElsewhere: true };
    }
    if (context.source.track !== 'video') return { optOut: 'the rung carries video only', servedElsewhere: true };
    return reemit(context);
  }
}

/** A transcoder that emits what it is given. */
export function reemit({ emit }: TranscoderContext): Transcoder {
  return { start: () => undefined, push: emit, stop: () => undefined, abort: () => undefined };
}
