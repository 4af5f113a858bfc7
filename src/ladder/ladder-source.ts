import type { Observable } from 'rxjs';
import type { RenditionSpec } from './rendition.ts';

/** Rendition of the audio that all rungs of a broadcast share. */
export const SHARED_AUDIO_RENDITION = 'audio';

/** What the runner needs to know of ladders: which rungs a broadcast is to have, and when that changed. */
export interface LadderSource {
  /**
   * Desired rungs of a broadcast (`live/demo`), the shared audio rendition (`audio`, no size) included.
   * The array's items keep their identity as long as their content stays.
   */
  renditionsFor(broadcast: string): readonly RenditionSpec[];
  /** Emits after each change. */
  readonly changed$: Observable<void>;
}
