import type { AudioCodec, AudioMessage } from '../../media/flv/audio-message.ts';
import { aacFrameSeconds, opusPacketSamples } from '../../media/flv/audio-frame-length.ts';
import { buildAudioInit } from '../../media/cmaf/init-writer.ts';
import type { TrackInit } from '../../media/fragment.ts';
import type { FrameSink } from './video-track.ts';

/** Timestamps in whole ms and counted samples may be this far apart before the timestamps win. */
const MAX_DRIFT_SECONDS = 0.05;
/** Timestamps further behind than this are a step of the publisher's clock, not drift. */
const MAX_LEAD_SECONDS = 1;
const OPUS_RATE = 48_000;

interface Setup {
  readonly codec: AudioCodec;
  readonly config: Buffer;
  readonly init: TrackInit;
  /** Ticks of an AAC frame. */
  readonly frameTicks: number;
}

/**
 * Turns the audio messages of one track into frames on a timeline of counted samples, anchored on the first timestamp
 * and anchored anew where the two drift apart.
 */
export class AudioTrack {
  readonly #sink: FrameSink;
  #setup: Setup | undefined;
  #next: number | undefined;
  #dropped = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Frames that could not be used: before the sequence header, before time zero, or too many for their timestamps. */
  get dropped(): number {
    return this.#dropped;
  }

  /** @throws AppError `BAD_MEDIA` for a decoder set-up or a packet that cannot be used. */
  message(message: AudioMessage, timestampMs: number): void {
    if (message.kind === 'config') this.#configure(message.codec, message.config);
    else if (message.kind === 'frame') this.#frame(message.codec, message.data, timestampMs);
  }

  #configure(codec: AudioCodec, config: Buffer): void {
    if (this.#setup?.codec === codec && this.#setup.config.equals(config)) return;
    this.#setup = undefined;
    this.#next = undefined;
    const init = buildAudioInit({ codec, config });
    const frameTicks = codec === 'aac' ? Math.round(aacFrameSeconds(config) * init.timescale) : 0;
    this.#setup = { codec, config, init, frameTicks };
  }

  #frame(codec: AudioCodec, data: Buffer, ms: number): void {
    const setup = this.#setup;
    if (setup?.codec !== codec || ms < 0) {
      this.#dropped += 1;
      return;
    }
    const { init } = setup;
    const duration =
      codec === 'aac' ? setup.frameTicks : Math.round((opusPacketSamples(data) * init.timescale) / OPUS_RATE);
    const dts = this.#place((ms * init.timescale) / 1000, init.timescale);
    if (dts === undefined) {
      this.#dropped += 1;
      return;
    }
    this.#next = dts + duration;
    this.#sink(init, { dts, pts: dts, duration, sync: true, data });
  }

  /** Decode time of a frame whose timestamp says `stamped`; undefined if the frame is one too many. */
  #place(stamped: number, timescale: number): number | undefined {
    if (this.#next === undefined) return Math.round(stamped);
    const lead = this.#next - stamped;
    if (Math.abs(lead) <= MAX_DRIFT_SECONDS * timescale) return this.#next;
    // Stepping back over what is out already would break the timeline: the samples wait for the clock instead.
    if (lead > 0 && lead <= MAX_LEAD_SECONDS * timescale) return undefined;
    return Math.round(stamped);
  }
}
