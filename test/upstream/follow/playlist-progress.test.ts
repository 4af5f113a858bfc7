import { describe, expect, it } from 'vitest';
import { UpstreamFailure } from '../../../src/remote/upstream-failure.ts';
import { AppError } from '../../../src/util/errors.ts';
import { item, stage, unavailable } from './follower-stage.ts';

describe('a failover', () => {
  it('comes after 3 failures, and the numbers go on behind a break', async () => {
    const { follower, pass, made } = stage(
      [{ first: 100 }, unavailable],
      [{ first: 500, uri: (number) => `/b/${number}.ts` }],
    );
    follower.hold();
    await pass(4_000);
    expect(made.indexes).toEqual([0, 0, 0, 0, 1]);
    expect(follower.current?.segments.map(({ number }) => number)).toEqual([103, 104, 105, 106, 107, 108]);
    expect(follower.current?.segments[3]).toMatchObject({ number: 106, discontinuity: true, discontinuitySequence: 1 });
    expect(made.events.at(-1)).toBe('broke: another address');
  });

  it('comes when nothing is new for 10 s, after a warning', async () => {
    const { follower, pass, made } = stage(
      [{ first: 0 }, { first: 1 }, 'unchanged'],
      [{ first: 1, uri: (number) => `/b/${number}.ts` }],
    );
    follower.hold();
    await pass(11_900);
    expect(made.events.filter((event) => event.startsWith('stalled'))).toEqual([
      'stalled: its playlist has had nothing new for 6 s',
    ]);
    expect(follower.isStalled).toBe(true);
    expect(made.rotation.current.index).toBe(0);
    await pass(100);
    expect(made.rotation.current.index).toBe(1);
    expect(follower.isStalled).toBe(false);
  });

  it('comes when loads have failed for 10 s, few as they may be', async () => {
    const { follower, pass, made } = stage([{ first: 0 }, 'slow'], [{ first: 0 }]);
    follower.hold();
    await pass(13_000);
    // 2 s, then two loads of 5 s with a pause between them.
    expect(made.indexes).toEqual([0, 0, 0, 1]);
  });

  it('comes when 3 segments in a row cannot be fetched', async () => {
    const { follower, pass, made } = stage([{ first: 0 }], [{ first: 0 }]);
    follower.hold();
    await pass(0);
    follower.report(item('a'), 'failed');
    follower.report(item('a'), 'failed');
    follower.report(item('b'), 'failed');
    follower.report(item('x'), 'ok');
    follower.report(item('c'), 'failed');
    follower.report(item('d'), 'failed');
    expect(made.rotation.current.index).toBe(0);
    follower.report(item('e'), 'failed');
    expect(made.rotation.current.index).toBe(1);
    await pass(0);
    expect(made.indexes.at(-1)).toBe(1);
  });

  it('comes when a live playlist ends, and the end when it has ended everywhere', async () => {
    const end = { tail: ['#EXT-X-ENDLIST'] };
    const { follower, pass, made } = stage([{ first: 0 }, { first: 1, ...end }], [{ first: 0 }, { first: 1, ...end }]);
    follower.hold();
    await pass(2_000);
    expect(made.indexes).toEqual([0, 0, 1]);
    expect(follower.current).toMatchObject({ ended: false, isRecorded: false });
    await pass(2_000);
    expect(follower.current?.ended).toBe(true);
    expect(follower.isRunning).toBe(false);
    expect(made.events.at(-1)).toBe('ended');
  });

  it('does not keep a live playlist from its end that the only other address cannot continue', async () => {
    const { follower, pass } = stage([{ first: 0 }, { first: 1, tail: ['#EXT-X-ENDLIST'] }], [unavailable]);
    follower.hold();
    await pass(10_000);
    expect(follower.current?.ended).toBe(true);
  });

  it('is not what one rendition too many leads to', async () => {
    const { follower, pass, made } = stage([new AppError('LIMIT_REACHED', 'too much is listed')], [{ first: 0 }]);
    follower.hold();
    const waiting = follower.next(-1).catch((error: unknown) => error);
    await pass(60_000);
    expect(made.rotation.current.turn).toBe(0);
    expect(await waiting).toMatchObject({ code: 'LIMIT_REACHED' });
  });

  it('is not what a missing rendition or busy connections lead to', async () => {
    const busy = new UpstreamFailure('busy', 'all connections are in use');
    const missing = new AppError('NOT_FOUND', 'there is no such rendition');
    const { follower, pass, made } = stage([busy, busy, busy, missing], [{ first: 0 }]);
    follower.hold();
    const waiting = follower.next(-1).catch((error: unknown) => error);
    await pass(60_000);
    expect(made.rotation.current.turn).toBe(0);
    expect(await waiting).toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('a single address', () => {
  it('goes on without a break when it had nothing new for long', async () => {
    const { follower, pass, made } = stage([{ first: 0 }]);
    follower.hold();
    await pass(60_000);
    made.answers[0] = [{ first: 2 }];
    await pass(2_000);
    expect(follower.current?.segments.map(({ number }) => number)).toEqual([2, 3, 4, 5, 6, 7]);
    expect(follower.current?.segments.some(({ discontinuity }) => discontinuity)).toBe(false);
  });

  it('goes on with a break when it begins anew a little below, once it has stalled', async () => {
    const { follower, pass, made } = stage([{ first: 10 }]);
    follower.hold();
    await pass(0);
    made.answers[0] = [{ first: 8, uri: (number) => `/new/${number}.ts` }];
    await pass(11_000);
    expect(follower.current?.segments.find(({ discontinuity }) => discontinuity)?.number).toBe(16);
  });

  it('is over when a live playlist ends, and goes on for somebody who comes later', async () => {
    const { follower, pass, made } = stage([{ first: 0 }, { first: 1, tail: ['#EXT-X-ENDLIST'] }]);
    const release = follower.hold();
    await pass(2_000);
    expect(follower.current).toMatchObject({ ended: true, isRecorded: false });
    release();
    made.answers[0] = [{ first: 2 }];
    follower.hold();
    await pass(0);
    expect(follower.current).toMatchObject({ ended: false, firstNumber: 2 });
  });

  it('is live again for somebody who comes when a recording is there no more', async () => {
    const { follower, pass, made } = stage([{ first: 0, tail: ['#EXT-X-ENDLIST'] }]);
    follower.hold()();
    await pass(0);
    expect(follower.current).toMatchObject({ ended: true, isRecorded: true });
    made.answers[0] = [{ first: 0, uri: (number) => `/today/${number}.ts`, count: 2 }];
    follower.hold();
    await pass(0);
    expect(follower.current).toMatchObject({ ended: false, isRecorded: false });
  });

  it('keeps the snapshot of a recording for those who have it while it is loaded again', async () => {
    const { follower, pass } = stage([{ first: 0, tail: ['#EXT-X-ENDLIST'] }]);
    follower.hold();
    await pass(0);
    follower.report(item('a'), 'failed');
    expect(follower.current?.ended).toBe(true);
    await pass(0);
    expect(follower.current).toMatchObject({ ended: true, version: 1 });
  });

  it('tells when it was last right, changed or not', async () => {
    const { follower, pass, made } = stage([{ first: 0 }, 'unchanged', unavailable]);
    follower.hold();
    await pass(10_000);
    expect(follower.confirmedAtMs).toBe(made.clock.nowMs() - 8_000);
  });
});
