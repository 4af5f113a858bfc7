import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { TIMELINE_ORIGIN_TICKS } from '../../src/vod/encode/canonical-fragment.ts';
import { readTimecodes, type TimecodedFrame, writeTimecodedFilm } from './timecode.ts';
import { differences } from './vod-heads.ts';
import { bytesOf, type FilmPlayer, openPlayer } from './vod-player.ts';

/** Frames a second, and seconds of the film. */
const RATE = 24;
const SECONDS = 80;
/** Lines that a process prints at most, and how long it lives after the last of them. */
const MAX_LINES = 6;
const MAX_REST_MS = 150;

/** A process that has read its code and waits for its task. */
interface Player {
  readonly child: ChildProcess;
  readonly lines: Interface;
  readonly loaded: Promise<unknown>;
}

/** A film in a folder, for processes that play it and are killed. */
export class KillLoop {
  readonly #folder: string;
  readonly #film: string;
  readonly #children = new Set<ChildProcess>();

  private constructor(folder: string) {
    this.#folder = folder;
    this.#film = path.join(folder, 'film.mp4');
  }

  static async open(): Promise<KillLoop> {
    const loop = new KillLoop(await mkdtemp(path.join(os.tmpdir(), 'laddercast-kill-')));
    await writeTimecodedFilm(loop.#film, { size: '160x90', seconds: SECONDS, output: ['-g', String(2 * RATE)] });
    await (await loop.player()).close();
    return loop;
  }

  /** Kills what still runs. */
  async close(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    await Promise.all([...this.#children].map((child) => once(child, 'exit')));
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Plays in this process. */
  player(): Promise<FilmPlayer> {
    return openPlayer({ folder: this.#folder, film: this.#film });
  }

  /** The frames of the film. */
  async source({ title }: FilmPlayer): Promise<TimecodedFrame[]> {
    const frames = await readTimecodes(this.#film, title.startTicks);
    if (frames.length !== SECONDS * RATE) throw new Error(`the film has ${frames.length} frames`);
    return frames;
  }

  /** Lets so many processes play or fill the cache, one after the other, and kills each. What they printed. */
  async run(task: 'play' | 'fill', rounds: number): Promise<string[]> {
    const printed: string[] = [];
    let next = this.#spawn();
    for (let seed = 1; seed <= rounds; seed += 1) {
      const player = next;
      next = this.#spawn();
      printed.push(...(await playAndKill(player, task, seed)));
    }
    next.child.kill('SIGKILL');
    return printed;
  }

  /** Where what was served differs from the film; empty if nowhere. `versions`: how many different files there were. */
  async servedFaults(player: FilmPlayer, source: readonly TimecodedFrame[]) {
    const faults: string[] = [];
    let versions = 0;
    for (const [rendition, files] of await this.#served()) {
      const inits = files.get(-1) ?? [];
      if (inits.length !== 1) faults.push(`${rendition}: ${inits.length} inits`);
      files.delete(-1);
      // One film of the first version of each segment, one of the second, and so on.
      for (let version = 0; ; version += 1) {
        const indexes = [...files.keys()].filter((index) => files.get(index)![version] !== undefined);
        if (indexes.length === 0) break;
        versions += indexes.length;
        indexes.sort((a, b) => a - b);
        const media = Buffer.concat([inits[0]!, ...indexes.map((index) => files.get(index)![version]!)]);
        const expected = indexes.flatMap((index) => framesOfSegment(source, player, index));
        faults.push(...differences(await readTimecodes(media, TIMELINE_ORIGIN_TICKS), expected));
      }
    }
    return { faults, versions };
  }

  /** By rendition and then by segment (-1: the init): every version that was served. */
  async #served(): Promise<Map<string, Map<number, Buffer[]>>> {
    const served = new Map<string, Map<number, Buffer[]>>();
    const folder = path.join(this.#folder, 'served');
    for (const name of await readdir(folder)) {
      const [, rendition, segment] = /^(\w+)-(init|\d+)-\w+$/.exec(name) ?? [];
      if (rendition === undefined) continue;
      const files = served.get(rendition) ?? new Map<number, Buffer[]>();
      const index = segment === 'init' ? -1 : Number(segment);
      files.set(index, [...(files.get(index) ?? []), await readFile(path.join(folder, name))]);
      served.set(rendition, files);
    }
    return served;
  }

  #spawn(): Player {
    const script = new URL('vod-player-process.ts', import.meta.url).pathname;
    const child = spawn(process.execPath, ['--import', 'tsx', script, this.#folder, this.#film], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    const lines = createInterface({ input: child.stdout });
    return { child, lines, loaded: once(lines, 'line') };
  }
}

/** All of a rendition as it is played, filled if need be. */
export async function playWhole({ pool, title }: FilmPlayer, rendition: FilmPlayer['renditions'][number]) {
  const { signal } = new AbortController();
  const viewer = pool.open(title, rendition);
  await viewer.fill(signal);
  const parts = [await bytesOf(await viewer.init(signal))];
  for (let index = 0; index < viewer.segmentCount; index += 1) {
    parts.push(await bytesOf(await viewer.segment(index, signal)));
  }
  return { progress: viewer.progress(), frames: await readTimecodes(Buffer.concat(parts), TIMELINE_ORIGIN_TICKS) };
}

/** Every so often the process is killed while it opens the cache, else after some lines and a little time. */
async function playAndKill({ child, lines, loaded }: Player, task: string, seed: number): Promise<string[]> {
  const printed: string[] = [];
  const gone = once(child, 'exit');
  await loaded;
  lines.on('line', (line) => printed.push(line));
  child.stdin?.write(`${task} ${seed}\n`);
  while (printed.length < (seed * 7) % MAX_LINES) await once(lines, 'line');
  await delay((MAX_REST_MS * ((seed * 37) % 50)) / 50);
  if (child.exitCode !== null) throw new Error(`the process ended by itself: ${child.exitCode}`);
  child.kill('SIGKILL');
  await gone;
  return printed;
}

function framesOfSegment(source: readonly TimecodedFrame[], { title }: FilmPlayer, index: number): TimecodedFrame[] {
  const [from, until] = [title.plan.boundaries[index]! - 90, title.plan.boundaries[index + 1]! - 90];
  return source.filter(({ pts }) => pts >= from && pts < until);
}
