import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { silentLogger, type Logger } from '../../src/util/logger.ts';
import type { SessionLimits } from '../../src/vod/session/session-limits.ts';
import type { SessionRequest, SessionView } from '../../src/vod/session/session-view.ts';
import { VodSessions } from '../../src/vod/session/vod-sessions.ts';
import { FakeVod } from './fake-vod.ts';
import { ManualClock } from './manual-clock.ts';

/** Sessions without files and encoders, on a clock that the test moves. */
export class VodSessionsRig {
  readonly vod = new FakeVod();
  readonly clock = new ManualClock();
  readonly file: string;
  readonly #limits: SessionLimits;
  readonly #logger: Logger;
  #sessions: VodSessions | undefined;

  private constructor(folder: string, limits: Partial<SessionLimits>, logger: Logger) {
    this.file = path.join(folder, 'vod-sessions.json');
    this.#limits = { maxSessions: 1_000, maxPerUser: 0, maxPerSource: 0, ...limits };
    this.#logger = logger;
  }

  static async open({ logger = silentLogger, ...limits }: Partial<SessionLimits> & { logger?: Logger } = {}) {
    const rig = new VodSessionsRig(await mkdtemp(path.join(os.tmpdir(), 'laddercast-vod-')), limits, logger);
    for (const name of ['a', 'b', 'c', 'd']) rig.vod.add(name);
    await rig.reopen();
    return rig;
  }

  get sessions(): VodSessions {
    return this.#sessions!;
  }

  /** Starts anew with what is on disk, as after a crash unless `close` was called. */
  async reopen(): Promise<void> {
    const { vod, file, clock } = this;
    const options = { deps: vod.deps, file, limits: this.#limits, heartbeatMs: 30_000, clock, logger: this.#logger };
    this.#sessions = await VodSessions.open(options);
  }

  start(source: string, request: Omit<SessionRequest, 'source'> = {}): Promise<SessionView> {
    return this.sessions.start({ source, ...request }, never());
  }

  /** Text of a media file. */
  async media(id: string, rendition: string, file: string, version?: string): Promise<string> {
    const media = await this.sessions.media(id, { rendition, file, version }, never());
    return 'bytes' in media ? media.bytes.toString() : media.path;
  }

  async close(): Promise<void> {
    await this.sessions.close();
    await rm(path.dirname(this.file), { recursive: true, force: true });
  }
}

/** The signal of a client that stays. */
export function never(): AbortSignal {
  return new AbortController().signal;
}
