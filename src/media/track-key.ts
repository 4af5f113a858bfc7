import type { TrackKind } from './fragment.ts';

/** Rendition name of what was ingested; everything else is a transcoder's output. */
export const SOURCE_RENDITION = 'source';

/** Names one stream of fragments, e.g. `live/demo · 720p · video`. */
export interface TrackKey {
  /** `app/name`, e.g. `live/demo`. */
  readonly broadcast: string;
  /** `source` or a rung's name. */
  readonly rendition: string;
  readonly track: TrackKind;
}

/** The key as one line for logs, errors and maps; unambiguous since none of the parts may hold a space. */
export function formatTrackKey({ broadcast, rendition, track }: TrackKey): string {
  return `${broadcast} ${rendition} ${track}`;
}
