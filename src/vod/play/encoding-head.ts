import type { TrackInit } from '../../media/fragment.ts';
import type { ErrorCode } from '../../util/errors.ts';
import type { Title } from '../source/title.ts';
import type { VodRendition } from '../vod-rendition.ts';

/** A whole segment as it is served. */
export interface EncodedSegment {
  readonly index: number;
  readonly bytes: Buffer;
  readonly durationTicks: number;
}

/** How an encoder ended. */
export interface HeadEnd {
  /** `early`: without a fault, but the source ended before the last segment that was wanted. */
  readonly ended: 'complete' | 'early' | 'closed' | 'failed';
  /** The last segment that it made. */
  readonly lastIndex: number | undefined;
  /** For people; given for `failed`. */
  readonly reason?: string;
  /** Given for `failed` if it is not the encoder's fault, e.g. `BAD_MEDIA`, or `GONE` for a source that has changed. */
  readonly code?: ErrorCode;
}

/** One encoder of a rendition: makes a run of segments in order. */
export interface EncodingHead {
  start(): void;
  /** Rejects at the end if there is none. Need not be known before the first segment. */
  readonly init: Promise<TrackInit>;
  /** Stops making more, costs no time; what is made already may still come. */
  pause(): void;
  resume(): void;
  /** Resolves once the encoder is gone; no segment comes after that. Idempotent. */
  close(): Promise<unknown>;
  /** Resolves once the process is gone and every segment has been handed over. Never rejects. */
  readonly done: Promise<HeadEnd>;
}

/** Which segments a head is to make: from `first` on, before `end`. */
export interface HeadRequest {
  readonly title: Title;
  readonly rendition: VodRendition;
  readonly first: number;
  readonly end: number;
  readonly onSegment: (segment: EncodedSegment) => void;
}

/** Makes heads; they do nothing until they are started. */
export type HeadFactory = (request: HeadRequest) => EncodingHead;
