import { setTimeout as delay } from 'node:timers/promises';

/** Asks until there is an answer; for what a real server or process says only when asked. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 40_000,
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadlineMs) throw new Error(`gave up waiting for ${what} after ${timeoutMs} ms`);
    await delay(50);
  }
}
