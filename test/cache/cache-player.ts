// Run as a process of its own: encodes and plays entries of the cache in the folder that it is given until it is killed.
// Says `.` for each segment that it wrote or checked, and what was wrong.
import { DiskBudget } from '../../src/cache/disk-budget.ts';
import { SegmentCache } from '../../src/cache/segment-cache.ts';
import { systemClock } from '../../src/util/clock.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { checkFilm, FILMS, filmProfile, initOf, SEGMENTS, segmentOf } from './killed-films.ts';

const budget = new DiskBudget(400_000);
const cache = await SegmentCache.open({ root: process.argv[2]!, budget, clock: systemClock, logger: silentLogger });

function random(below: number): number {
  return Math.floor(Math.random() * below);
}

async function play(): Promise<void> {
  const film = random(FILMS);
  const profile = filmProfile(film);
  const lease = (await cache.acquire(profile, SEGMENTS)) ?? (await cache.create(profile, SEGMENTS, initOf(film)));
  await checkFilm(lease, film);
  const writer = lease.writer();
  for (let seeks = random(4); seeks >= 0 && writer !== undefined; seeks -= 1) {
    const run = writer.beginRun();
    const start = random(SEGMENTS);
    for (let index = start; index < Math.min(SEGMENTS, start + 1 + random(8)); index += 1) {
      await writer.write({ run, index, bytes: segmentOf(film, index), durationTicks: index });
      process.stdout.write('.');
    }
    if (random(2) === 0) await writer.endRun(run);
    await writer.seal();
  }
  await lease.release();
  if (random(20) === 0) await cache.invalidate(lease.key, 'it is time');
}

async function playOn(): Promise<never> {
  for (;;) {
    await play().catch((error: unknown) => {
      const { code, message } = error as { code?: string; message: string };
      // The budget is too small for everything on purpose, and an entry may be invalidated under another player.
      if (code !== 'UNAVAILABLE' && code !== 'GONE') process.stdout.write(`\nWRONG ${message}\n`);
    });
  }
}

await Promise.all([playOn(), playOn()]);
