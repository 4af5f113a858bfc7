import type { TrackKind } from '../media/fragment.ts';

/** The file names of one packaged track. No name is ever used for two things. */
export class TrackNames {
  readonly #prefix: string;

  /** @param token makes the names unlike those of any other track; never used twice */
  constructor(kind: TrackKind, token: string) {
    this.#prefix = `${kind}-${token}-`;
  }

  init(count: number): string {
    return `${this.#prefix}init-${count}.mp4`;
  }

  segment(msn: number): string {
    return `${this.#prefix}${msn}.m4s`;
  }

  /** Parts count through all segments of the track. */
  part(number: number): string {
    return `${this.#prefix}p${number}.m4s`;
  }

  /** Number of the segment with this file name. */
  msnOf(name: string): number | undefined {
    return this.#numberIn(name, /-(\d{1,15})\.m4s$/, (number) => this.segment(number));
  }

  /** Number of the part with this file name. */
  partOf(name: string): number | undefined {
    return this.#numberIn(name, /-p(\d{1,15})\.m4s$/, (number) => this.part(number));
  }

  #numberIn(name: string, pattern: RegExp, nameOf: (number: number) => string): number | undefined {
    const digits = pattern.exec(name)?.[1];
    return digits !== undefined && name === nameOf(Number(digits)) ? Number(digits) : undefined;
  }
}
