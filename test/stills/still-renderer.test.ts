import { afterEach, describe, expect, it } from 'vitest';
import { StillRenderer, type StillTask } from '../../src/stills/still-renderer.ts';
import { type Deferred, deferred } from '../../src/util/deferred.ts';

const ENDLESS = { input: ['-loglevel', 'error', '-f', 's16le'], output: ['-f', 's16le'] };
const PICTURE = Buffer.from('picture');

let renderer: StillRenderer;
afterEach(() => renderer.close());

function open(limits: { maxWaiting?: number; timeoutMs?: number } = {}): StillRenderer {
  renderer = new StillRenderer({ binaryPath: 'ffmpeg', ...limits });
  return renderer;
}

/** A task that ends when the test says so, or when it is aborted. */
function heldTask(): { task: StillTask; started: () => boolean; aborted: () => boolean; held: Deferred<Buffer> } {
  const held = deferred<Buffer>();
  let signal: AbortSignal | undefined;
  const task: StillTask = (turn) => {
    signal = turn.signal;
    signal.addEventListener('abort', () => held.reject(new Error('aborted')));
    return held.promise;
  };
  return { task, held, started: () => signal !== undefined, aborted: () => signal?.aborted === true };
}

describe('StillRenderer', () => {
  it('makes one picture at a time, in the order in which they were asked for', async () => {
    open();
    const tasks = [heldTask(), heldTask(), heldTask()];
    const pictures = tasks.map(({ task }, index) => renderer.render(`${index}`, task));
    for (const [index, { held }] of tasks.entries()) {
      expect(tasks.map(({ started }) => started())).toEqual(tasks.map((_, other) => other <= index));
      held.resolve(PICTURE);
      await pictures[index];
    }
  });

  it('goes on after a picture that fails', async () => {
    open();
    const failing = renderer.render('a', () => Promise.reject(new Error('no such picture')));
    const throwing = renderer.render('b', () => {
      throw new Error('thrown');
    });
    const good = renderer.render('c', () => Promise.resolve(PICTURE));
    await expect(failing).rejects.toThrow('no such picture');
    await expect(throwing).rejects.toThrow('thrown');
    expect(await good).toBe(PICTURE);
  });

  it('lets exactly so many pictures wait, and refuses one more', async () => {
    open({ maxWaiting: 2 });
    const tasks = [heldTask(), heldTask(), heldTask()];
    const pictures = tasks.map(({ task }, index) => renderer.render(`${index}`, task));
    const same = renderer.render('2', heldTask().task);
    await expect(renderer.render('3', heldTask().task)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    for (const { held } of tasks) held.resolve(PICTURE);
    await Promise.all([...pictures, same]);
    expect(await renderer.render('3', () => Promise.resolve(PICTURE))).toBe(PICTURE);
  });

  it('shares a picture among all who ask for it, and makes it anew for those who ask later', async () => {
    open();
    const { task, held } = heldTask();
    const both = [renderer.render('a', task), renderer.render('a', () => Promise.reject(new Error('never called')))];
    held.resolve(PICTURE);
    expect(await Promise.all(both)).toEqual([PICTURE, PICTURE]);
    expect(await renderer.render('a', () => Promise.resolve(Buffer.from('later')))).toEqual(Buffer.from('later'));
  });

  it('ends a picture when the last of those who asked for it has left, and starts another for the next', async () => {
    open();
    const first = heldTask();
    const controllers = [new AbortController(), new AbortController()];
    const asked = controllers.map(({ signal }) => renderer.render('a', first.task, signal));
    controllers[0]!.abort();
    await expect(asked[0]).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(first.aborted()).toBe(false);
    controllers[1]!.abort();
    await expect(asked[1]).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(first.aborted()).toBe(true);
    expect(await renderer.render('a', () => Promise.resolve(PICTURE))).toBe(PICTURE);
  });

  it('never starts a picture that nobody waits for any more', async () => {
    open({ maxWaiting: 1 });
    const [running, waiting, next] = [heldTask(), heldTask(), heldTask()];
    const controller = new AbortController();
    const first = renderer.render('a', running.task);
    const dropped = renderer.render('b', waiting.task, controller.signal);
    controller.abort();
    await expect(dropped).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const last = renderer.render('c', next.task);
    running.held.resolve(PICTURE);
    next.held.resolve(PICTURE);
    await Promise.all([first, last]);
    expect(waiting.started()).toBe(false);
    await expect(renderer.render('d', waiting.task, AbortSignal.abort())).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    expect(waiting.started()).toBe(false);
  });

  it('gives all runs of a picture one time limit together', async () => {
    open({ timeoutMs: 1_500 });
    const long = renderer.render('a', async ({ ffmpeg }) => {
      const run = { commandLine: ENDLESS, maxOutputBytes: 4_000_000 };
      for (;;) await ffmpeg({ ...run, input: [Buffer.alloc(1_000_000)] });
    });
    await expect(long).rejects.toMatchObject({
      ...{ code: 'TRANSCODER_FAILED', message: 'the picture was not done within 1500 ms' },
    });
    expect(await renderer.render('b', () => Promise.resolve(PICTURE))).toBe(PICTURE);
  });

  it('ends everything when it is closed, and takes nothing more', async () => {
    open();
    const [running, waiting] = [heldTask(), heldTask()];
    const asked = [renderer.render('a', running.task), renderer.render('b', waiting.task)];
    const ended = Promise.allSettled(asked);
    await Promise.all([renderer.close(), renderer.close()]);
    expect((await ended).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect([running.aborted(), waiting.started()]).toEqual([true, false]);
    await expect(renderer.render('c', waiting.task)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
