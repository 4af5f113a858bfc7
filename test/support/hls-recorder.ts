import { fetchBytes, fetchMediaPlaylist, type ListedSegment } from './hls-client.ts';
import { until } from './poll.ts';

/** A segment as it was listed and served. */
export interface RecordedSegment extends ListedSegment {
  readonly bytes: Buffer;
}

/** Follows one media playlist like a player that never skips: every segment once, until ENDLIST, 404 or `stop()`. */
export class HlsRecorder {
  readonly segments: RecordedSegment[] = [];
  readonly inits = new Map<string, Buffer>();
  readonly finished: Promise<void>;
  readonly #url: string;
  #stopped = false;

  constructor(url: string) {
    this.#url = url;
    this.finished = this.#follow();
    this.finished.catch(() => undefined);
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Init and segments of one `EXT-X-MAP`, one after the other, as a file would hold them. */
  file(mapUrl = this.segments.find(({ gap }) => !gap)?.mapUrl ?? ''): Buffer {
    const own = this.segments.filter((segment) => segment.mapUrl === mapUrl && !segment.gap);
    return Buffer.concat([this.inits.get(mapUrl) ?? Buffer.alloc(0), ...own.map(({ bytes }) => bytes)]);
  }

  async #follow(): Promise<void> {
    await until(
      `the end of ${this.#url}`,
      async () => {
        const playlist = this.#stopped ? undefined : await fetchMediaPlaylist(this.#url);
        if (playlist === undefined) return this.#stopped || this.segments.length > 0;
        for (const segment of playlist.segments) await this.#record(segment);
        return playlist.ended;
      },
      110_000,
    );
  }

  async #record(segment: ListedSegment): Promise<void> {
    const last = this.segments.at(-1);
    if (last !== undefined && segment.msn <= last.msn) return;
    if (last !== undefined && segment.msn !== last.msn + 1) {
      throw new Error(`${this.#url}: segment ${last.msn} is followed by ${segment.msn}`);
    }
    if (!this.inits.has(segment.mapUrl) && segment.mapUrl !== '') {
      this.inits.set(segment.mapUrl, await fetchBytes(segment.mapUrl));
    }
    this.segments.push({ ...segment, bytes: segment.gap ? Buffer.alloc(0) : await fetchBytes(segment.url) });
  }
}
