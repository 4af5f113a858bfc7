import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/util/clock.ts';

describe('the system clock', () => {
  afterEach(() => void vi.useRealTimers());

  it.each([3_600_000, -3_600_000])('does not step when the machine’s clock is set by %i ms', (byMs) => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const beforeMs = systemClock.nowMs();
    vi.setSystemTime(beforeMs + byMs);
    expect(Math.abs(Date.now() - beforeMs - byMs)).toBeLessThan(60_000);
    expect(systemClock.nowMs() - beforeMs).toBeGreaterThanOrEqual(0);
    expect(systemClock.nowMs() - beforeMs).toBeLessThan(60_000);
  });
});
