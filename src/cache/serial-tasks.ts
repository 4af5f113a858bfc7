/** Runs tasks that have a name in common one after the other, others at the same time. */
export class SerialTasks {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** Runs a task once those before it of the same name have ended; gives what it gives. */
  async run<T>(name: string, task: () => Promise<T>): Promise<T> {
    const done = (this.#tails.get(name) ?? Promise.resolve()).then(task);
    const tail = done
      .catch(() => undefined)
      .finally(() => {
        if (this.#tails.get(name) === tail) this.#tails.delete(name);
      });
    this.#tails.set(name, tail);
    return done;
  }

  /** Resolves when nothing runs or waits. */
  async settled(): Promise<void> {
    while (this.#tails.size > 0) await Promise.all(this.#tails.values());
  }
}
