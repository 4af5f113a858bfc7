import type { SlateEncoder } from '../../src/ingest/stand-in.ts';
import type { TrackInit } from '../../src/media/fragment.ts';
import type { FrameLoop, SlateOrder } from '../../src/media/slate.ts';
import { deferred } from '../../src/util/deferred.ts';

/** Half a second of picture at 10 fps, or of sound; the bytes of its init begin with `slate`. */
function loopOf(init: TrackInit): FrameLoop {
  const { kind, timescale } = init;
  const frame = (index: number): FrameLoop['frames'][number] => ({
    duration: timescale / 10,
    sync: kind === 'audio' || index === 0,
    data: Buffer.from(`${kind} ${index}`),
  });
  return { init: { ...init, bytes: Buffer.from(`slate ${kind}`) }, frames: [0, 1, 2, 3, 4].map(frame) };
}

/** Notes what it is asked for, and makes loops that no decoder will see: at once, or when `finish` is resolved. */
export class StubSlates implements SlateEncoder {
  readonly orders: SlateOrder[] = [];
  readonly signals: AbortSignal[] = [];
  readonly finish = deferred();
  failure: Error | undefined;

  constructor({ waits = false } = {}) {
    if (!waits) this.finish.resolve();
  }

  async encode(order: SlateOrder, signal: AbortSignal): Promise<FrameLoop[]> {
    this.orders.push(order);
    this.signals.push(signal);
    await this.finish.promise;
    if (this.failure !== undefined) throw this.failure;
    return [...(order.video ? [loopOf(order.video.init)] : []), ...(order.audio ? [loopOf(order.audio)] : [])];
  }
}
