import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { SourceEvent } from './source-events.ts';
import type { RunStatus, SourceState } from './source-run.ts';
import { tellable } from './source-upstream.ts';

/** What went wrong, and when. */
export interface SourceFault {
  /** Without secrets. */
  readonly message: string;
  readonly atMs: number;
}

interface SourceReportOptions {
  readonly name: string;
  readonly onEvent: (event: SourceEvent) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What is known of a source over all of its runs; tells changes as events and in the log. */
export class SourceReport {
  readonly #options: SourceReportOptions;
  readonly #past = new Map<string, number>();
  #state: SourceState = 'idle';
  #sinceMs: number;
  #fault: SourceFault | undefined;
  #pastFailovers = 0;
  #toldFailovers = 0;
  #starts = 0;

  constructor(options: SourceReportOptions) {
    this.#options = options;
    this.#sinceMs = options.clock.nowMs();
  }

  get state(): SourceState {
    return this.#state;
  }

  /** When the state began. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** What went wrong last. */
  get fault(): SourceFault | undefined {
    return this.#fault;
  }

  /** How often another address took over, together with the run at present. */
  failovers(status: RunStatus | undefined): number {
    return this.#pastFailovers + (status?.failovers ?? 0);
  }

  /** Totals of all runs, together with the run at present. */
  counters(status: RunStatus | undefined): Record<string, number> {
    const totals = new Map(this.#past);
    addTo(totals, status);
    return { starts: this.#starts, ...Object.fromEntries(totals) };
  }

  /** A run begins. */
  started(): void {
    this.#starts += 1;
  }

  /** A run tells how it is going. */
  see(status: RunStatus): void {
    const { state, lastError, address } = status;
    if (lastError !== undefined && lastError !== this.#fault?.message) this.#note(lastError);
    const failovers = this.failovers(status);
    if (failovers > this.#toldFailovers) {
      this.#toldFailovers = failovers;
      const reason = this.#fault?.message;
      this.#options.logger.warn({ source: this.#options.name, address, reason }, 'source taken from another address');
      this.#tell('source-failover', { reason, address });
    }
    this.enter(state);
  }

  /** A run is over; what it counted goes into the totals. */
  keep(status: RunStatus | undefined): void {
    addTo(this.#past, status);
    this.#pastFailovers += status?.failovers ?? 0;
  }

  /** It could not be run. */
  fail(error: unknown): void {
    const { name: source, logger } = this.#options;
    this.#note(tellable(error, { source, logger }));
    this.enter('failed');
  }

  /** Takes a state. */
  enter(state: SourceState): void {
    if (state === this.#state) return;
    const { name: source, clock, logger } = this.#options;
    this.#state = state;
    this.#sinceMs = clock.nowMs();
    const isBad = state === 'failed' || state === 'waiting';
    const reason = isBad ? this.#fault?.message : undefined;
    if (isBad) logger.warn({ source, reason }, `source ${state}`);
    else logger.info({ source }, `source ${state}`);
    this.#tell(`source-${state}`, { reason });
  }

  #note(message: string): void {
    this.#fault = { message, atMs: this.#options.clock.nowMs() };
  }

  #tell(
    type: SourceEvent['type'],
    { reason, address }: { reason: string | undefined; address?: string | undefined },
  ): void {
    this.#options.onEvent({
      ...{ type, source: this.#options.name },
      ...(reason !== undefined && { reason }),
      ...(address !== undefined && { address }),
    });
  }
}

function addTo(totals: Map<string, number>, status: RunStatus | undefined): void {
  for (const [name, value] of Object.entries(status?.counters ?? {})) {
    totals.set(name, (totals.get(name) ?? 0) + value);
  }
}
