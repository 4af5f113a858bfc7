import { afterEach } from 'vitest';
import { UpstreamFailure } from '../../../src/remote/upstream-failure.ts';
import { DiscontinuityShifts } from '../../../src/upstream/follow/discontinuity-shifts.ts';
import { PlaylistFollower } from '../../../src/upstream/follow/playlist-follower.ts';
import type { PlaylistLoad } from '../../../src/upstream/follow/playlist-loader.ts';
import type { FollowerEvent } from '../../../src/upstream/follow/playlist-progress.ts';
import { type UpstreamAddress, UrlRotation } from '../../../src/upstream/follow/url-rotation.ts';
import type { MediaItem } from '../../../src/upstream/pool/media-item.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { listed, type Listed } from './listed.ts';

/** `slow` takes 5 s and fails. */
export type Answer = Listed | Error | 'unchanged' | 'slow';

/** How long it goes on when it is released. */
export const LINGER_MS = 10_000;
/** A load that fails. */
export const unavailable = new UpstreamFailure('status', 'status 503', { status: 503 });

/** A follower whose loads are answered by the test, each at an address; the last answer is repeated. */
export class Stage {
  readonly clock = new ManualClock(1_000_000_000);
  readonly rotation: UrlRotation;
  readonly follower: PlaylistFollower;
  readonly loads: { readonly index: number; readonly atMs: number }[] = [];
  readonly events: string[] = [];
  readonly offered: (readonly MediaItem[])[] = [];
  readonly #startMs = this.clock.nowMs();
  readonly answers: Answer[][];
  holdsNext = false;

  constructor(answers: Answer[][]) {
    this.answers = answers;
    const urls = answers.map((_, index) => `http://host-${index}.test/`);
    const { clock } = this;
    this.rotation = new UrlRotation({ urls, failuresBeforeNext: 3, clock, random: () => 0 });
    this.follower = new PlaylistFollower({
      ...{ id: 'v0', prefix: 'u0/v0', rotation: this.rotation, shifts: new DiscontinuityShifts(), clock },
      loader: { load: (address) => this.#load(address), forget: () => undefined },
      prefetcher: {
        ask: () => {
          throw new Error('nothing is asked for');
        },
        update: (items) => void this.offered.push(items),
        close: () => Promise.resolve(),
      },
      ...{ addresses: urls.length, lingerMs: LINGER_MS },
      onEvent: (event) => this.events.push(told(event)),
    });
  }

  /** Times of loads since the beginning, ms. */
  get times(): number[] {
    return this.loads.map(({ atMs }) => atMs);
  }

  /** Which address each load was from. */
  get indexes(): number[] {
    return this.loads.map(({ index }) => index);
  }

  /** Moves time on step by step, letting loads answer. */
  async pass(ms: number): Promise<void> {
    const endMs = this.clock.nowMs() + ms;
    await settled();
    while (this.clock.nowMs() < endMs) {
      this.clock.advance(Math.min(100, endMs - this.clock.nowMs()));
      await settled();
    }
  }

  async #load(address: UpstreamAddress): Promise<PlaylistLoad> {
    this.loads.push({ index: address.index, atMs: this.clock.nowMs() - this.#startMs });
    const answers = this.answers[address.index] ?? [];
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    await Promise.resolve();
    if (answer === 'slow') await this.clock.wait(5_000);
    if (answer === 'slow') throw new UpstreamFailure('timeout', 'it took longer than 5000 ms');
    if (answer instanceof Error) throw answer;
    const playlist = answer === undefined || answer === 'unchanged' ? undefined : listed(answer);
    return { playlist, wasHeld: this.holdsNext, holdsNext: this.holdsNext };
  }
}

function told(event: FollowerEvent): string {
  return 'reason' in event ? `${event.kind}: ${event.reason}` : event.kind;
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

const stages: Stage[] = [];

afterEach(async () => {
  await Promise.all(stages.splice(0).map(({ follower }) => follower.close()));
});

/** A stage that is closed after the test, and its parts. Each address has its own answers. */
export function stage(...answers: Answer[][]): {
  made: Stage;
  follower: PlaylistFollower;
  times: () => number[];
  pass: (ms: number) => Promise<void>;
} {
  const made = new Stage(answers);
  stages.push(made);
  return { made, follower: made.follower, times: () => made.times, pass: (ms) => made.pass(ms) };
}

/** Something to report. */
export function item(name: string): MediaItem {
  const url = new URL(`http://host-0.test/${name}`);
  return { id: name, target: { url, authorization: undefined, label: url.href }, durationMs: 2_000, kind: 'segment' };
}
