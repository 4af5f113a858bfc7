/** A thing with an end: `close()` is idempotent, waits for its children and never rejects. */
export interface Closable {
  close(): Promise<void>;
}

/** Owns children and closes them newest first. Every call of `close()` shares one completion. */
export class Closer implements Closable {
  #tasks: (() => unknown)[] = [];
  #closing: Promise<void> | undefined;

  /** True from the first `close()` on. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** Registers a task for the end; runs it at once if the end has come already. */
  add(task: () => unknown): void {
    if (this.closed) void settle(task);
    else this.#tasks.push(task);
  }

  close(): Promise<void> {
    this.#closing ??= this.#run();
    return this.#closing;
  }

  async #run(): Promise<void> {
    const tasks = this.#tasks.reverse();
    this.#tasks = [];
    for (const task of tasks) await settle(task);
  }
}

async function settle(task: () => unknown): Promise<void> {
  try {
    await task();
  } catch {
    // A failing end must not keep the siblings from ending; whoever can fail logs its own failure.
  }
}
