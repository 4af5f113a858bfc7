import { describe, expect, it } from 'vitest';
import { type Deferred, deferred } from '../../../src/util/deferred.ts';
import { SharedTasks } from '../../../src/vod/source/shared-tasks.ts';

/** Tasks that end when the test says so. */
function rig(maxRunning = 1) {
  const tasks = new SharedTasks<string>(maxRunning);
  const started: string[] = [];
  const running = new Map<string, Deferred<string>>();
  const run = (key: string, signal?: AbortSignal): Promise<string> =>
    tasks.run(
      key,
      (all) => {
        const result = deferred<string>();
        all.addEventListener('abort', () => result.reject(new Error('it was aborted')), { once: true });
        started.push(key);
        running.set(key, result);
        return result.promise;
      },
      signal,
    );
  const end = (key: string): void => running.get(key)?.resolve(key);
  return { tasks, started, running, run, end };
}

/** Lets all that can go on go on. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('SharedTasks', () => {
  it('runs as many tasks at once as it may, the others in their order', async () => {
    const { started, run, end } = rig(2);
    const results = ['a', 'b', 'c', 'd'].map((key) => run(key));
    await settle();
    expect(started).toEqual(['a', 'b']);
    end('b');
    await settle();
    expect(started).toEqual(['a', 'b', 'c']);
    for (const key of ['a', 'c']) end(key);
    await settle();
    end('d');
    expect(await Promise.all(results)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('gives the turn of who has left to the next', async () => {
    const { started, run, end } = rig();
    const controller = new AbortController();
    const first = run('a');
    const left = run('b', controller.signal);
    const last = run('c');
    controller.abort();
    await expect(left).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    end('a');
    await first;
    await settle();
    expect(started).toEqual(['a', 'c']);
    end('c');
    expect(await last).toBe('c');
  });

  it('hands on what a task throws, and runs it anew afterwards', async () => {
    const { started, running, run, end } = rig();
    const both = [run('a'), run('a')];
    await settle();
    running.get('a')?.reject(new Error('no luck'));
    for (const result of both) await expect(result).rejects.toThrow('no luck');
    const again = run('a');
    await settle();
    end('a');
    expect(await again).toBe('a');
    expect(started).toEqual(['a', 'a']);
  });

  it('lets 100 keys wait, and not one more', async () => {
    const { tasks, run } = rig();
    const results = Array.from({ length: 101 }, (_, index) => run(String(index)));
    await settle();
    await expect(run('one more')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const joined = run('100');
    await tasks.close();
    for (const result of [...results, joined]) await expect(result).rejects.toThrow(/aborted/);
  });

  it('starts nothing once it is closed, or for who has left already', async () => {
    const { tasks, started, run } = rig();
    await expect(run('a', AbortSignal.abort())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await tasks.close();
    await expect(run('a')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(started).toEqual([]);
  });
});
