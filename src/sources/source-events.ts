import type { SourceState } from './source-run.ts';

/** Something that happened to a source. */
export interface SourceEvent {
  readonly type: 'source-added' | 'source-removed' | 'source-failover' | `source-${SourceState}`;
  /** Its name. */
  readonly source: string;
  /** What went wrong, without secrets. */
  readonly reason?: string;
  /** The address at present, without credentials and query. */
  readonly address?: string;
}
