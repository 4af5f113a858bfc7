import { setImmediate as turn } from 'node:timers/promises';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { SourceEntry } from '../../src/config/source-entry.ts';
import { AddressGuard } from '../../src/remote/address-guard.ts';
import type { SourceEvent } from '../../src/sources/source-events.ts';
import type { RelayRun, RunRequest, RunStatus } from '../../src/sources/source-run.ts';
import { Sources } from '../../src/sources/sources.ts';
import { type Deferred, deferred } from '../../src/util/deferred.ts';
import { AppError } from '../../src/util/errors.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { ManualClock } from './manual-clock.ts';

/** A run that does what the test says. */
export class FakeRun implements RelayRun<string> {
  readonly request: RunRequest;
  readonly channel: string;
  closed = 0;
  #status: RunStatus = { state: 'starting', failovers: 0, counters: {} };
  readonly #done: Deferred<void> = deferred();
  readonly #ready: Deferred<void> = deferred();

  constructor(request: RunRequest) {
    this.request = request;
    this.channel = `channel of ${request.entry.name}`;
  }

  readonly viewers = (): number => 2;
  readonly status = (): RunStatus => this.#status;

  get done(): Promise<void> {
    return this.#done.promise;
  }

  ready(): Promise<void> {
    return this.#ready.promise;
  }

  close(): Promise<void> {
    this.closed += 1;
    this.#done.resolve();
    return Promise.resolve();
  }

  tell(status: Partial<RunStatus>): void {
    this.#status = { ...this.#status, ...status };
    this.request.onChange();
  }

  live(status: Partial<RunStatus> = {}): void {
    this.tell({ state: 'live', ...status });
    this.#ready.resolve();
  }

  over(status: Partial<RunStatus>): void {
    this.tell(status);
    if (status.state === 'film') this.#ready.resolve();
    else this.#ready.reject(new Error('over'));
    this.#done.resolve();
  }
}

type Limits = Parameters<typeof Sources.open>[0]['limits'];

/** Sources whose runs the test plays, in a folder of their own. */
export class SourcesRig {
  readonly clock: ManualClock;
  readonly folder: string;
  readonly runs: FakeRun[] = [];
  readonly events: SourceEvent[] = [];
  readonly ended: string[] = [];
  readonly logged: [object, string][] = [];
  /** Kept out of logs at present. */
  readonly hidden = new Set<string>();
  sources!: Sources<string>;

  private constructor(folder: string, clock: ManualClock) {
    this.folder = folder;
    this.clock = clock;
  }

  static async open(
    options: { entries?: readonly SourceEntry[]; limits?: Partial<Limits> } = {},
    clock = new ManualClock(),
  ): Promise<SourcesRig> {
    const rig = new SourcesRig(await mkdtemp(path.join(os.tmpdir(), 'laddercast-sources-')), clock);
    await rig.boot(options);
    return rig;
  }

  get file(): string {
    return path.join(this.folder, 'sources.json');
  }

  /** The sources of a server that starts in this folder. */
  async boot({
    entries = [],
    limits = {},
    allowed = ['127.0.0.0/8'],
  }: { entries?: readonly SourceEntry[]; limits?: Partial<Limits>; allowed?: string[] } = {}): Promise<void> {
    const guard = new AddressGuard(allowed);
    const run = (request: RunRequest): FakeRun => {
      const made = new FakeRun(request);
      this.runs.push(made);
      return made;
    };
    const log = (fields: object, message: string): void => void this.logged.push([fields, message]);
    this.sources = await Sources.open<string>({
      ...{ entries, file: this.file, clock: this.clock },
      limits: { maxSources: 10, maxActive: 5, maxPerUser: 0, idleMs: 60_000, ...limits },
      rules: {
        checkUrl: (url) => guard.checkUrl(url),
        checkHost: (host) => {
          if (host !== 'camera.test') throw new AppError('FORBIDDEN', `"${host}" is not in pull.allowHosts`);
        },
      },
      factory: { ladder: run, relay: run },
      hide: (...secrets) => {
        for (const secret of secrets) this.hidden.add(secret);
        return () => secrets.forEach((secret) => this.hidden.delete(secret));
      },
      endBroadcast: (broadcast) => void this.ended.push(broadcast),
      logger: { ...silentLogger, info: log, warn: log, error: log },
    });
    this.sources.listen((event) => void this.events.push(event));
    await turn();
  }

  add(entry: Partial<SourceEntry> & { name: string }) {
    return this.sources.add({ url: 'http://127.0.0.1/live.m3u8', mode: 'ladder', ...entry });
  }

  /** The newest run of a source. */
  run(name: string): FakeRun {
    const found = this.runs.findLast(({ request }) => request.entry.name === name);
    if (found === undefined) throw new Error(`${name} was not started`);
    return found;
  }

  /** Moves time on, step by step, so that what waits can act. */
  async advance(ms: number, stepMs = ms): Promise<void> {
    for (let goneMs = 0; goneMs < ms; goneMs += stepMs) {
      this.clock.advance(stepMs);
      await turn();
    }
  }

  async close(): Promise<void> {
    await this.sources.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}
