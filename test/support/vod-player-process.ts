// Run as a process of its own, as `vod-player-process.ts FOLDER FILM`: waits for a line `play SEED` or `fill SEED`, then plays
// random segments of random qualities, or fills the cache with one quality after the other, for as long as it lives. What
// it got is in FOLDER/served, whole files only; it prints a line for each.
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { MediaFile } from '../../src/hls/media-file.ts';
import { openPlayer } from './vod-player.ts';

const [folder = '', film = ''] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin });
console.log('loaded');
const [task] = (await once(lines, 'line')) as [string];
const [what, seed] = task.split(' ');
const { signal } = new AbortController();

let state = Number(seed) * 2_654_435_761;
/** A whole number below `max`; the same ones for the same seed. */
function random(max: number): number {
  state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 0x9e3779b9) >>> 0;
  return (state >>> 8) % max;
}

const served = path.join(folder, 'served');
await mkdir(served, { recursive: true });
const player = await openPlayer({ folder, film });
console.log('opened');
if (what === 'fill') await fill();
await Promise.all([play(), play()]);

async function play(): Promise<void> {
  for (;;) {
    const rendition = player.renditions[random(player.renditions.length)]!;
    const viewer = player.pool.open(player.title, rendition);
    const first = random(viewer.segmentCount - 3);
    await keep(`${rendition.name}-init`, await viewer.init(signal));
    for (let index = first; index < first + 3; index += 1) {
      await keep(`${rendition.name}-${index}`, await viewer.segment(index, signal));
    }
    viewer.release();
  }
}

async function fill(): Promise<void> {
  for (const rendition of player.renditions) {
    const viewer = player.pool.open(player.title, rendition);
    let encoded = 0;
    viewer.onProgress(() => {
      if (viewer.progress().encoded > encoded) console.log(rendition.name);
      encoded = viewer.progress().encoded;
    });
    await viewer.fill(signal);
    console.log(`${rendition.name} is complete`);
  }
}

async function keep(name: string, file: MediaFile): Promise<void> {
  const bytes = 'bytes' in file ? file.bytes : await readFile(file.path);
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
  const passing = path.join(served, `.${randomBytes(6).toString('hex')}`);
  await writeFile(passing, bytes);
  await rename(passing, path.join(served, `${name}-${hash}`));
  console.log(name);
}
