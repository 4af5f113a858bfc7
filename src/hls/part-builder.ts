import { mergeFragments } from '../media/cmaf/fragment-writer.ts';
import type { Fragment } from '../media/fragment.ts';

/** A partial segment: whole fragments in one piece of memory. */
export interface Part {
  /** One `moof` + `mdat`; two if it begins with the keyframe that opens the segment. */
  readonly bytes: Buffer;
  readonly durationMs: number;
  /** True if decoding may start at its first frame. */
  readonly independent: boolean;
  /** Size of its first `moof` + `mdat` if that holds the keyframe that opens the segment and nothing else; else 0. */
  readonly keyframeBytes: number;
}

/** No part is shorter than this share of the longest one, except the last of a segment (section 4.4.4.9). */
export const MIN_PART_SHARE = 0.85;

/** Collects a segment's fragments into parts as long as they may be. */
export class PartBuilder {
  readonly #longestMs: number;
  readonly #nextSequence: () => number;
  #fragments: Fragment[] = [];
  #opensSegment = true;

  /**
   * @param longestMs no part is longer, unless a single fragment is
   * @param nextSequence gives the next `mfhd` sequence number of the track
   */
  constructor(longestMs: number, nextSequence: () => number) {
    this.#longestMs = longestMs;
    this.#nextSequence = nextSequence;
  }

  /** Takes a fragment; gives the parts that are complete now, two at most. */
  push(fragment: Fragment): Part[] {
    const complete = this.#fits(fragment, fragment.baseDecodeTime) ? [] : this.flush();
    this.#fragments.push(fragment);
    // Frames come at a steady pace: if one more like this would not fit, the part need not wait for it.
    const isLongEnough = this.#lengthMs() >= MIN_PART_SHARE * this.#longestMs;
    const hasRoom = this.#fits(fragment, fragment.baseDecodeTime + fragment.duration);
    return isLongEnough && !hasRoom ? [...complete, ...this.flush()] : complete;
  }

  /** The part that is left, if there is one. */
  flush(): Part[] {
    const [first] = this.#fragments;
    if (first === undefined) return [];
    const part = { ...this.#merge(first), durationMs: this.#lengthMs(), independent: first.keyframe };
    this.#fragments = [];
    this.#opensSegment = false;
    return [part];
  }

  /** True if the part may hold a fragment of this length that begins at `decodeTime`. */
  #fits({ duration, init }: Fragment, decodeTime: number): boolean {
    const startTime = this.#fragments[0]?.baseDecodeTime ?? decodeTime;
    return ((decodeTime + duration - startTime) * 1_000) / init.timescale <= this.#longestMs + 1e-6;
  }

  #lengthMs(): number {
    const [first, last] = [this.#fragments[0], this.#fragments.at(-1)];
    if (first === undefined || last === undefined) return 0;
    return ((last.baseDecodeTime + last.duration - first.baseDecodeTime) * 1_000) / first.init.timescale;
  }

  #merge(first: Fragment): Pick<Part, 'bytes' | 'keyframeBytes'> {
    if (!this.#opensSegment || first.init.kind === 'audio') {
      return { bytes: mergeFragments(this.#fragments, this.#nextSequence()), keyframeBytes: 0 };
    }
    // A keyframe with a moof of its own can be addressed by a byte range.
    const keyframe = mergeFragments([first], this.#nextSequence());
    const rest = this.#fragments.slice(1);
    const tail = rest.length === 0 ? [] : [mergeFragments(rest, this.#nextSequence())];
    return { bytes: Buffer.concat([keyframe, ...tail]), keyframeBytes: keyframe.length };
  }
}
