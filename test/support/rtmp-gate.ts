import type {
  IngestFrame,
  Publication,
  PublicationStats,
  PublisherGate,
  PublishRequest,
} from '../../src/ingest/publication.ts';
import type { TrackInit } from '../../src/media/fragment.ts';
import { AppError } from '../../src/util/errors.ts';

/** A frame with the init that it came with. */
export interface RecordedFrame {
  readonly init: TrackInit;
  readonly frame: IngestFrame;
}

/** A publication that keeps what it gets. */
export class RecordedPublication implements Publication {
  readonly broadcast: string;
  readonly request: PublishRequest;
  readonly frames: RecordedFrame[] = [];
  /** Before which frames a break was told. */
  readonly discontinuities: number[] = [];
  ended = false;
  /** Called after each frame and at the end. */
  onChange: () => void = () => undefined;

  constructor(request: PublishRequest) {
    this.request = request;
    this.broadcast = request.broadcast;
  }

  get video(): RecordedFrame[] {
    return this.frames.filter(({ init }) => init.kind === 'video');
  }

  get audio(): RecordedFrame[] {
    return this.frames.filter(({ init }) => init.kind === 'audio');
  }

  frame(init: TrackInit, frame: IngestFrame): void {
    if (this.ended) throw new Error('a frame after the end');
    this.frames.push({ init, frame });
    this.onChange();
  }

  discontinuity(): void {
    this.discontinuities.push(this.frames.length);
  }

  stats(): PublicationStats {
    return { frames: this.frames.length, bytes: 0, droppedFrames: 0, epoch: 0 };
  }

  end(): void {
    this.ended = true;
    this.onChange();
  }

  /** Resolves as soon as `condition` holds. */
  async until(condition: (publication: this) => boolean): Promise<void> {
    while (!condition(this)) {
      await new Promise<void>((resolve) => {
        this.onChange = resolve;
      });
    }
  }
}

/** Grants a broadcast to one publisher at a time if the key is `secret`. */
export class RecordingGate implements PublisherGate {
  readonly publications: RecordedPublication[] = [];
  readonly requests: PublishRequest[] = [];
  /** Awaited before each answer. */
  hold: Promise<void> | undefined;
  #waiters: (() => void)[] = [];

  async publish(request: PublishRequest): Promise<Publication> {
    this.requests.push(request);
    this.#wake();
    await this.hold;
    if (request.key !== 'secret') throw new AppError('UNAUTHORIZED', 'the stream key is wrong or missing');
    if (!/^live\/[a-z0-9-]{1,64}$/.test(request.broadcast))
      throw new AppError('BAD_REQUEST', 'the broadcast name is bad');
    if (this.publications.some(({ broadcast, ended }) => broadcast === request.broadcast && !ended)) {
      throw new AppError('BUSY', 'the broadcast has a publisher already');
    }
    const publication = new RecordedPublication(request);
    this.publications.push(publication);
    this.#wake();
    return publication;
  }

  /** The `index`-th publication, once it is granted. */
  async publication(index = 0): Promise<RecordedPublication> {
    await this.#until(() => this.publications.length > index);
    return this.publications[index]!;
  }

  /** Resolves when `count` requests have come. */
  async requested(count = 1): Promise<void> {
    await this.#until(() => this.requests.length >= count);
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  #wake(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }
}
