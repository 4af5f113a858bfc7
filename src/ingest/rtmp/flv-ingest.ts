import { parseAudioMessage } from '../../media/flv/audio-message.ts';
import { parseStreamMetadata } from '../../media/flv/stream-metadata.ts';
import { parseVideoMessage } from '../../media/flv/video-message.ts';
import { AppError } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import type { Publication } from '../publication.ts';
import { AudioTrack } from './audio-track.ts';
import type { MediaType } from './guarded-rtmp.ts';
import { TimestampUnwrapper } from './timestamp-unwrapper.ts';
import { type FrameSink, VideoTrack } from './video-track.ts';

/** Reasons for ignored media that one connection writes to the log. */
const MAX_LOGGED_REASONS = 16;

/** What a connection sent that its publication never saw. */
export interface FlvIngestStats {
  readonly droppedFrames: number;
  readonly badMessages: number;
}

/** Feeds one publication from the RTMP messages of one connection; of several tracks of a kind it takes track 0. */
export class FlvIngest {
  readonly #logger: Logger;
  readonly #maxBadMessages: number;
  readonly #timestamps = new TimestampUnwrapper();
  readonly #video: VideoTrack;
  readonly #audio: AudioTrack;
  readonly #ignored = new Set<string>();
  #badMessages = 0;

  constructor(publication: Publication, maxBadMessages: number, logger: Logger) {
    const sink: FrameSink = (init, frame) => publication.frame(init, frame);
    this.#video = new VideoTrack(sink);
    this.#audio = new AudioTrack(sink);
    this.#maxBadMessages = maxBadMessages;
    this.#logger = logger;
  }

  get stats(): FlvIngestStats {
    return { droppedFrames: this.#video.dropped + this.#audio.dropped, badMessages: this.#badMessages };
  }

  /**
   * Takes one message; a bad one is counted and skipped.
   *
   * @throws AppError `BAD_MEDIA` if there were too many bad ones.
   */
  message(type: MediaType, timestampMs: number, payload: Buffer, nowMs: number): void {
    try {
      this.#dispatch(type, timestampMs, payload, nowMs);
    } catch (error) {
      this.#badMessages += 1;
      if (!(error instanceof AppError)) throw error;
      this.#report(`${type}: ${error.message}`);
      if (this.#badMessages > this.#maxBadMessages) {
        throw new AppError(
          'BAD_MEDIA',
          `more than ${this.#maxBadMessages} unusable messages, the last: ${error.message}`,
        );
      }
    }
  }

  /** Hands out the frames that have waited for their successors since before `beforeMs`. */
  flush(beforeMs = Infinity): void {
    this.#video.flush(beforeMs);
  }

  #dispatch(type: MediaType, timestampMs: number, payload: Buffer, nowMs: number): void {
    if (type === 'data') {
      this.#describe(payload);
      return;
    }
    if (type === 'video') {
      const messages = parseVideoMessage(payload);
      const ms = this.#unwrap(messages, timestampMs);
      for (const message of messages) {
        if (message.kind === 'ignored') this.#report(`video: ${message.reason}`);
        else if (message.trackId === 0) this.#video.message(message, ms, nowMs);
      }
      return;
    }
    const messages = parseAudioMessage(payload);
    const ms = this.#unwrap(messages, timestampMs);
    for (const message of messages) {
      if (message.kind === 'ignored') this.#report(`audio: ${message.reason}`);
      else if (message.trackId === 0) this.#audio.message(message, ms);
    }
  }

  /** Only frames move the time base: sequence headers come with timestamp 0 wherever the media starts. */
  #unwrap(messages: readonly { readonly kind: string }[], timestampMs: number): number {
    return messages.some(({ kind }) => kind === 'frame') ? this.#timestamps.unwrap(timestampMs) : timestampMs;
  }

  #describe(payload: Buffer): void {
    const metadata = parseStreamMetadata(payload);
    if (metadata === undefined) return;
    this.#video.describe(metadata);
    this.#logger.debug({ metadata }, 'publisher sent its metadata');
  }

  #report(reason: string): void {
    if (this.#ignored.has(reason) || this.#ignored.size >= MAX_LOGGED_REASONS) return;
    this.#ignored.add(reason);
    this.#logger.warn({ reason }, 'ignored media of the publisher');
  }
}
