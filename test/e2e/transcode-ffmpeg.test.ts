import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Fragment } from '../../src/media/fragment.ts';
import { isRunning, LiveTranscoding, play } from '../support/transcode-live.ts';
import { softwareFactory } from '../support/transcode-run.ts';
import { keyframesOf, ptsOf, videoSource } from '../support/transcode-source.ts';

const RUNGS = [
  { name: '180p', height: 180, videoBitrateKbps: 300 },
  { name: '120p', height: 120, videoBitrateKbps: 150 },
] as const;
const PATIENT = { timeout: 20_000, interval: 25 };

let live: LiveTranscoding;
afterEach(() => live.runner.close());

function strictlyForwards(fragments: readonly Fragment[]): boolean {
  const pts = ptsOf(fragments);
  return pts.every((at, index) => index === 0 || at > pts[index - 1]!);
}

describe('rungs with real encoders', () => {
  it('go on after one encoder is killed: its rung from the newest keyframe, the others without noticing', async () => {
    live = await LiveTranscoding.open(...RUNGS);
    const { fragments } = await videoSource({ size: '320x240', seconds: 8 });
    const source = live.source(fragments[0]!);
    let killed: number | undefined;
    await play(
      fragments,
      (fragment, index) => {
        source.emit(fragment);
        if (index !== 75) return;
        killed = live.row('180p')?.pid;
        process.kill(killed!, 'SIGKILL');
      },
      2,
    );
    await vi.waitFor(() => expect(live.row('180p')).toMatchObject({ restarts: 1, state: 'running' }), PATIENT);
    expect(live.row('180p')?.pid).not.toBe(killed);
    source.close();
    await vi.waitFor(() => expect(live.row('180p')?.state).toBe('ended'), PATIENT);
    await vi.waitFor(() => expect(live.row('120p')?.state).toBe('ended'), PATIENT);

    const [hurt, whole] = [live.fragments('180p'), live.fragments('120p')];
    expect(ptsOf(whole)).toEqual(ptsOf(fragments));
    expect(live.row('120p')).toMatchObject({ restarts: 0, dropped: 0 });
    expect(strictlyForwards(hurt)).toBe(true);
    const known = new Set(ptsOf(fragments));
    expect(hurt.every(({ firstPts }) => known.has(firstPts))).toBe(true);
    expect(hurt.at(-1)!.firstPts).toBe(fragments.at(-1)!.firstPts);
    const gaps = hurt.slice(1).map(({ firstPts }, index) => firstPts - hurt[index]!.endPts);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(2.5 * 90_000);
    expect(new Set(hurt.map(({ init }) => init)).size).toBe(1);
    expect(live.opened).toBe(2);
  });

  it('go on after one encoder hangs', async () => {
    live = await LiveTranscoding.open(...RUNGS);
    const { fragments } = await videoSource({ size: '320x240', seconds: 8, gop: 15 });
    const source = live.source(fragments[0]!);
    let stopped: number | undefined;
    await play(fragments, (fragment, index) => {
      source.emit(fragment);
      if (index !== 45) return;
      stopped = live.row('180p')?.pid;
      process.kill(stopped!, 'SIGSTOP');
    });
    await vi.waitFor(() => expect(live.row('180p')).toMatchObject({ restarts: 1, state: 'running' }), PATIENT);
    source.close();
    await vi.waitFor(() => expect(live.row('180p')?.state).toBe('ended'), PATIENT);
    expect(isRunning(stopped!)).toBe(false);
    expect(strictlyForwards(live.fragments('180p'))).toBe(true);
    expect(live.fragments('180p').at(-1)!.firstPts).toBe(fragments.at(-1)!.firstPts);
    await vi.waitFor(() => expect(ptsOf(live.fragments('120p'))).toEqual(ptsOf(fragments)), PATIENT);
  });

  it('tolerate a corrupt frame', async () => {
    live = await LiveTranscoding.open(RUNGS[1]);
    const { fragments } = await videoSource({ size: '320x240', seconds: 4 });
    const source = live.source(fragments[0]!);
    await play(
      fragments,
      (fragment, index) => {
        const bytes = Buffer.from(fragment.bytes);
        if (index === 40) bytes.fill(0xa5, bytes.length - fragment.payload.length);
        source.emit({ ...fragment, bytes });
      },
      4,
    );
    source.close();
    await vi.waitFor(() => expect(live.row('120p')?.state).toBe('ended'), PATIENT);
    expect(live.row('120p')).toMatchObject({ restarts: 0, panics: { start: 0, fragment: 0, stop: 0 } });
    expect(live.fragments('120p').length).toBeGreaterThan(90);
    expect(keyframesOf(live.fragments('120p'))).toEqual(keyframesOf(fragments));
  });

  it('give a new init a new encoder at once, and the output a new epoch and init', async () => {
    live = await LiveTranscoding.open(RUNGS[0]);
    const before = await videoSource({ size: '320x240', seconds: 2 });
    const after = await videoSource({ size: '640x240', seconds: 2, startS: 1_002, epoch: 1 });
    const source = live.source(before.fragments[0]!);
    const pids = new Set<number | undefined>();
    await play(
      [...before.fragments, ...after.fragments],
      (fragment) => {
        source.emit(fragment);
        pids.add(live.row('180p')?.pid);
      },
      2,
    );
    source.close();
    await vi.waitFor(() => expect(live.row('180p')?.state).toBe('ended'), PATIENT);
    pids.delete(undefined);
    expect(pids.size).toBe(2);
    const output = live.fragments('180p');
    expect(ptsOf(output)).toEqual(ptsOf([...before.fragments, ...after.fragments]));
    expect(output.map(({ epoch, init }) => [epoch, init.width, init.height])).toEqual([
      ...before.fragments.map(() => [0, 240, 180]),
      ...after.fragments.map(() => [1, 480, 180]),
    ]);
    expect(live.row('180p')?.restarts).toBe(0);
    expect(live.opened).toBe(1);
  });

  it('lose no frame when a fresh encoder takes over from one that has lived long enough', async () => {
    const factory = await softwareFactory();
    live = LiveTranscoding.with(
      {
        name: 'ffmpeg',
        build: (context) => {
          const built = factory.build(context);
          return 'optOut' in built ? built : Object.assign(built, { lifetimeFragments: 50 });
        },
      },
      RUNGS[1],
    );
    const { fragments } = await videoSource({ size: '320x240', seconds: 6 });
    const source = live.source(fragments[0]!);
    await play(fragments, (fragment) => source.emit(fragment), 2);
    source.close();
    await vi.waitFor(() => expect(live.row('120p')?.state).toBe('ended'), PATIENT);
    const output = live.fragments('120p');
    expect(ptsOf(output)).toEqual(ptsOf(fragments));
    expect(keyframesOf(output)).toEqual(keyframesOf(fragments));
    expect(new Set(output.map(({ init }) => init)).size).toBe(1);
    expect(live.row('120p')?.restarts).toBe(0);
  });

  it('leave no process behind when the server is killed', async () => {
    live = await LiveTranscoding.open();
    const script = new URL('../support/transcode-orphan.ts', import.meta.url).pathname;
    const server = spawn(process.execPath, ['--import', 'tsx', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(server.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    expect(isRunning(pid)).toBe(true);
    server.kill('SIGKILL');
    await vi.waitFor(() => expect(isRunning(pid)).toBe(false), PATIENT);
  });
});
