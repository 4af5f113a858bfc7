import type { Config } from '../config/schema.ts';
import type { Clock } from '../util/clock.ts';
import type { Closable } from '../util/closer.ts';
import type { Logger } from '../util/logger.ts';

/** What every part of the composition is made with. */
export interface Parts {
  readonly config: Config;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Takes a part so that it is closed before those that came earlier; answers with it. */
  readonly own: <T extends Closable>(part: T) => T;
}
