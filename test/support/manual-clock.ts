import type { Clock } from '../../src/util/clock.ts';

interface Alarm {
  atMs: number;
  readonly ring: () => void;
}

/** A clock that only moves when the test moves it. */
export class ManualClock implements Clock {
  #nowMs: number;
  #alarms: Alarm[] = [];

  constructor(nowMs = 1_700_000_000_000) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  /** How many waits and intervals are pending. */
  get pending(): number {
    return this.#alarms.length;
  }

  wait(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve();
        return;
      }
      const finish = (): void => {
        cancel();
        signal?.removeEventListener('abort', finish);
        resolve();
      };
      const cancel = this.#at(ms, finish);
      signal?.addEventListener('abort', finish, { once: true });
    });
  }

  every(ms: number, task: () => void): () => void {
    let cancel = (): void => undefined;
    const arm = (): void => {
      cancel = this.#at(ms, () => {
        arm();
        task();
      });
    };
    arm();
    return () => cancel();
  }

  /** Moves time forwards, ringing every alarm on the way in order. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const next = this.#alarms.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      this.#alarms = this.#alarms.filter((alarm) => alarm !== next);
      next.ring();
    }
    this.#nowMs = endMs;
  }

  #at(ms: number, ring: () => void): () => void {
    const alarm = { atMs: this.#nowMs + ms, ring };
    this.#alarms.push(alarm);
    return () => {
      this.#alarms = this.#alarms.filter((other) => other !== alarm);
    };
  }
}
