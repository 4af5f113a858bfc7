import { FfmpegChild } from '../../ffmpeg/ffmpeg-child.ts';
import { type Deferred, deferred } from '../../util/deferred.ts';
import { AppError } from '../../util/errors.ts';
import type { ProtocolInput } from './protocol-input.ts';
import type { OpenStream } from './stream-feed.ts';

/** What may wait to be taken; ffmpeg waits beyond it. */
const MAX_WAITING_BYTES = 1024 * 1024;

interface ProtocolStreamOptions {
  readonly binaryPath: string;
  readonly input: ProtocolInput;
  /** Takes each line that ffmpeg writes, without secrets. */
  readonly onWarning: (line: string) => void;
}

/** An ffmpeg that reads a source and gives a transport stream. */
export class ProtocolStream implements OpenStream {
  readonly isRecording = false;
  readonly #child: FfmpegChild;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #arrived: Deferred<void> = deferred();
  #end: { readonly failure: string | undefined } | undefined;

  constructor({ binaryPath, input, onWarning }: ProtocolStreamOptions) {
    const { url, options, output, secrets } = input;
    const hidden = secrets.filter((secret) => secret.length > 2);
    this.#child = new FfmpegChild({
      binaryPath,
      commandLine: { input: options, output },
      source: url,
      onOutput: (chunk) => this.#take(chunk),
      onWarning: (line) => onWarning(hidden.reduce((text, secret) => text.replaceAll(secret, '***'), line)),
    });
    void this.#child.done.then((end) => {
      this.#end = end;
      this.#arrived.resolve();
    });
  }

  /**
   * Starts ffmpeg, which connects then.
   * @throws AppError `TRANSCODER_FAILED` if it cannot be run
   */
  start(): Promise<void> {
    return this.#child.start();
  }

  async *pieces(): AsyncGenerator<Buffer> {
    for (;;) {
      for (const piece of this.#takeWaiting()) yield piece;
      if (this.#waiting.length > 0) continue;
      if (this.#end?.failure !== undefined)
        throw new AppError('UNAVAILABLE', 'the source does not answer as it should');
      if (this.#end !== undefined) return;
      this.#arrived = deferred();
      await this.#arrived.promise;
    }
  }

  close(): Promise<void> {
    return this.#child.kill();
  }

  #take(chunk: Buffer): void {
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes >= MAX_WAITING_BYTES) this.#child.pauseOutput();
    this.#arrived.resolve();
  }

  #takeWaiting(): Buffer[] {
    const taken = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#child.resumeOutput();
    return taken;
  }
}
