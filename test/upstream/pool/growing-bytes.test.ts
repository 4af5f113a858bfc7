import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { GrowingBytes } from '../../../src/upstream/pool/growing-bytes.ts';

const BLOCK = 65_536;

async function collected(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

describe('GrowingBytes', () => {
  it.each([1, 1_000, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 17])(
    'gives %i bytes as they came, to all',
    async (size) => {
      const bytes = randomBytes(size);
      const growing = new GrowingBytes();
      const early = collected(growing.pieces());
      const whole = growing.whole();
      for (let at = 0; at < size; at += 7_919) growing.append(bytes.subarray(at, at + 7_919));
      growing.finish();
      growing.append(Buffer.from('too late'));
      const late = collected(growing.pieces());
      for (const read of [early, whole, late]) expect((await read).equals(bytes)).toBe(true);
      expect([growing.state, growing.length, growing.heldBytes]).toEqual(['done', size, size]);
    },
  );

  it('gives each reader what is there at once, and the rest when it comes', async () => {
    const growing = new GrowingBytes();
    const pieces = growing.pieces();
    growing.append(Buffer.from('one'));
    expect((await pieces.next()).value).toEqual(Buffer.from('one'));
    const next = pieces.next();
    growing.append(Buffer.from('two'));
    expect((await next).value).toEqual(Buffer.from('two'));
    growing.finish();
    expect(await pieces.next()).toEqual({ done: true, value: undefined });
  });

  it('holds no more memory for bytes that come one by one', () => {
    const growing = new GrowingBytes();
    for (let n = 0; n < 2 * BLOCK + 1; n++) growing.append(Buffer.from([n & 0xff]));
    expect(growing.heldBytes).toBe(3 * BLOCK);
    growing.finish();
    expect(growing.heldBytes).toBe(2 * BLOCK + 1);
  });

  it('may be nothing at all', async () => {
    const growing = new GrowingBytes();
    const [ready, whole, pieces] = [growing.ready(), growing.whole(), collected(growing.pieces())];
    growing.finish();
    await ready;
    expect([await whole, await pieces]).toEqual([Buffer.alloc(0), Buffer.alloc(0)]);
  });

  it('starts anew only while nobody has read of it', async () => {
    const growing = new GrowingBytes();
    growing.append(Buffer.from('wrong'));
    expect([growing.reset(), growing.length, growing.heldBytes]).toEqual([true, 0, 0]);
    growing.append(Buffer.from('right'));
    await growing.ready();
    expect([growing.reset(), growing.content().toString()]).toEqual([false, 'right']);
    const other = new GrowingBytes();
    other.append(Buffer.from('read'));
    await other.pieces().next();
    expect(other.reset()).toBe(false);
  });

  it('fails for all its readers, those that come later included, and holds nothing then', async () => {
    const growing = new GrowingBytes();
    growing.append(Buffer.alloc(100));
    const reading = growing.pieces();
    await reading.next();
    const waiting = [reading.next(), growing.whole()];
    const refusals = waiting.map((promise) => expect(promise).rejects.toThrow('broken'));
    growing.fail(new Error('broken'));
    growing.fail(new Error('again'));
    growing.finish();
    await Promise.all(refusals);
    await expect(growing.ready()).rejects.toThrow('broken');
    await expect(growing.pieces().next()).rejects.toThrow('broken');
    expect([growing.state, growing.heldBytes]).toEqual(['failed', 0]);
  });

  it('lets each reader give up', async () => {
    const growing = new GrowingBytes();
    const controller = new AbortController();
    const { signal } = controller;
    const reads = [growing.ready(signal), growing.whole(signal), growing.pieces(signal).next()];
    const refusals = reads.map((read) => expect(read).rejects.toMatchObject({ code: 'UNAVAILABLE' }));
    const other = growing.whole();
    controller.abort();
    await Promise.all(refusals);
    await expect(growing.ready(signal)).rejects.toThrow(/aborted/);
    growing.append(Buffer.from('still here'));
    growing.finish();
    expect((await other).toString()).toBe('still here');
  });
});
