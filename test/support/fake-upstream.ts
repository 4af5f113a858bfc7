import type { SourceUpstream } from '../../src/sources/source-upstream.ts';
import { type Deferred, deferred } from '../../src/util/deferred.ts';

type Status = ReturnType<SourceUpstream['status']>;
type State = Awaited<ReturnType<ReturnType<SourceUpstream['follow']>['next']>>;

/** An upstream that does what the test says. */
export class FakeUpstream implements SourceUpstream {
  readonly found: Deferred<'hls' | 'mpegts'> = deferred();
  releases = 0;
  follows = 0;
  #status: Status;
  #next: Deferred<State> = deferred();
  readonly #listeners: (() => void)[] = [];

  constructor(counters: Record<string, number> = {}) {
    this.#status = { state: 'idle', address: 'a', urlIndex: 0, failovers: 3, lastError: undefined, counters };
  }

  kind(signal: AbortSignal): Promise<'hls' | 'mpegts'> {
    signal.addEventListener('abort', () => this.found.reject(signal.reason as Error));
    return this.found.promise;
  }

  ladder(): Promise<{ renditions: { id: string }[] }> {
    return Promise.resolve({ renditions: [{ id: 'v0' }, { id: 'v1' }] });
  }

  follow(id: string): ReturnType<SourceUpstream['follow']> {
    if (id !== 'v0') throw new Error(`follows ${id}`);
    this.follows += 1;
    return {
      next: (_after, signal) => {
        signal.addEventListener('abort', () => this.#next.reject(signal.reason as Error));
        return this.#next.promise;
      },
      release: () => void (this.follows -= 1),
    };
  }

  /** What whoever follows is told. */
  says(state: Partial<State> | Error): void {
    const { resolve, reject } = this.#next;
    this.#next = deferred();
    if (state instanceof Error) reject(state);
    else resolve({ version: 1, ended: false, isRecorded: false, ...state });
  }

  readonly status = (): Status => this.#status;

  onChange(listener: () => void): () => void {
    this.#listeners.push(listener);
    return () => undefined;
  }

  change(status: Partial<Status>): void {
    this.#status = { ...this.#status, ...status };
    for (const listener of this.#listeners) listener();
  }

  release(): void {
    this.releases += 1;
  }
}
