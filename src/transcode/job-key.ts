import type { TrackKind } from '../media/fragment.ts';
import type { TrackKey } from '../media/track-key.ts';

/** Names one transcoder job: which factory makes which rendition of which source track. */
export interface JobKey {
  readonly factory: string;
  readonly rendition: string;
  readonly broadcast: string;
  readonly track: TrackKind;
}

/** The key as one line, for maps and logs; unambiguous since none of the parts may hold a space. */
export function formatJobKey({ factory, rendition, broadcast, track }: JobKey): string {
  return `${factory} ${rendition} ${broadcast} ${track}`;
}

/** The registry's key of what the job puts out. */
export function outputKey({ broadcast, rendition, track }: JobKey): TrackKey {
  return { broadcast, rendition, track };
}
