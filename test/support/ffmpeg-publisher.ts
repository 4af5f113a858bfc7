import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** What a test publishes: a moving picture with a clock, and a tone. */
export interface TestStream {
  readonly url: string;
  /** Media time; endless if left out. */
  readonly durationS?: number;
  readonly size?: string;
  readonly rate?: number | string;
  /** Frames between keyframes. */
  readonly gop?: number;
  readonly bFrames?: number;
  readonly audio?: boolean;
  readonly video?: boolean;
  /** How much later than the picture the sound begins. */
  readonly audioDelayS?: number;
  /** As fast as the server takes it, instead of in real time. */
  readonly burst?: boolean;
  readonly videoBitrateKbps?: number;
}

/** A real ffmpeg that publishes; ended by its own end, by `stop()`, or by `kill()`. */
export class FfmpegPublisher {
  readonly process: ChildProcess;
  readonly exited: Promise<number | null>;
  #stderr = '';

  constructor(stream: TestStream) {
    this.process = spawn(process.env['LADDERCAST_FFMPEG'] ?? 'ffmpeg', publishArgs(stream), {
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    this.process.stderr?.on(
      'data',
      (chunk: Buffer) => (this.#stderr = (this.#stderr + chunk.toString()).slice(-4_000)),
    );
    this.process.stdin?.on('error', () => undefined);
    this.exited = once(this.process, 'close').then(([code]) => code as number | null);
  }

  /** The end of what ffmpeg said, for a failing test's message. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Ends the stream as a streamer would: unpublish, then close. */
  async stop(): Promise<void> {
    this.process.stdin?.end('q');
    await this.exited;
  }

  /** Ends the process at once; the kernel closes its socket. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.exited;
  }
}

function publishArgs(stream: TestStream): string[] {
  const { size = '640x360', rate = 30, gop = 60, bFrames = 2, videoBitrateKbps = 1_000 } = stream;
  const { audio = true, video = true, burst = false, audioDelayS = 0 } = stream;
  const limit = stream.durationS === undefined ? [] : ['-t', String(stream.durationS)];
  const pace = burst ? [] : ['-re'];
  return [
    ...['-hide_banner', '-loglevel', 'warning'],
    ...(video ? [...pace, '-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=${rate}`] : []),
    ...(audio
      ? [...pace, '-itsoffset', String(audioDelayS), '-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000']
      : []),
    ...limit,
    ...(video
      ? [
          ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', String(gop), '-keyint_min', '1'],
          ...['-sc_threshold', '0', '-bf', String(bFrames), '-b:v', `${videoBitrateKbps}k`, '-threads', '1'],
        ]
      : []),
    ...(audio ? ['-c:a', 'aac', '-b:a', '96k', '-ac', '2'] : []),
    ...['-f', 'flv', '-flvflags', 'no_duration_filesize', stream.url],
  ];
}
