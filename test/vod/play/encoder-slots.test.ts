import { describe, expect, it } from 'vitest';
import type { AppError } from '../../../src/util/errors.ts';
import { EncoderSlots, type SlotUser, type Urgency } from '../../../src/vod/play/encoder-slots.ts';
import { ManualClock } from '../../support/manual-clock.ts';

class User implements SlotUser {
  urgency: Urgency;
  isGranted = false;
  asked = 0;
  refusal: AppError | undefined;

  constructor(urgency: Urgency) {
    this.urgency = urgency;
  }

  granted(): void {
    this.isGranted = true;
  }

  refused(error: AppError): void {
    this.refusal = error;
  }

  giveWay(): void {
    this.asked += 1;
  }
}

function enter(slots: EncoderSlots, ...urgencies: Urgency[]): User[] {
  return urgencies.map((urgency) => {
    const user = new User(urgency);
    slots.enter(user);
    return user;
  });
}

describe('EncoderSlots', () => {
  it('lets as many run as there are slots', () => {
    const slots = new EncoderSlots({ max: 2 }, new ManualClock());
    const users = enter(slots, 'demand', 'demand', 'demand');
    expect(users.map(({ isGranted }) => isGranted)).toEqual([true, true, false]);
    expect([slots.running, slots.waiting]).toEqual([2, 1]);
    slots.leave(users[0]!);
    expect(users[2]!.isGranted).toBe(true);
    expect([slots.running, slots.waiting]).toEqual([2, 0]);
  });

  it('serves who is needed most first, and equals in the order in which they came', () => {
    const slots = new EncoderSlots({ max: 1 }, new ManualClock());
    const [holder, fill, ahead, first, second] = enter(slots, 'demand', 'fill', 'ahead', 'demand', 'demand');
    const order: string[] = [];
    let running = holder!;
    for (
      const names = new Map([
        [fill, 'fill'],
        [ahead, 'ahead'],
        [first, 'first'],
        [second, 'second'],
      ]);
      names.size > 0;
    ) {
      slots.leave(running);
      const [next] = [...names.keys()].filter((user) => user!.isGranted);
      order.push(names.get(next)!);
      names.delete(next);
      running = next!;
    }
    expect(order).toEqual(['first', 'second', 'ahead', 'fill']);
  });

  it.each([
    ['idle', 'fill'],
    ['idle', 'demand'],
    ['fill', 'demand'],
    ['ahead', 'demand'],
  ] as const)('asks who is %s to give way to %s, once', (holding, wanting) => {
    const slots = new EncoderSlots({ max: 1 }, new ManualClock());
    const [holder, waiter] = enter(slots, holding, wanting);
    slots.update();
    expect([holder!.asked, waiter!.isGranted]).toEqual([1, false]);
    slots.leave(holder!);
    expect(waiter!.isGranted).toBe(true);
  });

  it.each([
    ['demand', 'demand'],
    ['ahead', 'fill'],
    ['fill', 'fill'],
  ] as const)('lets who is %s go on while %s waits', (holding, wanting) => {
    const slots = new EncoderSlots({ max: 1 }, new ManualClock());
    const [holder] = enter(slots, holding, wanting);
    slots.update();
    expect(holder!.asked).toBe(0);
  });

  it('asks the least needed, and no more of them than wait', () => {
    const slots = new EncoderSlots({ max: 3 }, new ManualClock());
    const [ahead, idle, fill] = enter(slots, 'ahead', 'idle', 'fill');
    enter(slots, 'demand');
    expect([ahead, idle, fill].map((user) => user!.asked)).toEqual([0, 1, 0]);
    enter(slots, 'demand');
    expect([ahead, idle, fill].map((user) => user!.asked)).toEqual([0, 1, 1]);
  });

  it('asks as soon as somebody is needed less than before', () => {
    const slots = new EncoderSlots({ max: 1 }, new ManualClock());
    const [holder] = enter(slots, 'demand', 'demand');
    expect([holder!.asked, slots.isContended]).toEqual([0, true]);
    holder!.urgency = 'ahead';
    slots.update();
    expect(holder!.asked).toBe(1);
  });

  it('refuses who has waited for 20 s, but lets those wait who fill the cache', () => {
    const clock = new ManualClock();
    const slots = new EncoderSlots({ max: 1 }, clock);
    const [, wanted, fill] = enter(slots, 'demand', 'demand', 'fill');
    clock.advance(19_999);
    slots.sweep();
    expect(wanted!.refusal).toBeUndefined();
    clock.advance(1);
    slots.sweep();
    expect(wanted!.refusal).toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/vod\.maxEncoders/) as string,
    });
    expect([fill!.refusal, slots.waiting]).toEqual([undefined, 1]);
  });

  it('counts the time of waiting from when it became urgent', () => {
    const clock = new ManualClock();
    const slots = new EncoderSlots({ max: 1 }, clock);
    const [, user] = enter(slots, 'demand', 'fill');
    clock.advance(100_000);
    user!.urgency = 'demand';
    slots.update();
    slots.sweep();
    expect(user!.refusal).toBeUndefined();
    clock.advance(20_000);
    slots.sweep();
    expect(user!.refusal).toBeDefined();
  });

  it('bounds how many wait', () => {
    const slots = new EncoderSlots({ max: 1, maxWaiting: 2 }, new ManualClock());
    enter(slots, 'demand', 'demand', 'demand');
    expect(() => enter(slots, 'demand')).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }));
    expect(slots.waiting).toBe(2);
  });

  it('grants no more than there is when users leave while they are asked or granted', () => {
    const slots = new EncoderSlots({ max: 1 }, new ManualClock());
    const holder = new User('idle');
    holder.giveWay = () => slots.leave(holder);
    slots.enter(holder);
    const hasty = new User('demand');
    hasty.granted = () => slots.leave(hasty);
    slots.enter(hasty);
    const [last] = enter(slots, 'demand');
    expect([last!.isGranted, slots.running, slots.waiting]).toEqual([true, 1, 0]);
  });
});
