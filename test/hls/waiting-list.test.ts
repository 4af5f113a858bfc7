import { describe, expect, it } from 'vitest';
import { WaitingList, WaitingRoom } from '../../src/hls/waiting-list.ts';
import { WakeQueue } from '../../src/hls/wake-queue.ts';
import { AppError } from '../../src/util/errors.ts';
import { silentLogger } from '../../src/util/logger.ts';

/** Event loop turns in which each answer takes 1 ms. */
class Turns {
  nowMs = 0;
  #tasks: (() => void)[] = [];
  readonly queue = new WakeQueue(
    () => this.nowMs,
    (task) => void this.#tasks.push(task),
  );

  get pending(): number {
    return this.#tasks.length;
  }

  run(): void {
    const tasks = this.#tasks;
    this.#tasks = [];
    tasks.forEach((task) => task());
  }

  runAll(): void {
    while (this.#tasks.length > 0) this.run();
  }
}

interface Request {
  readonly signal: AbortSignal;
  readonly wants: number;
}

class Bench {
  readonly turns = new Turns();
  readonly room: WaitingRoom;
  readonly list: WaitingList<Request, string>;
  readonly answers: string[] = [];

  constructor(max = 100_000) {
    this.room = new WaitingRoom(silentLogger, max, this.turns.queue);
    this.list = new WaitingList(this.room);
  }

  ask(wants: number, untilMs = 9_000): AbortController {
    const controller = new AbortController();
    this.list.add(
      { signal: controller.signal, wants },
      (result) => {
        this.turns.nowMs += 1;
        this.answers.push(result instanceof AppError ? result.code : result);
      },
      untilMs,
    );
    return controller;
  }
}

describe('WaitingList', () => {
  it('answers those that there is a result for, in their order, and lets the others wait', () => {
    const bench = new Bench();
    for (const wants of [1, 2, 1]) bench.ask(wants);
    bench.list.settle(({ wants }) => (wants === 1 ? `got ${wants}` : undefined));
    expect(bench.answers).toEqual([]);
    bench.turns.runAll();
    expect(bench.answers).toEqual(['got 1', 'got 1']);
    expect([bench.list.size, bench.room.count]).toEqual([1, 1]);
  });

  it('works at most 4 ms a turn', () => {
    const bench = new Bench();
    for (let count = 0; count < 10; count += 1) bench.ask(1);
    bench.list.settle(() => 'x');
    const perTurn: number[] = [];
    while (bench.turns.pending > 0) {
      const before = bench.answers.length;
      bench.turns.run();
      perTurn.push(bench.answers.length - before);
    }
    expect(perTurn.slice(0, 3)).toEqual([4, 4, 2]);
    expect(bench.answers).toHaveLength(10);
  });

  it('forgets whose client has gone, also between the result and the answer', () => {
    const bench = new Bench();
    const [early, late, stays] = [bench.ask(1), bench.ask(1), bench.ask(1)];
    early.abort();
    expect([bench.list.size, bench.room.count]).toEqual([2, 2]);
    bench.list.settle(() => 'x');
    late.abort();
    bench.turns.runAll();
    expect(bench.answers).toEqual(['x']);
    stays.abort();
    expect([bench.list.size, bench.room.count]).toEqual([0, 0]);
  });

  it('does not let in whose client has gone already', () => {
    const bench = new Bench();
    bench.list.add({ signal: AbortSignal.abort(), wants: 1 }, () => bench.answers.push('x'), 9_000);
    bench.list.settle(() => 'x');
    bench.turns.runAll();
    expect([bench.answers.length, bench.room.count]).toEqual([0, 0]);
  });

  it('is empty again after 10,000 requests whose clients left', () => {
    const bench = new Bench();
    const clients = Array.from({ length: 10_000 }, () => bench.ask(1));
    expect(bench.room.count).toBe(10_000);
    clients.forEach((client) => client.abort());
    expect([bench.list.size, bench.room.count, bench.turns.pending]).toEqual([0, 0, 0]);
  });

  it('answers those whose time is over, and no others', () => {
    const bench = new Bench();
    for (const untilMs of [1_000, 2_000, 2_001]) bench.ask(1, untilMs);
    bench.list.expire(2_000, () => new AppError('UNAVAILABLE', 'too late'));
    bench.turns.runAll();
    expect(bench.answers).toEqual(['UNAVAILABLE', 'UNAVAILABLE']);
    expect(bench.list.size).toBe(1);
  });

  it('refuses at once those that are too many, and lets others in when there is room', () => {
    const bench = new Bench(2);
    const [first] = [bench.ask(1), bench.ask(1), bench.ask(1)];
    expect(bench.answers).toEqual(['UNAVAILABLE']);
    first.abort();
    bench.ask(1);
    expect([bench.list.size, bench.answers.length]).toEqual([2, 1]);
  });

  it('answers the others when one answer throws', () => {
    const bench = new Bench();
    const { signal } = new AbortController();
    const fail = (): void => {
      throw new Error('socket');
    };
    bench.list.add({ signal, wants: 1 }, fail, 9_000);
    bench.ask(1);
    bench.list.settle(() => 'x');
    bench.turns.runAll();
    expect([bench.answers, bench.room.count]).toEqual([['x'], 0]);
  });
});

describe('WakeQueue', () => {
  it('takes what is pushed while it works, in a later turn if the slice is over', async () => {
    const queue = new WakeQueue();
    const done: string[] = [];
    await new Promise<void>((resolve) => {
      queue.push({
        deliver: () => {
          done.push('first');
          queue.push({
            deliver: () => {
              done.push('second');
              resolve();
            },
          });
        },
      });
      expect(done).toEqual([]);
    });
    expect(done).toEqual(['first', 'second']);
  });
});
