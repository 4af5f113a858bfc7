import fc from 'fast-check';
import { appendFile, copyFile, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CacheLease } from '../../src/cache/cache-lease.ts';
import { CacheFixture, profile, segmentBytes } from './cache-fixture.ts';

const COUNT = 8;
const its = profile();
const init = Buffer.from('init of film');

const at = new CacheFixture();
beforeEach(() => at.begin());
afterEach(() => at.end());

/** What a segment holds; each has another length, as in life. */
function bytesOf(index: number): Buffer {
  return segmentBytes(index, 60 + index);
}

interface Damage {
  readonly kind: 'cut' | 'flip' | 'append' | 'delete' | 'swap' | 'folder';
  /** Which file, which other file, and where in it: as shares of 1. */
  readonly file: number;
  readonly other: number;
  readonly place: number;
}

const share = fc.nat(999).map((thousandths) => thousandths / 1_000);

const damage: fc.Arbitrary<Damage> = fc.record({
  kind: fc.constantFrom('cut', 'flip', 'append', 'delete', 'swap', 'folder'),
  file: share,
  other: share,
  place: share,
});

const runs = fc.array(
  fc.record({ start: fc.nat(COUNT - 1), length: fc.integer({ min: 1, max: COUNT }), isEnded: fc.boolean() }),
  { minLength: 1, maxLength: 4 },
);

async function inflict({ kind, file, other, place }: Damage, isSealed: boolean): Promise<void> {
  const [folder] = (await readdir(at.root)).filter((name) => !name.startsWith('.'));
  if (folder === undefined) return;
  const names = await readdir(at.folder(folder));
  const name = names[Math.floor(file * names.length)];
  if (name === undefined) return;
  const target = path.join(at.folder(folder), name);
  if (!(await stat(target)).isFile()) return;
  // What was synced and sealed is trusted to keep its bytes, if not its files and their lengths.
  if (kind === 'flip' && isSealed && name.startsWith('seg-')) return;
  const content = await readFile(target);
  const at1 = Math.floor(place * content.length);
  if (kind === 'cut') await truncate(target, at1);
  else if (kind === 'append') await appendFile(target, 'x'.repeat(1 + at1));
  else if (kind === 'swap')
    await copyFile(path.join(at.folder(folder), names[Math.floor(other * names.length)]!), target).catch(
      () => undefined,
    );
  else {
    await rm(target);
    if (kind === 'folder') await mkdir(target);
    if (kind !== 'flip') return;
    if (content.length > 0) content[at1] = content[at1]! ^ (1 << Math.floor(other * 8));
    await writeFile(target, content);
  }
}

/** Everything that a lease gives is what was written. */
async function check(lease: CacheLease): Promise<void> {
  expect(await readFile(lease.init().path)).toEqual(init);
  if (lease.isComplete) expect(lease.present()).toHaveLength(COUNT);
  for (const index of lease.present()) {
    const found = lease.find(index)!;
    expect(await readFile(found.path)).toEqual(bytesOf(index));
    expect([found.size, lease.durationTicks(index)]).toEqual([60 + index, 1_000 + index]);
  }
}

it('whatever becomes of the files of an entry, no wrong byte is served, and what is missing can be encoded', async () => {
  await fc.assert(
    fc.asyncProperty(
      runs,
      fc.array(damage, { minLength: 1, maxLength: 5 }),
      fc.boolean(),
      fc.boolean(),
      async (encoded, damages, isSealed, isReleased) => {
        await rm(at.root, { recursive: true, force: true });
        const first = await at.open();
        const lease = await first.create(its, COUNT, init);
        const writer = lease.writer()!;
        const all = isSealed ? [...encoded, { start: 0, length: COUNT, isEnded: false }] : encoded;
        for (const { start, length, isEnded } of all) {
          const run = writer.beginRun();
          for (let index = start; index < Math.min(COUNT, start + length); index += 1) {
            await writer.write({ run, index, bytes: bytesOf(index), durationTicks: 1_000 + index });
          }
          if (isEnded) await writer.endRun(run);
        }
        const wasSealed = isSealed && (await writer.seal());
        expect(wasSealed).toBe(isSealed);
        if (isReleased) await lease.release();
        for (const one of damages) await inflict(one, isSealed);

        // Twice: what the first process makes of it has to do for the next one as well.
        for (let opened = 0; opened < 2; opened += 1) {
          const cache = await at.open();
          const found = await cache.acquire(its, COUNT);
          if (found !== undefined) await check(found);
          await found?.release();
          await cache.close();
          expect(at.budget.usedBytes).toBe(0);
        }
        const cache = await at.open();
        const last = (await cache.acquire(its, COUNT)) ?? (await cache.create(its, COUNT, init));
        const next = last.writer()!;
        const run = next.beginRun();
        const missing = [...Array(COUNT).keys()].filter((index) => !last.has(index));
        if (missing.length > 0) expect(last.isComplete).toBe(false);
        for (const index of missing) {
          await next.write({ run, index, bytes: bytesOf(index), durationTicks: 1_000 + index });
        }
        expect(await next.seal()).toBe(true);
        await check(last);
        await last.release();
        await cache.close();
        const [folder] = await readdir(at.root);
        expect((await readdir(at.folder(folder!))).sort()).toEqual(
          [
            '.complete',
            'entry.json',
            'index.jsonl',
            'init.mp4',
            ...Array.from({ length: COUNT }, (_, i) => `seg-${i}.m4s`),
          ].sort(),
        );
      },
    ),
    { numRuns: 60 },
  );
}, 60_000);
