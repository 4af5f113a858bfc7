import type { StreamKeyEntry } from '../config/schema.ts';
import { BroadcastPattern } from '../util/broadcast-pattern.ts';
import type { Clock } from '../util/clock.ts';
import { AppError } from '../util/errors.ts';
import { matchesSecret } from './secret-match.ts';

/** Decides who may publish which broadcast. */
export interface StreamKeys {
  /** @throws AppError `UNAUTHORIZED` if the key is missing, wrong or expired; the message never holds a key. */
  authorize(broadcast: string, key: string | undefined): void;
}

/** Which keys there are. */
export interface StreamKeyOptions {
  /** Accepted for every broadcast. */
  readonly globalKey?: string | undefined;
  /** Accepted for the broadcasts that they name. */
  readonly entries: readonly StreamKeyEntry[];
  readonly clock: Clock;
}

interface Entry {
  readonly pattern: BroadcastPattern;
  readonly key: string;
  readonly expiresAtMs: number;
}

/** The keys that the configuration names. */
export class ConfiguredStreamKeys implements StreamKeys {
  readonly #entries: readonly Entry[];
  readonly #clock: Clock;

  constructor({ globalKey, entries, clock }: StreamKeyOptions) {
    const all = globalKey === undefined ? entries : [{ broadcast: '*', key: globalKey }, ...entries];
    this.#clock = clock;
    this.#entries = all.map((entry: StreamKeyEntry) => ({
      pattern: new BroadcastPattern(entry.broadcast),
      key: entry.key,
      expiresAtMs: entry.expires === undefined ? Infinity : Date.parse(entry.expires),
    }));
  }

  authorize(broadcast: string, key: string | undefined): void {
    if (key === undefined || key === '') {
      throw new AppError('UNAUTHORIZED', 'the stream key is missing; publish as NAME?key=SECRET');
    }
    const nowMs = this.#clock.nowMs();
    let expired = false;
    for (const entry of this.#entries) {
      if (!entry.pattern.matches(broadcast) || !matchesSecret(key, entry.key)) continue;
      if (nowMs < entry.expiresAtMs) return;
      expired = true;
    }
    const fault = expired ? 'has expired' : 'is wrong';
    throw new AppError('UNAUTHORIZED', `the stream key for ${JSON.stringify(broadcast.slice(0, 100))} ${fault}`);
  }
}
