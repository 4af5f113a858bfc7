import { describe, expect, it } from 'vitest';
import { MediaInbox } from '../../../src/ingest/ws/media-inbox.ts';

/** An inbox that turns each piece into so many items, and a record of all that it does. */
function inboxOf({
  maxBytes = 1_000_000,
  itemsPerPiece = 1,
  read,
}: { maxBytes?: number; itemsPerPiece?: number; read?: () => never } = {}) {
  const log: string[] = [];
  const used: number[] = [];
  const pieces: Buffer[] = [];
  let wake = (): void => undefined;
  const inbox = new MediaInbox<number>({
    maxBytes,
    read: (piece) => {
      read?.();
      pieces.push(piece);
      return Array.from({ length: itemsPerPiece }, (_, index) => index);
    },
    use: (item) => void used.push(item),
    pause: () => void log.push('pause'),
    resume: () => void log.push('resume'),
    fail: (error) => void log.push(`fail: ${(error as Error).message}`),
    emptied: () => {
      log.push('emptied');
      wake();
    },
  });
  const emptied = (): Promise<void> => new Promise((resolve) => (wake = resolve));
  return { inbox, log, used, pieces, emptied };
}

describe('MediaInbox', () => {
  it('reads and uses at once what fits into a turn', () => {
    const { inbox, used, log } = inboxOf({ itemsPerPiece: 3 });
    inbox.put(Buffer.alloc(10));
    expect(used).toEqual([0, 1, 2]);
    expect(log).toEqual(['emptied']);
  });

  it('cuts large chunks and spreads their work over turns, in order', async () => {
    const { inbox, pieces, used, emptied } = inboxOf({ itemsPerPiece: 200 });
    const done = emptied();
    const chunk = Buffer.alloc(1_000_000, 'abc');
    inbox.put(chunk);
    expect(inbox.empty).toBe(false);
    inbox.put(Buffer.from('end'));
    await done;
    expect(Buffer.concat(pieces)).toEqual(Buffer.concat([chunk, Buffer.from('end')]));
    expect(used).toHaveLength(200 * pieces.length);
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(64 * 1024);
  });

  it('pauses the source while too much waits, and resumes it at half of that', async () => {
    const { inbox, log, emptied } = inboxOf({ maxBytes: 100_000 });
    inbox.hold();
    for (let index = 0; index < 5; index += 1) inbox.put(Buffer.alloc(50_000));
    expect(log).toEqual(['pause']);
    expect(inbox.waitingBytes).toBe(250_000);
    const done = emptied();
    inbox.release();
    await done;
    expect(log).toEqual(['pause', 'emptied', 'resume']);
  });

  it('counts what a chunk costs besides its bytes', () => {
    const { inbox, log } = inboxOf({ maxBytes: 100_000 });
    inbox.hold();
    for (let index = 0; index < 400; index += 1) inbox.put(Buffer.alloc(1));
    expect(log).toEqual(['pause']);
  });

  it('forgets everything when reading fails, and says so once', () => {
    const { inbox, log, used } = inboxOf({
      read: () => {
        throw new Error('broken');
      },
    });
    inbox.hold();
    inbox.put(Buffer.alloc(1));
    inbox.put(Buffer.alloc(1));
    inbox.release();
    inbox.put(Buffer.alloc(1));
    expect(log).toEqual(['fail: broken', 'emptied']);
    expect(used).toEqual([]);
    expect(inbox.empty).toBe(true);
  });
});
