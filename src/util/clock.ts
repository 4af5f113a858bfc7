/** Where time comes from and how to wait; injected wherever time decides something, so that tests own it. */
export interface Clock {
  /** Wall clock in ms since the Unix epoch. Never steps, even if the machine's clock is set. */
  nowMs(): number;
  /** Resolves after `ms`, at once when `signal` aborts; never rejects. */
  wait(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `task` each `ms` until the returned function is called. Does not keep the process alive. */
  every(ms: number, task: () => void): () => void;
}

/** The real clock: monotonic, anchored to the wall clock at process start. */
export const systemClock: Clock = {
  nowMs: () => performance.timeOrigin + performance.now(),
  wait: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve();
        return;
      }
      const finish = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', finish);
        resolve();
      };
      const timer = setTimeout(finish, ms);
      signal?.addEventListener('abort', finish, { once: true });
    }),
  every: (ms, task) => {
    const timer = setInterval(task, ms);
    timer.unref();
    return () => clearInterval(timer);
  },
};
