import { describe, expect, it } from 'vitest';
import { Watchdog } from '../../src/transcode/watchdog.ts';
import { fragmentAt } from '../support/fragments.ts';

/** A watchdog that has seen output at 0, and a way to give it `ms` of input with keyframes each `gopMs`. */
function watched(gopMs: number): { dog: Watchdog; feed: (ms: number) => void } {
  const dog = new Watchdog(0);
  let atMs = 0;
  const feed = (ms: number): void => {
    for (const endMs = atMs + ms; atMs < endMs; atMs += 100) {
      dog.input(fragmentAt({ atMs, keyframe: atMs % gopMs === 0 }));
    }
  };
  return { dog, feed };
}

describe('Watchdog', () => {
  it('reports an encoder that put out nothing for more than 2 s of input', () => {
    const { dog, feed } = watched(500);
    dog.output(0);
    feed(2_000);
    expect(dog.verdict(2_000)).toBeUndefined();
    feed(300);
    expect(dog.verdict(2_300)).toMatch(/2300 ms of media/);
    dog.output(2_400);
    expect(dog.verdict(2_400)).toBeUndefined();
  });

  it('allows two GOPs of silence when they are longer', () => {
    const { dog, feed } = watched(3_000);
    feed(6_100);
    dog.output(6_100);
    feed(6_000);
    expect(dog.verdict(12_200)).toBeUndefined();
    feed(200);
    expect(dog.verdict(12_400)).toBeDefined();
  });

  it('allows more time for start-up', () => {
    const { dog, feed } = watched(500);
    feed(6_900);
    expect(dog.verdict(6_900)).toBeUndefined();
    feed(300);
    expect(dog.verdict(7_200)).toBeDefined();
  });

  it('does not mistake a burst of media for a hang', () => {
    const { dog, feed } = watched(500);
    dog.output(0);
    feed(5_000);
    expect(dog.verdict(100)).toBeUndefined();
  });

  it('does not mistake a frozen publisher for a hang', () => {
    const { dog, feed } = watched(500);
    dog.output(0);
    feed(200);
    expect(dog.verdict(60_000)).toBeUndefined();
  });
});
