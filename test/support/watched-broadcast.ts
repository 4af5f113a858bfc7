import { expect } from 'vitest';
import { HlsRecorder, type RecordedSegment } from './hls-recorder.ts';
import type { LiveServer } from './live-server.ts';
import { until } from './poll.ts';

/** What REST says of a broadcast, as far as tests of continuity need it. */
export interface BroadcastView {
  readonly state: string;
  readonly waitingUntil?: string;
  readonly slate?: boolean;
}

/** Numbers of the segments that follow a discontinuity. */
export function breaks(segments: readonly RecordedSegment[]): number[] {
  return segments.filter(({ discontinuity }) => discontinuity).map(({ msn }) => msn);
}

/** Audio begins with a whole frame of its own near the first picture. */
const MAX_APART_MS = 50;

/** One broadcast of a live server whose every rung and sound is recorded from now on. */
export class WatchedBroadcast {
  readonly name: string;
  readonly recorders: readonly HlsRecorder[];
  readonly #server: LiveServer;

  private constructor(server: LiveServer, name: string, rungs: readonly string[]) {
    this.#server = server;
    this.name = name;
    this.recorders = [
      ...rungs.map((rung) => new HlsRecorder(server.mediaUrl(name, rung))),
      new HlsRecorder(server.mediaUrl(name, 'audio', 'audio')),
    ];
  }

  /** Waits until all rungs are offered and each has a segment. */
  static async begin(server: LiveServer, name: string, rungs: readonly string[]): Promise<WatchedBroadcast> {
    await server.variants(name, rungs.length);
    const watched = new WatchedBroadcast(server, name, rungs);
    await watched.grown(1, 0);
    return watched;
  }

  async view(): Promise<BroadcastView> {
    return (await (await this.#server.api('GET', `broadcasts/live/${this.name}`)).json()) as BroadcastView;
  }

  inState(state: string): Promise<BroadcastView> {
    return until(`${this.name} to be ${state}`, async () => {
      const found = await this.view();
      return found.state === state ? found : undefined;
    });
  }

  /** Waits until every playlist has this many segments after its discontinuity of that number (0: the start). */
  async grown(count: number, discontinuity: number): Promise<void> {
    await until(`${count} segments of ${this.name} after discontinuity ${discontinuity}`, () =>
      this.recorders.every(({ segments }) => {
        const from = discontinuity === 0 ? segments[0]?.msn : breaks(segments)[discontinuity - 1];
        return from !== undefined && segments.at(-1)!.msn - from + 1 >= count;
      }),
    );
  }

  /** Ends the broadcast through REST and waits for the end of every playlist. */
  async end(): Promise<void> {
    const route = `broadcasts/live/${this.name}`;
    expect((await this.#server.api('DELETE', route)).status).toBe(204);
    await this.finished();
    expect((await this.#server.api('DELETE', route)).status).toBe(404);
  }

  /** Waits for the end of every playlist. */
  async finished(): Promise<void> {
    await Promise.all(this.recorders.map(({ finished }) => finished));
  }

  /**
   * Where the discontinuities are; fails unless that is the same everywhere, with the same date up to a frame of audio, and without gaps other than
   * that of a track whose publisher left before a boundary that another track had crossed already.
   */
  agreedBreaks(): number[] {
    const [first] = this.recorders;
    const places = breaks(first!.segments);
    for (const { segments } of this.recorders) {
      expect(breaks(segments)).toEqual(places);
      const isCutOff = ({ msn, durationS }: RecordedSegment): boolean => places.includes(msn + 1) && durationS < 0.5;
      expect(segments.filter((segment) => segment.gap && !isCutOff(segment))).toEqual([]);
      for (const place of places) {
        const apartMs = Number(dateAt(segments, place)) - Number(dateAt(first!.segments, place));
        expect(Math.abs(apartMs)).toBeLessThan(MAX_APART_MS);
      }
    }
    return places;
  }
}

/** Date of a segment; `undefined` if its playlist tells none for it. */
export function dateAt(segments: readonly RecordedSegment[], msn: number): number | undefined {
  return segments.find((segment) => segment.msn === msn)?.programDateTimeMs;
}
