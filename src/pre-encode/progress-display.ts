import type { Writable } from 'node:stream';
import cliProgress from 'cli-progress';
import type { EncodeProgress } from './vod-client.ts';

/** Where progress is shown: a terminal, or anything else that takes lines. */
export type DisplayStream = Writable & { readonly isTTY?: boolean };

/** How fast a film is encoded in all its renditions. */
export interface Pace {
  /** Seconds of film in a second; 0 while that is not known. */
  readonly speed: number;
  /** How long it will still take; given if `speed` is. */
  readonly remainingS: number;
}

/** Shows how far one file is. */
export interface ProgressDisplay {
  show(progress: EncodeProgress, pace: Pace): void;
  /** Nothing is shown any more; lines may follow. */
  stop(): void;
}

const NAME_CHARS = 32;
const LINE_EACH_PERCENT = 10;

/** A bar on a terminal, a line each tenth of the way elsewhere. */
export function openDisplay(output: DisplayStream, name: string): ProgressDisplay {
  return output.isTTY === true ? new Bar(output, name) : new Lines(output, name);
}

/** Megabytes for people. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

class Bar implements ProgressDisplay {
  readonly #bar: cliProgress.SingleBar;
  #isStarted = false;

  constructor(output: DisplayStream, name: string) {
    this.#bar = new cliProgress.SingleBar({
      format: `${shortened(name)} {bar} {percentage}% | {value}/{total} segments | {size} | {pace}`,
      stream: output,
      barCompleteChar: '\u2588',
      barIncompleteChar: '\u2591',
      hideCursor: true,
      // Signals are the caller's.
      gracefulExit: false,
    });
  }

  show({ segments, encoded, bytes }: EncodeProgress, { speed, remainingS }: Pace): void {
    const pace = speed > 0 ? `${speed.toFixed(1)}x, ${Math.ceil(remainingS)} s left` : '-';
    const payload = { size: megabytes(bytes), pace };
    if (this.#isStarted) {
      this.#bar.setTotal(segments);
      this.#bar.update(encoded, payload);
    } else this.#bar.start(segments, encoded, payload);
    this.#isStarted = true;
  }

  stop(): void {
    if (this.#isStarted) this.#bar.stop();
  }
}

class Lines implements ProgressDisplay {
  readonly #output: DisplayStream;
  readonly #name: string;
  #nextPercent = 0;

  constructor(output: DisplayStream, name: string) {
    this.#output = output;
    this.#name = name;
  }

  show({ segments, encoded, bytes }: EncodeProgress, { speed }: Pace): void {
    const percent = segments === 0 ? 0 : Math.floor((100 * encoded) / segments);
    if (percent < this.#nextPercent) return;
    this.#nextPercent = percent - (percent % LINE_EACH_PERCENT) + LINE_EACH_PERCENT;
    const facts = [`${encoded}/${segments} segments`, megabytes(bytes), ...(speed > 0 ? [`${speed.toFixed(1)}x`] : [])];
    this.#output.write(`${this.#name}: ${percent}% (${facts.join(', ')})\n`);
  }

  stop(): void {
    // Lines are whole.
  }
}

function shortened(name: string): string {
  // Braces would be taken for a placeholder of the bar.
  const plain = name.replace(/[{}]/g, '_');
  return plain.length <= NAME_CHARS ? plain.padEnd(NAME_CHARS) : `${plain.slice(0, NAME_CHARS - 1)}\u2026`;
}
