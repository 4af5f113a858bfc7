import { describe, expect, it } from 'vitest';
import { LiveBacklog } from '../../../src/ingest/pull/live-backlog.ts';

/** Asks for a piece each 100 ms, as if each was there at once and then held up; media goes on at `speed`. */
function judgeReady(backlog: LiveBacklog, fromMs: number, count: number, speed: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const nowMs = fromMs + index * 100;
    const verdict = backlog.judge(nowMs, 1, nowMs * speed);
    backlog.hold(nowMs);
    return verdict;
  });
}

describe('LiveBacklog', () => {
  it('uses everything of a source that has to be waited for', () => {
    const backlog = new LiveBacklog(0, true);
    for (let nowMs = 100; nowMs < 60_000; nowMs += 100) expect(backlog.judge(nowMs, 90, nowMs)).toBe('use');
  });

  it('skips what is ready once that has been so for 5 s, up to what has to be waited for', () => {
    const backlog = new LiveBacklog(0, true);
    const verdicts = judgeReady(backlog, 0, 60, 1);
    expect(verdicts.slice(0, 50)).toEqual(Array(50).fill('use'));
    expect(verdicts.slice(50)).toEqual(Array(10).fill('skip'));
    expect(backlog.judge(6_100, 80, 6_100)).toBe('resume');
    expect(judgeReady(backlog, 6_200, 40, 1)).toEqual(Array(40).fill('use'));
  });

  it('does not skip what we are slow to take without being held up', () => {
    const backlog = new LiveBacklog(0, true);
    for (let nowMs = 100; nowMs < 60_000; nowMs += 100) expect(backlog.judge(nowMs, 1, nowMs)).toBe('use');
  });

  it('leaves out nothing of a recording', () => {
    expect(judgeReady(new LiveBacklog(0, false), 0, 1_000, 1)).toEqual(Array(1_000).fill('use'));
  });

  it('does not take a source that has more than time has passed for a live one', () => {
    const backlog = new LiveBacklog(0, true);
    // A burst at the start is nothing special.
    expect(backlog.judge(10, 1, 30_000)).toBe('use');
    expect(backlog.judge(20, 1, 60_021)).toBe('use');
    expect(judgeReady(backlog, 100, 200, 20)).toEqual(Array(200).fill('use'));
    const skipping = new LiveBacklog(0, true);
    judgeReady(skipping, 0, 60, 1);
    expect(skipping.judge(6_000, 1, 66_001)).toBe('resume');
    expect(judgeReady(skipping, 6_100, 100, 20)).toEqual(Array(100).fill('use'));
  });
});
