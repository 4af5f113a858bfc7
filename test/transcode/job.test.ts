import { describe, expect, it } from 'vitest';
import type { Fragment } from '../../src/media/fragment.ts';
import { DRAIN_TIMEOUT_MS } from '../../src/transcode/run.ts';
import { fragmentAt, videoInit } from '../support/fragments.ts';
import { EditableLadder, ScriptedFactory, settled, TranscodeRig } from '../support/transcode-rig.ts';

const INIT = videoInit();
const frame = (index: number, epoch = 0): Fragment =>
  fragmentAt({ init: INIT, epoch, atMs: index * 100, keyframe: index % 5 === 0 });
const times = (fragments: readonly Fragment[]): number[] => fragments.map((fragment) => fragment.firstPts / 9_000);

describe('TranscodeJob', () => {
  it('starts a failed run again from the newest keyframe, and readers see time go forwards only', async () => {
    const factory = new ScriptedFactory();
    const rig = new TranscodeRig(new EditableLadder('720p', '480p'), factory);
    const [output, neighbour] = [rig.output('720p'), rig.output('480p')];
    const source = rig.source();
    for (let i = 0; i < 8; i++) source.emit(frame(i));
    await settled();
    factory.runs[0]!.context.fail(new Error('child died'));
    await settled();
    expect(rig.row('720p')).toMatchObject({ state: 'backing-off', reason: 'child died' });
    for (let i = 8; i < 13; i++) source.emit(frame(i));
    rig.clock.advance(500);
    await settled();
    source.emit(frame(13));
    await settled();
    const restarted = factory.runs[2]!;
    expect(times(restarted.seen)).toEqual([10, 11, 12, 13]);
    expect(times(output.fragments)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13]);
    expect(times(neighbour.fragments)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    expect(output).toMatchObject({ opened: 1, closed: 0 });
    expect(rig.row('720p')).toMatchObject({ state: 'running', restarts: 1 });
    expect(rig.row('480p')).toMatchObject({ state: 'running', restarts: 0 });
  });

  it('leaves out what a restarted encoder makes again of the replayed GOP, keeping the init’s identity', async () => {
    const factory = new ScriptedFactory('scripted', ({ context }) => {
      const own = videoInit('encoded');
      return { push: (fragment) => context.emit({ ...fragment, init: own }) };
    });
    const rig = new TranscodeRig(new EditableLadder('720p'), factory);
    const output = rig.output('720p');
    const source = rig.source();
    for (let i = 0; i < 8; i++) source.emit(frame(i));
    await settled();
    factory.runs[0]!.context.fail(new Error('child died'));
    await settled();
    rig.clock.advance(500);
    source.emit(frame(8));
    await settled();
    expect(times(factory.runs[1]!.seen)).toEqual([5, 6, 7, 8]);
    expect(times(output.fragments)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(new Set(output.fragments.map(({ init }) => init)).size).toBe(1);
  });

  it('waits longer after each failure, up to 10 s, and starts anew after a healthy minute', async () => {
    const factory = new ScriptedFactory();
    const rig = new TranscodeRig(new EditableLadder('720p'), factory);
    rig.source().emit(frame(0));
    await settled();
    const waits: number[] = [];
    const failOnce = async (): Promise<void> => {
      factory.runs.at(-1)!.context.fail(new Error('again'));
      await settled();
      const [runs, from] = [factory.runs.length, rig.clock.nowMs()];
      while (factory.runs.length === runs) {
        rig.clock.advance(25);
        await settled();
      }
      waits.push(rig.clock.nowMs() - from);
    };
    for (let i = 0; i < 8; i++) await failOnce();
    expect(waits[0]).toBeLessThanOrEqual(500);
    expect(waits[0]).toBeGreaterThanOrEqual(375);
    expect(waits[3]).toBeGreaterThanOrEqual(3_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(10_000);
    expect(waits[7]).toBeGreaterThanOrEqual(7_500);
    rig.clock.advance(60_000);
    await failOnce();
    expect(waits[8]).toBeLessThanOrEqual(500);
  });

  it('gives a new epoch to a new run at once, after the old one was drained', async () => {
    const order: string[] = [];
    const factory = new ScriptedFactory('scripted', ({ index, context }) => ({
      start: () => void order.push(`start ${index}`),
      stop: async () => {
        await settled();
        context.emit(frame(2, 0));
        order.push(`drained ${index}`);
      },
    }));
    const rig = new TranscodeRig(new EditableLadder('720p'), factory);
    const output = rig.output('720p');
    const source = rig.source();
    for (const fragment of [frame(0), frame(1), frame(0, 1), frame(1, 1)]) source.emit(fragment);
    await settled();
    await settled();
    await settled();
    expect(order).toEqual(['start 0', 'drained 0', 'start 1']);
    expect(output.fragments.map(({ epoch }) => epoch)).toEqual([0, 0, 0, 1, 1]);
    expect(output).toMatchObject({ opened: 1, closed: 0 });
    expect(factory.runs[1]!.context).toMatchObject({ epoch: 1 });
    expect(rig.row('720p')).toMatchObject({ restarts: 0, fragmentsSeen: 4 });
  });

  it('gives a new init to a new run with that init', async () => {
    const factory = new ScriptedFactory();
    const rig = new TranscodeRig(new EditableLadder('720p'), factory);
    const source = rig.source();
    const other = videoInit('other');
    source.emit(frame(0));
    source.emit(fragmentAt({ init: other, epoch: 1, atMs: 100, keyframe: true }));
    await settled();
    expect(factory.runs.map(({ context }) => context.init)).toEqual([INIT, other]);
  });

  it('lets a fresh run take over at a keyframe once a run has outlived its time', async () => {
    const factory = new ScriptedFactory('scripted', () => ({ lifetimeFragments: 7 }));
    const rig = new TranscodeRig(new EditableLadder('720p'), factory);
    const output = rig.output('720p');
    const source = rig.source();
    for (let i = 0; i < 25; i++) source.emit(frame(i));
    await settled();
    expect(factory.runs.map(({ seen }) => times(seen)[0])).toEqual([0, 10, 20]);
    expect(factory.runs[0]!.calls).toEqual(['start', 'stop']);
    expect(times(output.fragments)).toEqual([...Array(25).keys()]);
    expect(output).toMatchObject({ opened: 1, closed: 0 });
    expect(rig.row('720p')).toMatchObject({ restarts: 0, fragmentsSeen: 25 });
  });

  it('frees a run that does not drain in time and goes on', async () => {
    const factory = new ScriptedFactory('scripted', ({ index }) => ({
      stop: () => (index === 0 ? new Promise<void>(() => undefined) : undefined),
    }));
    const rig = new TranscodeRig(new EditableLadder('720p'), factory);
    const source = rig.source();
    source.emit(frame(0));
    source.emit(frame(0, 1));
    await settled();
    expect(factory.runs).toHaveLength(1);
    rig.clock.advance(DRAIN_TIMEOUT_MS);
    await settled();
    expect(factory.runs[0]!.calls).toEqual(['start', 'stop', 'abort']);
    expect(factory.runs).toHaveLength(2);
  });

  it('ends a run that takes fragments but puts nothing out, also while its push blocks', async () => {
    for (const blocks of [false, true]) {
      const factory = new ScriptedFactory('scripted', ({ index }) => ({
        ...(index === 0 && { push: () => (blocks ? new Promise<void>(() => undefined) : undefined) }),
      }));
      const rig = new TranscodeRig(new EditableLadder('720p'), factory);
      const source = rig.source();
      let index = 0;
      const passMs = async (ms: number): Promise<void> => {
        for (let passed = 0; passed < ms; passed += 100) {
          source.emit(frame(index++));
          await settled();
          rig.clock.advance(100);
          await settled();
        }
      };
      await passMs(6_500);
      expect(rig.row('720p')).toMatchObject({ state: 'starting', restarts: 0 });
      await passMs(1_500);
      expect(rig.row('720p')).toMatchObject({ state: 'running', restarts: 1 });
      expect(factory.runs[0]!.calls).toEqual(['start', 'abort']);
    }
  });

  it('hears nothing more from a run that is over', async () => {
    const factory = new ScriptedFactory();
    const rig = new TranscodeRig(new EditableLadder('720p'), factory);
    const output = rig.output('720p');
    const source = rig.source();
    source.emit(frame(0));
    await settled();
    const [old] = factory.runs;
    old!.context.fail(new Error('child died'));
    old!.context.emit(frame(1));
    old!.context.fail(new Error('still dead'));
    await settled();
    expect(times(output.fragments)).toEqual([0]);
    expect(rig.row('720p')?.reason).toBe('child died');
  });

  it('ends at once when its source ends while it waits for the next try', async () => {
    const factory = new ScriptedFactory();
    const rig = new TranscodeRig(new EditableLadder('720p'), factory);
    const output = rig.output('720p');
    const source = rig.source();
    source.emit(frame(0));
    await settled();
    factory.runs[0]!.context.fail(new Error('child died'));
    await settled();
    source.close();
    await settled();
    expect(rig.row('720p')).toMatchObject({ state: 'ended', restarts: 0 });
    expect(output.closed).toBe(1);
    expect(rig.clock.pending).toBe(0);
  });

  it('abandons a drain when its rung is removed', async () => {
    const factory = new ScriptedFactory('scripted', () => ({ stop: () => new Promise<void>(() => undefined) }));
    const rig = new TranscodeRig(new EditableLadder('720p'), factory);
    const output = rig.output('720p');
    const source = rig.source();
    source.emit(frame(0));
    await settled();
    source.close();
    await settled();
    rig.ladder.remove('720p');
    expect(output.closed).toBe(1);
    await settled();
    expect(factory.runs[0]!.calls).toEqual(['start', 'stop', 'abort']);
    expect(rig.row('720p')?.state).toBe('ended');
    expect(rig.clock.pending).toBe(0);
  });

  it('drops whole GOPs, and counts them, when its transcoder falls behind by more than its queue holds', async () => {
    let release = (): void => undefined;
    const factory = new ScriptedFactory('scripted', ({ context }) => ({
      push: (fragment) => {
        context.emit(fragment);
        return fragment.firstPts === 0 ? new Promise<void>((resolve) => (release = resolve)) : undefined;
      },
    }));
    const rig = new TranscodeRig(new EditableLadder('720p'), factory);
    const source = rig.source();
    source.emit(frame(0));
    await settled();
    for (let i = 1; i <= 150; i++) source.emit(frame(i));
    release();
    await settled();
    const row = rig.row('720p')!;
    expect(row.dropped).toBeGreaterThan(0);
    expect(row.fragmentsSeen + row.dropped).toBe(151);
    expect(factory.runs[0]!.seen[1]!.keyframe).toBe(true);
  });

  it('measures speed, lag and bitrate of its output', async () => {
    const factory = new ScriptedFactory('scripted', ({ context }) => {
      let held: Fragment | undefined;
      return {
        push: (fragment) => {
          if (held !== undefined) context.emit(held);
          held = fragment;
        },
        facts: () => ({ pid: 4711, encoder: 'libx264' }),
      };
    });
    const rig = new TranscodeRig(new EditableLadder('720p'), factory);
    const source = rig.source();
    for (let i = 0; i < 40; i++) {
      source.emit(fragmentAt({ init: INIT, atMs: i * 100, keyframe: i % 5 === 0, size: 2_500 }));
      await settled();
      rig.clock.advance(100);
    }
    const row = rig.row('720p')!;
    expect(row).toMatchObject({ pid: 4711, encoder: 'libx264', lagMs: 100, bitrateKbps: 200 });
    expect(row.speed).toBeCloseTo(1, 1);
  });
});
