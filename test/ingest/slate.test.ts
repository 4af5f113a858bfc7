import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { SLATE_AFTER_MS } from '../../src/ingest/broadcast-source.ts';
import { PUBLICATION_LIMITS } from '../../src/ingest/live-publication.ts';
import type { Fragment } from '../../src/media/fragment.ts';
import { AppError } from '../../src/util/errors.ts';
import { audioInit, videoInit } from '../support/fragments.ts';
import { publishersRig, type RigOptions, send, told } from '../support/publishers-rig.ts';
import { StubSlates } from '../support/stub-slates.ts';

const graceMs = 30_000;

interface SlateRigOptions extends RigOptions {
  readonly encoder?: StubSlates;
}

function rig({ encoder = new StubSlates(), slate = true, ...options }: SlateRigOptions = {}) {
  const made = publishersRig({ graceMs, slate, slates: encoder, ...options });
  /** Moves time on; whatever was waiting for an encoder gets its turn in between. */
  const advance = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 100) {
      await setImmediate();
      made.clock.advance(Math.min(100, left));
    }
    await setImmediate();
  };
  return { ...made, encoder, advance };
}

const slateOnly = (fragments: readonly Fragment[]): Fragment[] =>
  fragments.filter(({ init }) => init.bytes.toString().startsWith('slate'));

