import type { TrackInit } from '../media/fragment.ts';
import type { AppError } from '../util/errors.ts';

/** One coded frame (audio: one codec frame) as an ingest adapter hands it in. Times in ticks of its init's timescale. */
export interface IngestFrame {
  readonly dts: number;
  /** dts plus composition offset. */
  readonly pts: number;
  /** Distance to the track's next frame; positive. */
  readonly duration: number;
  /** True if decoding may start here; always true for audio. */
  readonly sync: boolean;
  /** Owned by the program from here on: the adapter must not reuse it. */
  readonly data: Buffer;
}

/** Who wants to publish what. */
export interface PublishRequest {
  /** `app/name`, as the client wrote it. */
  readonly broadcast: string;
  /** Stream key as given by the client, if any; never logged. */
  readonly key: string | undefined;
  /** `pull`: a remote source that this server fetches. */
  readonly protocol: 'rtmp' | 'rtmps' | 'ws' | 'pull';
  /** Address of the peer, for logs; of a remote source its label. */
  readonly remote: string;
  /** Cuts the client's connection at once (a socket is destroyed, not half-closed). */
  readonly disconnect: (reason: AppError) => void;
}

/** A granted right to publish one broadcast: the one way in for every protocol. */
export interface Publication {
  readonly broadcast: string;
  /**
   * Hands in the next frame of the track that `init` describes; frames of a track come in decode order. Pass the same
   * `init` object until the decoder set-up changes. Never throws: an unusable frame is counted, and a publisher that
   * sends too many of them is disconnected.
   */
  frame(init: TrackInit, frame: IngestFrame): void;
  /**
   * Tells that what comes next does not go on from what came before: the next usable frame begins a new epoch, whatever its
   * times, and tracks that do not come again within a short time are closed. Idempotent until that frame.
   */
  discontinuity(): void;
  /** Facts for the publisher (`stats` messages) and for REST. */
  stats(): PublicationStats;
  /** Tells that the publisher has gone, for whatever reason; the broadcast may wait for it. Idempotent. */
  end(): void;
}

/** Counters of one publication. */
export interface PublicationStats {
  readonly frames: number;
  readonly bytes: number;
  readonly droppedFrames: number;
  readonly epoch: number;
}

/** Grants publications: authorises, keeps a broadcast to one publisher, and lets a newer one take over. */
export interface PublisherGate {
  /**
   * @throws AppError `UNAUTHORIZED` for a wrong, missing or expired key, `BAD_REQUEST` for a bad name, `BUSY` if another
   * publisher has the broadcast, `LIMIT_REACHED` if there are too many.
   */
  publish(request: PublishRequest): Promise<Publication>;
}
