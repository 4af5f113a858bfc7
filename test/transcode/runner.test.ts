import { describe, expect, it } from 'vitest';
import { PassthroughFactory } from '../../src/transcode/passthrough.ts';
import { MAX_STATS_KEYS, TranscodeRunner } from '../../src/transcode/runner.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { audioInit, fragmentAt, videoInit } from '../support/fragments.ts';
import { EditableLadder, ScriptedFactory, settled, TranscodeRig } from '../support/transcode-rig.ts';

const frame = (index: number): ReturnType<typeof fragmentAt> =>
  fragmentAt({ init: INIT, atMs: index * 100, keyframe: index % 5 === 0 });
const INIT = videoInit();

describe('TranscodeRunner', () => {
  it('hands every fragment to the transcoder and stops it when the source ends', async () => {
    const factory = new ScriptedFactory();
    const rig = new TranscodeRig(new EditableLadder('720p'), factory);
    const source = rig.source();
    for (let i = 0; i < 5; i++) source.emit(frame(i));
    source.close();
    await settled();
    expect(factory.runs).toHaveLength(1);
    expect(factory.runs[0]!.seen).toHaveLength(5);
    expect(factory.runs[0]!.calls).toEqual(['start', 'stop']);
    expect(rig.row('720p')).toMatchObject({
      ...{ state: 'ended', reason: 'source ended', fragmentsSeen: 5, fragmentsOut: 5 },
      panics: { start: 0, fragment: 0, stop: 0 },
    });
  });

  it('runs one job per rendition of the ladder', async () => {
    const factory = new ScriptedFactory();
    const rig = new TranscodeRig(new EditableLadder('720p', '480p', '240p'), factory);
    const source = rig.source();
    source.emit(frame(0));
    source.emit(frame(1));
    await settled();
    expect(rig.runner.list().map((row) => [row.rendition, row.state, row.fragmentsSeen])).toEqual([
      ['720p', 'running', 2],
      ['480p', 'running', 2],
      ['240p', 'running', 2],
    ]);
  });

  it('shows a rung that its factory opts out of as skipped, with the reason', async () => {
    const factory = new ScriptedFactory('scripted', ({ context }) =>
      context.rendition.name === '4k' ? { optOut: 'above the source' } : {},
    );
    const rig = new TranscodeRig(new EditableLadder('4k', '720p'), factory);
    rig.source().emit(frame(0));
    await settled();
    expect(rig.row('4k')).toMatchObject({ state: 'skipped', reason: 'above the source', fragmentsSeen: 0 });
    expect(rig.row('720p')?.state).toBe('running');
  });

  it('shows no row for a pair that another factory serves by design', async () => {
    const rig = new TranscodeRig(
      new EditableLadder({ name: 'original', factory: 'passthrough' }),
      new PassthroughFactory(),
    );
    rig.source('live/demo', 'audio', audioInit()).emit(fragmentAt({ init: audioInit(), atMs: 0, keyframe: true }));
    await settled();
    expect(rig.runner.list()).toEqual([]);
  });

  it('asks an opted-out factory again when the source’s init changes', async () => {
    const factory = new ScriptedFactory('scripted', ({ context }) =>
      context.init.bytes.toString() === 'small' ? { optOut: 'above the source' } : {},
    );
    const rig = new TranscodeRig(new EditableLadder('720p'), factory);
    const output = rig.output('720p');
    const source = rig.source();
    const [small, large] = [videoInit('small'), videoInit('large')];
    source.emit(fragmentAt({ init: small, atMs: 0, keyframe: true }));
    await settled();
    expect(rig.row('720p')?.state).toBe('skipped');
    source.emit(fragmentAt({ init: large, epoch: 1, atMs: 100, keyframe: true }));
    source.emit(fragmentAt({ init: large, epoch: 1, atMs: 200 }));
    await settled();
    expect(rig.row('720p')).toMatchObject({ state: 'running', fragmentsOut: 2 });
    source.emit(fragmentAt({ init: small, epoch: 2, atMs: 300, keyframe: true }));
    await settled();
    expect(rig.row('720p')?.state).toBe('skipped');
    expect(output).toMatchObject({ opened: 1, closed: 1 });
  });

  it('catches and counts a throw in push and goes on with the next fragment', async () => {
    for (const asynchronously of [false, true]) {
      const factory = new ScriptedFactory('scripted', ({ context }) => ({
        push: (fragment) => {
          if (fragment.firstPts !== frame(2).firstPts) {
            context.emit(fragment);
            return;
          }
          const fault = new Error('simulated encoder fault');
          if (asynchronously) return Promise.reject(fault);
          throw fault;
        },
      }));
      const rig = new TranscodeRig(new EditableLadder('720p'), factory);
      const source = rig.source();
      for (let i = 0; i < 5; i++) source.emit(frame(i));
      await settled();
      expect(rig.row('720p')).toMatchObject({
        ...{ state: 'running', fragmentsSeen: 5, fragmentsOut: 4, restarts: 0 },
        panics: { start: 0, fragment: 1, stop: 0 },
      });
    }
  });

  it('catches and counts a throw in start, hands it no fragment, and tries again after a while', async () => {
    const factory = new ScriptedFactory('scripted', ({ index }) => ({
      start: () => {
        if (index === 0) throw new Error('simulated start failure');
      },
    }));
    const rig = new TranscodeRig(new EditableLadder('480p'), factory);
    const source = rig.source();
    source.emit(frame(0));
    source.emit(frame(1));
    await settled();
    expect(rig.row('480p')).toMatchObject({
      ...{ state: 'backing-off', reason: 'start failed: simulated start failure', fragmentsSeen: 0 },
      panics: { start: 1, fragment: 0, stop: 0 },
    });
    expect(factory.runs[0]).toMatchObject({ seen: [], calls: ['start', 'abort'] });
    rig.clock.advance(500);
    await settled();
    expect(rig.row('480p')).toMatchObject({ state: 'running', fragmentsSeen: 2, restarts: 1 });
  });

  it('catches and counts a throw in stop', async () => {
    const factory = new ScriptedFactory('scripted', () => ({ stop: () => Promise.reject(new Error('no')) }));
    const rig = new TranscodeRig(new EditableLadder('720p'), factory);
    const output = rig.output('720p');
    const source = rig.source();
    source.emit(frame(0));
    source.close();
    await settled();
    expect(rig.row('720p')).toMatchObject({ state: 'ended', panics: { start: 0, fragment: 0, stop: 1 } });
    expect(output).toMatchObject({ opened: 1, closed: 1 });
    expect(factory.runs[0]!.calls).toEqual(['start', 'stop', 'abort']);
  });

  it('does nothing without factories', async () => {
    const rig = new TranscodeRig(new EditableLadder('720p'));
    rig.source().emit(frame(0));
    await settled();
    expect(rig.runner.list()).toEqual([]);
  });

  it('does nothing for an empty ladder', async () => {
    const factory = new ScriptedFactory();
    const rig = new TranscodeRig(new EditableLadder(), factory);
    rig.source().emit(frame(0));
    await settled();
    expect(rig.runner.list()).toEqual([]);
    expect(factory.runs).toEqual([]);
  });

  it('starts a rung that is added at runtime on every live source, from the newest keyframe', async () => {
    const factory = new ScriptedFactory();
    const rig = new TranscodeRig(new EditableLadder('720p'), factory);
    const [x, y] = [rig.source('live/x'), rig.source('live/y')];
    for (let i = 0; i < 7; i++) for (const source of [x, y]) source.emit(frame(i));
    await settled();
    rig.ladder.add('480p');
    for (let i = 7; i < 9; i++) for (const source of [x, y]) source.emit(frame(i));
    await settled();
    for (const broadcast of ['live/x', 'live/y']) {
      expect(rig.row('720p', 'scripted', broadcast)?.fragmentsSeen).toBe(9);
      expect(rig.row('480p', 'scripted', broadcast)?.fragmentsSeen).toBe(4);
    }
  });

  it('runs no second job for a (factory, rendition) that exists', async () => {
    const factory = new ScriptedFactory();
    const rig = new TranscodeRig(new EditableLadder('720p'), factory);
    rig.source().emit(frame(0));
    rig.ladder.add({ name: '720p' });
    await settled();
    expect(factory.runs).toHaveLength(1);
    const twice = (): TranscodeRunner =>
      new TranscodeRunner({
        ...{ registry: rig.registry, ladders: rig.ladder, clock: rig.clock, logger: silentLogger },
        factories: [new ScriptedFactory('same'), new ScriptedFactory('same')],
      });
    expect(twice).toThrow(/same/);
  });

  it('ends only the jobs of a removed rung, and its output closes in the same tick', async () => {
    const factory = new ScriptedFactory();
    const rig = new TranscodeRig(new EditableLadder('720p', '480p', '240p'), factory);
    const source = rig.source();
    source.emit(frame(0));
    await settled();
    const output = rig.output('480p');
    rig.ladder.remove('480p');
    expect(output.closed).toBe(1);
    source.emit(frame(1));
    source.emit(frame(2));
    await settled();
    expect(rig.row('720p')).toMatchObject({ state: 'running', fragmentsSeen: 3 });
    expect(rig.row('240p')).toMatchObject({ state: 'running', fragmentsSeen: 3 });
    expect(rig.row('480p')).toMatchObject({ state: 'ended', reason: 'rung removed or changed', fragmentsSeen: 1 });
    const ended = factory.runs.filter(({ calls }) => calls.includes('abort') || calls.includes('stop'));
    expect(ended.map(({ context, calls }) => [context.rendition.name, calls])).toEqual([['480p', ['start', 'abort']]]);
  });

  it('never offers an output to a factory', async () => {
    const factory = new ScriptedFactory();
    const rig = new TranscodeRig(new EditableLadder('720p'), factory);
    rig.source().emit(frame(0));
    const other = rig.registry.open({ broadcast: 'live/demo', rendition: '720p-copy', track: 'video' }, INIT);
    other.emit(frame(0));
    await settled();
    expect(factory.runs.map(({ context }) => context.source.rendition)).toEqual(['source']);
  });

  it('lets two factories share a rendition name, one of which serves it', async () => {
    const shy = new ScriptedFactory('shy', () => ({ optOut: 'not today' }));
    const rig = new TranscodeRig(new EditableLadder('720p'), new ScriptedFactory(), shy);
    rig.source().emit(frame(0));
    await settled();
    expect(rig.row('720p')?.state).toBe('running');
    expect(rig.row('720p', 'shy')?.state).toBe('skipped');
    rig.ladder.remove('720p');
    await settled();
    expect(rig.runner.list().filter((row) => row.state !== 'ended')).toEqual([]);
  });

  it('fails a job whose output track has another producer, and tries again once that one is gone', async () => {
    const rig = new TranscodeRig(new EditableLadder('720p'), new ScriptedFactory());
    const intruder = rig.registry.open({ broadcast: 'live/demo', rendition: '720p', track: 'video' }, INIT);
    const source = rig.source();
    source.emit(frame(0));
    await settled();
    expect(rig.row('720p')).toMatchObject({ state: 'failed' });
    expect(rig.row('720p')?.reason).toContain('has a producer already');
    intruder.close();
    source.emit(frame(1));
    await settled();
    expect(rig.row('720p')).toMatchObject({ state: 'running', fragmentsOut: 2 });
  });

  it('lists what the ladder says now', async () => {
    const rig = new TranscodeRig(new EditableLadder('720p'), new ScriptedFactory());
    rig.source().emit(frame(0));
    rig.ladder.add('480p');
    await settled();
    expect(rig.runner.list().map((row) => row.rendition)).toEqual(['720p', '480p']);
    rig.ladder.remove('720p');
    await settled();
    expect(rig.runner.list().flatMap((row) => (row.state === 'running' ? [row.rendition] : []))).toEqual(['480p']);
  });

  it('leaves other readers of the source every fragment', async () => {
    const slow = new ScriptedFactory('scripted', () => ({ push: () => new Promise<void>(() => undefined) }));
    const rig = new TranscodeRig(new EditableLadder('240p'), slow);
    const source = rig.source();
    const seen: unknown[] = [];
    rig.registry.get(source.key)!.fragments$.subscribe((fragment) => seen.push(fragment));
    const sent = [0, 1, 2, 3].map(frame);
    for (const fragment of sent) source.emit(fragment);
    await settled();
    expect(seen).toEqual(sent);
  });

  it('keeps the counters of a key when its broadcast comes back', async () => {
    const rig = new TranscodeRig(new EditableLadder('720p'), new ScriptedFactory());
    for (let round = 1; round <= 3; round++) {
      const source = rig.source();
      source.emit(frame(0));
      source.emit(frame(1));
      source.close();
      await settled();
      expect(rig.row('720p')).toMatchObject({ state: 'ended', fragmentsSeen: 2 * round });
    }
  });

  it('starts the next job of a key only after the one that still drains', async () => {
    let finishDrain = (): void => undefined;
    const factory = new ScriptedFactory('scripted', ({ index }) => ({
      stop: () => (index === 0 ? new Promise<void>((resolve) => (finishDrain = resolve)) : undefined),
    }));
    const rig = new TranscodeRig(new EditableLadder('720p'), factory);
    const first = rig.source();
    first.emit(frame(0));
    await settled();
    first.close();
    const second = rig.source();
    second.emit(fragmentAt({ init: INIT, epoch: 1, atMs: 0, keyframe: true }));
    await settled();
    expect(factory.runs).toHaveLength(1);
    finishDrain();
    await settled();
    expect(factory.runs).toHaveLength(2);
    expect(rig.row('720p')).toMatchObject({ state: 'running', fragmentsSeen: 2 });
  });

  it('replaces the job of a rung whose content changed and keeps one whose content is the same', async () => {
    const factory = new ScriptedFactory();
    const rig = new TranscodeRig(new EditableLadder({ name: '720p', height: 720 }), factory);
    const source = rig.source();
    source.emit(frame(0));
    await settled();
    rig.ladder.replace({ name: '720p', height: 720 });
    await settled();
    expect(factory.runs).toHaveLength(1);
    rig.ladder.replace({ name: '720p', height: 704 });
    await settled();
    expect(factory.runs.map(({ context, calls }) => [context.rendition.height, calls])).toEqual([
      [720, ['start', 'abort']],
      [704, ['start']],
    ]);
    expect(rig.row('720p')?.state).toBe('running');
  });

  it('keeps the counters of the newest keys only', async () => {
    const rig = new TranscodeRig(new EditableLadder('720p'), new ScriptedFactory());
    for (let i = 0; i < MAX_STATS_KEYS + 20; i++) {
      const source = rig.source(`live/${i}`);
      source.emit(frame(0));
      source.close();
      if (i % 100 === 0) await settled();
    }
    await settled();
    rig.source('live/last').emit(frame(0));
    const rows = rig.runner.list();
    expect(rows).toHaveLength(MAX_STATS_KEYS);
    expect(rows.at(-1)?.broadcast).toBe('live/last');
    expect(rows[0]?.broadcast).toBe('live/21');
  });

  it('survives a ladder that throws', async () => {
    const ladder = new EditableLadder('720p');
    const rig = new TranscodeRig(ladder, new ScriptedFactory());
    const source = rig.source();
    source.emit(frame(0));
    await settled();
    ladder.renditionsFor = () => {
      throw new Error('no ladder today');
    };
    ladder.changed$.next();
    source.emit(frame(1));
    await settled();
    expect(rig.row('720p')).toMatchObject({ state: 'running', fragmentsSeen: 2 });
  });

  it('ends everything when it is closed and ignores what comes later', async () => {
    const freed: string[] = [];
    const factory = new ScriptedFactory('scripted', ({ context }) => ({
      abort: async () => {
        await settled();
        freed.push(context.rendition.name);
      },
    }));
    const rig = new TranscodeRig(new EditableLadder('720p', '480p'), factory);
    rig.source().emit(frame(0));
    await settled();
    await Promise.all([rig.runner.close(), rig.runner.close()]);
    expect(freed.sort()).toEqual(['480p', '720p']);
    expect(rig.registry.list().map(({ key }) => key.rendition)).toEqual(['source']);
    rig.source('live/late').emit(frame(0));
    await settled();
    expect(factory.runs).toHaveLength(2);
    expect(rig.clock.pending).toBe(0);
  });
});
