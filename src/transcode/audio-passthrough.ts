import { SHARED_AUDIO_RENDITION } from '../ladder/ladder-source.ts';
import type { TrackInit } from '../media/fragment.ts';
import { reemit } from './passthrough.ts';
import type { OptOut, Transcoder, TranscoderContext, TranscoderFactory } from './transcoder.ts';

/** Serves the publisher's AAC untouched as the audio that all rungs share. */
export class AudioPassthroughFactory implements TranscoderFactory {
  readonly name = 'audio-passthrough';

  build(context: TranscoderContext): Transcoder | OptOut {
    const isSharedAudio = context.rendition.name === SHARED_AUDIO_RENDITION && context.source.track === 'audio';
    if (!isSharedAudio) return { optOut: 'not the shared audio', servedElsewhere: true };
    if (!isAac(context.init)) return { optOut: `${context.init.codec} must be encoded to AAC`, servedElsewhere: true };
    return reemit(context);
  }
}

/** True for AAC of any profile (RFC 6381 `mp4a.40.*`). */
export function isAac({ codec }: TrackInit): boolean {
  return codec.startsWith('mp4a.40');
}