describe('a slate', () => {
  it('takes over a second after the publisher has gone, in real time, with picture and sound from time zero on', async () => {
    const { publish, publishers, clock, fragments, events, advance } = rig();
    const publication = await publish('a');
    send(publication, 'v5000 a5000');
    publication.end();
    await advance(SLATE_AFTER_MS.gone - 100);
    expect(told(fragments)).toBe('v0@5000 a0@5000');
    expect(publishers.waiting()).toMatchObject([{ slate: false }]);
    await advance(100);
    expect(told(fragments.splice(0))).toBe('v0@5000 a0@5000 v1@0 a1@0');
    expect(publishers.waiting()).toMatchObject([{ slate: true }]);
    await advance(1_000);
    expect(told(fragments)).toBe(
      [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000].map((ms) => `v1@${ms} a1@${ms}`).join(' '),
    );
    const video = fragments.filter(({ init }) => init.kind === 'video');
    expect(video.map(({ payload }) => payload.toString().at(-1)).join('')).toBe('1234012340');
    expect(video.filter(({ keyframe }) => keyframe).map(({ payload }) => payload.toString())).toEqual([
      'video 0',
      'video 0',
    ]);
    expect(video.at(-1)).toMatchObject({ ingestedAtMs: clock.nowMs(), duration: 9_000 });
    expect(events).toEqual(['+video', '+audio']);
  });

  it('goes on until the publisher is back with a keyframe, which begins the next epoch', async () => {
    const { publish, fragments, events, advance } = rig();
    const first = await publish('a');
    send(first, 'v5000 a5000');
    first.end();
    await advance(2_000);
    const second = await publish('b');
    fragments.length = 0;
    await advance(200);
    send(second, 'a0 v0- a20');
    expect(told(fragments)).toBe('v1@1100 a1@1100 v1@1200 a1@1200');
    fragments.length = 0;
    send(second, 'v40 a40');
    await advance(1_000);
    send(second, 'v1040- a1040');
    expect(told(fragments)).toBe('v3@40 a3@40 v3@1040 a3@1040');
    expect(second.stats()).toMatchObject({ frames: 4, droppedFrames: 3 });
    expect(events).toEqual(['+video', '+audio']);
  });

  it('ends with the grace time', async () => {
    const { publish, clock, fragments, events, advance } = rig();
    const publication = await publish('a');
    send(publication, 'v0 a0');
    publication.end();
    await advance(graceMs);
    expect(events).toEqual(['+video', '+audio', '-video', '-audio']);
    const count = fragments.length;
    expect(count).toBeGreaterThan(2 * 280);
    await advance(5_000);
    expect(fragments).toHaveLength(count);
    expect(clock.pending).toBe(1);
  });

  it('steps in for a connected publisher that is silent, and steps back at its next keyframe', async () => {
    const { publish, publishers, fragments, advance } = rig();
    const publication = await publish('a');
    send(publication, 'v0 a0 v20-');
    await advance(SLATE_AFTER_MS.silent - 100);
    expect(fragments).toHaveLength(3);
    await advance(100);
    expect(told(fragments.splice(0))).toBe('v0@0 a0@0 v0@20 v1@0 a1@0');
    expect([publishers.list().length, publishers.waiting()]).toEqual([1, []]);
    await advance(100);
    send(publication, 'v40- a40 v60 a60');
    await advance(1_000);
    expect(told(fragments)).toBe('v1@100 a1@100 v2@60 a2@60');
  });

  it('is more patient with a publisher that goes on after all', async () => {
    const { publish, fragments, advance } = rig();
    const publication = await publish('a');
    const epochsAfter = async (pauseMs: number): Promise<number> => {
      await advance(pauseMs);
      send(publication, `v${fragments.length * 1_000}`);
      return fragments.at(-1)!.epoch;
    };
    send(publication, 'v0');
    expect(await epochsAfter(SLATE_AFTER_MS.silent)).toBe(2);
    expect(await epochsAfter(2 * SLATE_AFTER_MS.silent - 100)).toBe(2);
    expect(await epochsAfter(2 * SLATE_AFTER_MS.silent)).toBe(4);
    for (let n = 0; n < 10; n += 1) await epochsAfter(2 * SLATE_AFTER_MS.silentLimit);
    const { epoch } = fragments.at(-1)!;
    expect(await epochsAfter(SLATE_AFTER_MS.silentLimit)).toBe(epoch + 2);
  });

  it('skips what a stalled process has missed, and goes on in real time', async () => {
    let stalledMs = 0;
    const { publish, fragments, advance } = rig({
      clockOf: (clock) => ({
        nowMs: () => clock.nowMs() + stalledMs,
        wait: (ms, signal) => clock.wait(ms, signal),
        every: (ms, task) => clock.every(ms, task),
      }),
    });
    const publication = await publish('a');
    send(publication, 'v0');
    publication.end();
    await advance(2_000);
    const before = slateOnly(fragments);
    stalledMs = 10_000;
    await advance(1_000);
    const after = slateOnly(fragments).slice(before.length);
    // A second, and at most 200 ms of what was missed.
    expect(after.length).toBeGreaterThanOrEqual(10);
    expect(after.length).toBeLessThanOrEqual(12);
    const last = before.at(-1)!;
    expect(after[0]!.baseDecodeTime).toBe(last.baseDecodeTime + last.duration);
  });

  it.each([
    ['picture', 'v0', 'v1@0'],
    ['sound', 'a0', 'a1@0'],
  ])('has only %s where the source had nothing else', async (_, frames, expected) => {
    const { publish, fragments, events, advance } = rig();
    const first = await publish('a');
    send(first, frames);
    first.end();
    await advance(SLATE_AFTER_MS.gone);
    expect(told(fragments.slice(1))).toBe(expected);
    send(await publish('b'), frames);
    expect(told(fragments.slice(2))).toBe(expected.replace('1', '3'));
    expect(events).toHaveLength(1);
  });

  it('lets a publisher that comes back without picture be heard', async () => {
    const { publish, fragments, events, advance } = rig();
    const first = await publish('a');
    send(first, 'v0 a0');
    first.end();
    await advance(2_000);
    const second = await publish('b');
    for (let ms = 0; ms <= 1_900; ms += 100) {
      send(second, `a${ms}`);
      await advance(100);
    }
    expect(slateOnly(fragments)).toHaveLength(fragments.length - 2);
    fragments.length = 0;
    send(second, 'a2000');
    await advance(PUBLICATION_LIMITS.adoptWithinMs);
    send(second, 'a4000');
    expect(told(fragments)).toBe('a3@2000 a3@4000');
    expect(events).toEqual(['+video', '+audio', '-video']);
  });

  it('is made of the last keyframe, or of the image', async () => {
    const live = rig();
    const publication = await live.publish('a');
    send(publication, 'v0 v20- v40- a40 v60 v80- v100- v120- v140-');
    publication.end();
    const [order] = live.encoder.orders;
    expect(order!.video).toMatchObject({ init: videoInit(), frameRate: 50 });
    expect(order!.video!.keyframe).toBe(live.fragments.find(({ baseDecodeTime }) => baseDecodeTime === 60 * 90));
    expect(order!.audio).toEqual(audioInit());
    expect(order!.image).toBeUndefined();
    const pictured = rig({ slate: '/pictures/back-soon.png' });
    const other = await pictured.publish('a');
    send(other, 'v0');
    other.end();
    expect(pictured.encoder.orders).toMatchObject([{ image: '/pictures/back-soon.png', audio: undefined }]);
  });

  it('is made once for one silence, and not of itself', async () => {
    const { publish, encoder, advance } = rig();
    const first = await publish('a');
    send(first, 'v0');
    first.end();
    await advance(3_000);
    (await publish('idle')).end();
    await advance(3_000);
    expect(encoder.orders).toHaveLength(1);
  });

  it('comes later if it takes long to make', async () => {
    const { publish, fragments, encoder, advance } = rig({ encoder: new StubSlates({ waits: true }) });
    const publication = await publish('a');
    send(publication, 'v0');
    publication.end();
    await advance(4_000);
    expect(fragments).toHaveLength(1);
    encoder.finish.resolve();
    await advance(100);
    expect(told(fragments.slice(1))).toMatch(/^v1@0/);
  });

  it('is dropped if the publisher is back before it is made or due', async () => {
    const { publish, fragments, encoder, advance } = rig({ encoder: new StubSlates({ waits: true }) });
    const first = await publish('a');
    send(first, 'v0');
    first.end();
    await advance(500);
    const second = await publish('b');
    send(second, 'v0');
    await advance(100);
    expect(encoder.signals[0]!.aborted).toBe(true);
    encoder.finish.resolve();
    await advance(1_500);
    expect(told(fragments)).toBe('v0@0 v1@0');
  });

  it('is not shown to a publisher that went on while it was made', async () => {
    const { publish, clock, fragments, encoder, advance } = rig({ encoder: new StubSlates({ waits: true }) });
    const publication = await publish('a');
    send(publication, 'v0');
    await advance(SLATE_AFTER_MS.silent);
    send(publication, `v${SLATE_AFTER_MS.silent}`);
    encoder.finish.resolve();
    await setImmediate();
    clock.advance(50);
    expect(told(fragments)).toBe('v0@0 v0@2500');
  });

  it('leaves no sound open that its publisher goes on without', async () => {
    const { publish, events, advance } = rig();
    const publication = await publish('a');
    send(publication, 'v0 a0');
    await advance(PUBLICATION_LIMITS.adoptWithinMs);
    send(publication, 'v2000 a2000');
    await advance(SLATE_AFTER_MS.silent);
    send(publication, 'v10000');
    await advance(PUBLICATION_LIMITS.adoptWithinMs);
    send(publication, 'v12000');
    expect(events).toEqual(['+video', '+audio', '-audio']);
  });

  it('is not missed where it cannot be made: the broadcast waits without, and the next loss tries again', async () => {
    const { publish, publishers, fragments, encoder, advance } = rig();
    encoder.failure = new AppError('TRANSCODER_FAILED', 'no');
    const first = await publish('a');
    send(first, 'v0');
    first.end();
    await advance(5_000);
    expect([fragments.length, encoder.orders.length]).toEqual([1, 1]);
    expect(publishers.waiting()).toMatchObject([{ slate: false }]);
    encoder.failure = undefined;
    const second = await publish('b');
    send(second, 'v0');
    await advance(100);
    second.end();
    await advance(SLATE_AFTER_MS.gone);
    expect(told(fragments)).toMatch(/^v0@0 v1@0 v2@0/);
  });

  it('is not made where it is not wanted', async () => {
    const { publish, fragments, encoder, advance } = rig({ slate: false });
    const publication = await publish('a');
    send(publication, 'v0');
    await advance(5_000);
    publication.end();
    await advance(5_000);
    expect([fragments.length, encoder.orders.length]).toEqual([1, 0]);
  });

  it('ends at once with its broadcast, and the server waits for what makes it', async () => {
    const { publish, publishers, fragments, clock, encoder, advance } = rig();
    const publication = await publish('a');
    send(publication, 'v0');
    publication.end();
    await advance(2_000);
    publishers.kick('live/demo');
    const count = fragments.length;
    await advance(1_000);
    expect(fragments).toHaveLength(count);

    const waits = rig({ encoder: new StubSlates({ waits: true }) });
    const other = await waits.publish('a');
    send(other, 'v0');
    other.end();
    let closed = false;
    const closing = waits.publishers.close().then(() => (closed = true));
    await setImmediate();
    expect(waits.encoder.signals[0]!.aborted).toBe(true);
    expect(closed).toBe(false);
    waits.encoder.finish.resolve();
    await closing;
    expect(waits.clock.pending).toBe(0);
    expect([clock.pending, encoder.orders.length]).toEqual([1, 1]);
  });
});
