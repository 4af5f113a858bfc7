import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import type { Title } from '../source/title.ts';
import type { VodRendition } from '../vod-rendition.ts';
import type { EncoderSlots } from './encoder-slots.ts';
import type { HeadFactory } from './encoding-head.ts';
import type { PoolCounters } from './pool-report.ts';
import type { RenditionEntry } from './rendition-entry.ts';

/** What an encoder of a rendition works with. */
export interface RenditionEncoderOptions {
  readonly title: Title;
  readonly rendition: VodRendition;
  readonly entry: RenditionEntry;
  readonly slots: EncoderSlots;
  readonly createHead: HeadFactory;
  readonly counters: PoolCounters;
  /** How many segments beyond the last one that a viewer asked for are encoded. */
  readonly aheadSegments: number;
  /** How long an encoder that nobody needs stays. */
  readonly idleMs: number;
  /** What else has to be done before the title is complete. */
  readonly gate: (title: Title, signal: AbortSignal) => Promise<unknown>;
  /** The source ends before a segment. */
  readonly onShortened: (title: Title, endIndex: number) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}
