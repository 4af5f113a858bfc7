import { SHARED_AUDIO_RENDITION } from '../ladder/ladder-source.ts';
import type { TrackInit } from '../media/fragment.ts';
import { reemit } from './passthrough.ts';
import type { OptOut, Transcoder, TranscoderContext, TranscoderFactory } from './transcoder.ts';

/** Encodes any audio to AAC. */
export interface AudioEncoder {
  encodeAudio(context: TranscoderContext): Transcoder;
}

/**
 * Serves the audio that all rungs share: the publisher's AAC untouched, anything else encoded. One factory does both, so
 * that the track goes on when a publisher comes back with another codec.
 */
export class SharedAudioFactory implements TranscoderFactory {
  readonly name = 'shared-audio';
  readonly #encoder: AudioEncoder;

  constructor(encoder: AudioEncoder) {
    this.#encoder = encoder;
  }

  build(context: TranscoderContext): Transcoder | OptOut {
    const isSharedAudio = context.rendition.name === SHARED_AUDIO_RENDITION && context.source.track === 'audio';
    if (!isSharedAudio) return { optOut: 'not the shared audio', servedElsewhere: true };
    return isAac(context.init) ? reemit(context) : this.#encoder.encodeAudio(context);
  }
}

/** True for AAC of any profile (RFC 6381 `mp4a.40.*`). */
function isAac({ codec }: TrackInit): boolean {
  return codec.startsWith('mp4a.40');
}
