import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import type { Server } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { type Clock, systemClock } from '../util/clock.ts';
import type { Closable } from '../util/closer.ts';
import { AppError, reasonOf } from '../util/errors.ts';
import { sha256 } from './encode-profile.ts';
import { askLock, type LockAnswer, type LockInfo, listenForLock } from './lock-socket.ts';

/** Folder, in the one that is locked, with a socket for each process that has the lock or wants it. */
const LOCK_FOLDER = '.lock';

/** Suffix of a socket that nobody looks at yet. */
const NEW = '.new';
const NEW_LIFE_MS = 60_000;

/** Operating systems cut longer paths of sockets. */
const MAX_PATH_BYTES = 100;

/** What file systems say that have no sockets. */
const NO_SOCKETS: readonly unknown[] = ['ENOTSUP', 'EOPNOTSUPP', 'EPERM', 'EINVAL', 'ENAMETOOLONG'];

/** For two servers that start at the same time. */
const CLAIM_EACH_MS = 50;
const CLAIM_MS = 10_000;

/**
 * The right to use a folder, for one process at a time, on one machine; containers that share the folder count. It is a
 * socket in the folder that somebody listens on, so the lock of a process that was killed is no lock any more.
 */
export class FolderLock implements Closable {
  readonly #place: SocketFolder;
  readonly #name = randomBytes(12).toString('hex');
  readonly #server: Promise<Server>;
  #info: LockInfo = { pid: process.pid };
  #isHeld = false;
  #closing: Promise<void> | undefined;

  private constructor(place: SocketFolder) {
    this.#place = place;
    const state = () => ({ isHeld: this.#isHeld, info: this.#info });
    this.#server = listenForLock(place.pathOf(this.#name + NEW), state);
  }

  /**
   * Locks a folder; makes it if it is missing.
   * @throws AppError `BAD_CONFIG` if another process has it, or it cannot be used
   */
  static async acquire(folder: string, { clock = systemClock }: { clock?: Clock } = {}): Promise<FolderLock> {
    try {
      await mkdir(folder, { recursive: true });
      const [inside, elsewhere] = await places(folder);
      return await FolderLock.#take(inside, folder, clock).catch((error: unknown) => {
        if (!NO_SOCKETS.includes((error as NodeJS.ErrnoException).code)) throw error;
        return FolderLock.#take(elsewhere, folder, clock);
      });
    } catch (error) {
      if (error instanceof AppError) throw error;
      throw new AppError('BAD_CONFIG', `folder ${folder} cannot be used: ${reasonOf(error)}`, { cause: error });
    }
  }

  /** What the process tells that has the lock; `undefined` if nobody has it, or it does not answer. Changes nothing. */
  static async inspect(folder: string): Promise<LockInfo | undefined> {
    for (const place of await places(folder)) {
      const sockets = await SocketFolder.open(place, { make: false }).catch(() => undefined);
      if (sockets === undefined) continue;
      try {
        for (const name of await sockets.names()) {
          const answer = await askLock(sockets.pathOf(name));
          if (typeof answer === 'object' && answer.isHeld) return answer.info;
        }
      } finally {
        await sockets.close();
      }
    }
    return undefined;
  }

  static async #take(place: string, folder: string, clock: Clock): Promise<FolderLock> {
    const lock = new FolderLock(await SocketFolder.open(place));
    try {
      await lock.#appear();
      await lock.#claim(folder, clock);
      return lock;
    } catch (error) {
      await lock.close();
      throw error;
    }
  }

  /** Tells others something else from now on. */
  setInfo(info: LockInfo): void {
    this.#info = info;
  }

  /** Lets others have it. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await rm(this.#place.pathOf(this.#name), { force: true }).catch(() => undefined);
    const server = await this.#server.catch(() => undefined);
    await new Promise<unknown>((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
    await this.#place.close();
  }

  /** Whoever sees the socket finds somebody listening, so one on which nobody listens is a dead process's. */
  async #appear(): Promise<void> {
    await this.#server;
    await rename(this.#place.pathOf(this.#name + NEW), this.#place.pathOf(this.#name));
  }

  /**
   * Of two that want the lock, whichever appeared later sees the other one for certain, and does not take the lock as long
   * as that one lives.
   */
  async #claim(folder: string, clock: Clock): Promise<void> {
    const deadlineMs = clock.nowMs() + CLAIM_MS;
    while (await this.#mustWait(folder)) {
      if (clock.nowMs() > deadlineMs) throw inUse(folder, 'silent');
      await clock.wait(CLAIM_EACH_MS);
    }
    this.#isHeld = true;
    await this.#place.removeForgotten(clock.nowMs());
  }

  /** True while somebody else might take the lock that will give way if it sees this one. */
  async #mustWait(folder: string): Promise<boolean> {
    let mustWait = false;
    for (const name of await this.#place.names()) {
      if (name === this.#name) continue;
      const file = this.#place.pathOf(name);
      const answer = await askLock(file);
      if (answer === 'gone') continue;
      if (answer === 'dead') await rm(file, { force: true });
      else if (answer === 'ending') mustWait = true;
      else if (answer === 'silent' || answer.isHeld || name < this.#name) throw inUse(folder, answer);
      else mustWait = true;
    }
    return mustWait;
  }
}

function inUse(folder: string, answer: LockAnswer): AppError {
  const { pid, httpUrl } = typeof answer === 'object' ? answer.info : {};
  const who = pid === undefined ? 'which does not answer' : [`process ${pid}`, httpUrl ?? []].flat().join(', ');
  const message = `folder ${folder} is in use by another server (${who}); stop it, or give this one another dataDir`;
  return new AppError('BAD_CONFIG', message);
}

/** Where sockets may be: in the folder, or, for file systems that take none, in the folder for temporary files. */
async function places(folder: string): Promise<readonly [string, string]> {
  const real = await realpath(folder).catch(() => path.resolve(folder));
  return [path.join(real, LOCK_FOLDER), path.join(os.tmpdir(), `laddercast-lock-${sha256(real).slice(0, 16)}`)];
}

/** A folder of sockets, whose paths are short enough wherever it is. */
class SocketFolder {
  readonly #folder: string;
  readonly #handle: FileHandle;

  private constructor(folder: string, handle: FileHandle) {
    this.#folder = folder;
    this.#handle = handle;
  }

  /** Rejects with an error of the file system if it cannot be opened. */
  static async open(folder: string, { make = true } = {}): Promise<SocketFolder> {
    if (make) await mkdir(folder, { recursive: true, mode: 0o700 });
    return new SocketFolder(folder, await open(folder, 'r'));
  }

  pathOf(name: string): string {
    const file = path.join(this.#folder, name);
    const isShort = Buffer.byteLength(file) <= MAX_PATH_BYTES || process.platform !== 'linux';
    return isShort ? file : `/proc/self/fd/${this.#handle.fd}/${name}`;
  }

  /** Sockets that are there to be seen. */
  async names(): Promise<string[]> {
    return (await readdir(this.#folder)).filter((name) => /^[0-9a-f]{24}$/.test(name));
  }

  /** Deletes what processes that were killed at their very start left. */
  async removeForgotten(nowMs: number): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      const file = path.join(this.#folder, name);
      const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: nowMs }));
      if (name.endsWith(NEW) && nowMs - mtimeMs > NEW_LIFE_MS) await rm(file, { force: true });
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}
