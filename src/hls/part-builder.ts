import { mergeFragments } from '../media/cmaf/fragment-writer.ts';
import { durationMs, type Fragment } from '../media/fragment.ts';

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

/** Rounded stamps add up to a little more than the nominal part. */
const ROUNDING_MS = 2;

/** Collects a segment's fragments into parts no longer than the part target. */
export class PartBuilder {
  readonly #partTargetMs: number;
  readonly #nextSequence: () => number;
  #fragments: Fragment[] = [];
  #durationMs = 0;
  #opensSegment = true;

  /** @param nextSequence gives the next `mfhd` sequence number of the track */
  constructor(partTargetMs: number, nextSequence: () => number) {
    this.#partTargetMs = partTargetMs;
    this.#nextSequence = nextSequence;
  }

  /** Takes a fragment; gives the part that was complete before it, if there is one. */
  push(fragment: Fragment): Part | undefined {
    const isFull = this.#durationMs + durationMs(fragment) > this.#partTargetMs + ROUNDING_MS;
    const part = isFull ? this.flush() : undefined;
    this.#fragments.push(fragment);
    this.#durationMs += durationMs(fragment);
    return part;
  }

  /** The part that is left, if there is one. */
  flush(): Part | undefined {
    const [first] = this.#fragments;
    if (first === undefined) return undefined;
    const part = { ...this.#merge(first), durationMs: this.#durationMs, independent: first.keyframe };
    this.#fragments = [];
    this.#durationMs = 0;
    this.#opensSegment = false;
    return part;
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
