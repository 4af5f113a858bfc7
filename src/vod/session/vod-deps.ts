import type { RenditionHandle } from '../play/rendition-handle.ts';
import type { MediaSource } from '../source/media-source.ts';
import type { Title } from '../source/title.ts';
import type { VodRendition } from '../vod-rendition.ts';

/** What sessions stand on; made by the composition root. Everything rejects with `AppError`. */
export interface VodDeps {
  readonly sources: { resolve(source: string, signal: AbortSignal): Promise<MediaSource> };
  readonly titles: { read(source: MediaSource, signal: AbortSignal): Promise<Title> };
  /** What viewers of a title can choose from. The ladder may have changed since the last call. */
  readonly plan: (request: RenditionRequest) => readonly VodRendition[];
  /** Length of each segment of a rendition, ticks of 90 kHz. */
  readonly segmentTicks: (title: Title, rendition: VodRendition) => readonly number[];
  /** Tells how a rendition is encoded: another answer means other bytes under the same name. */
  readonly fingerprint: (title: Title, rendition: VodRendition) => string;
  /** `startAt`: the segment that is probably asked for first. */
  readonly pool: { open(title: Title, rendition: VodRendition, options: { startAt: number }): RenditionHandle };
  readonly subtitles: TitleSubtitles;
}

/** Of which title, and what the viewer chose. */
export interface RenditionRequest {
  readonly title: Title;
  /** Index in `Title.audio` of the sound that plays unless the viewer changes it; `undefined`: what the file says. */
  readonly audio: number | undefined;
  /** Index in `Title.subtitles` of pictures to burn in. */
  readonly burn: number | undefined;
}

/** Text subtitles of titles as WebVTT. */
export interface TitleSubtitles {
  /** Begins to prepare all of them in the background. */
  ensure(title: Title): void;
  /** Segment `index` of a track, of `Title.subtitles`. */
  segment(title: Title, track: number, index: number, signal: AbortSignal): Promise<Buffer>;
  /** What became of the tracks so far. */
  report(title: Title): readonly { readonly track: number; readonly state: string; readonly reason?: string }[];
}
