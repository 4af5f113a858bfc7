import { BroadcasterRegistry } from '../../src/broadcast/registry.ts';
import type { ContinuitySettings } from '../../src/ingest/broadcast-source.ts';
import type { IngestFrame, Publication, PublishRequest } from '../../src/ingest/publication.ts';
import { Publishers, type PublishersOptions } from '../../src/ingest/publishers.ts';
import type { SlateEncoder } from '../../src/ingest/stand-in.ts';
import type { Fragment } from '../../src/media/fragment.ts';
import type { Clock } from '../../src/util/clock.ts';
import { AppError } from '../../src/util/errors.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { audioInit, videoInit } from './fragments.ts';
import { ManualClock } from './manual-clock.ts';

const DEFAULTS: PublishersOptions = { takeover: 'when-silent', silentMs: 2_000, maxPublishers: 3 };

/** What differs from a gate without grace time and slate. */
export interface RigOptions extends Partial<PublishersOptions>, Partial<ContinuitySettings> {
  readonly slates?: SlateEncoder;
  /** What the publishers go by, if it is not the rig's own clock. */
  readonly clockOf?: (clock: ManualClock) => Clock;
}

/** A gate on a real registry that notes what readers and publishers see, in order. The right key is `good`. */
export function publishersRig({ graceMs = 0, slate = false, slates, clockOf, ...options }: RigOptions = {}) {
  const registry = new BroadcasterRegistry();
  const clock = new ManualClock();
  /** `+video`, `-video` for tracks that open and close, `cut WHO CODE` for connections that are cut. */
  const events: string[] = [];
  const fragments: Fragment[] = [];
  registry.opened$.subscribe((track) => {
    events.push(`+${track.key.track}`);
    track.fragments$.subscribe((fragment) => fragments.push(fragment));
  });
  registry.closed$.subscribe(({ key }) => events.push(`-${key.track}`));
  const keys = {
    authorize: (broadcast: string, key: string | undefined) => {
      if (key !== 'good') throw new AppError('UNAUTHORIZED', `the stream key of ${broadcast} is wrong`);
    },
  };
  const publishers = new Publishers({
    ...{ registry, keys, logger: silentLogger },
    clock: clockOf?.(clock) ?? clock,
    options: { ...DEFAULTS, ...options },
    settings: () => ({ graceMs, slate }),
    ...(slates && { slates }),
  });
  const publish = (
    who: string,
    { broadcast = 'live/demo', key = 'good', protocol = 'rtmp' }: Partial<PublishRequest> = {},
  ): Promise<Publication> =>
    publishers.publish({
      ...{ broadcast, key, protocol },
      remote: '127.0.0.1',
      disconnect: ({ code }) => events.push(`cut ${who} ${code}`),
    });
  return { registry, clock, events, fragments, publishers, publish };
}

/** A frame of 20 ms at this media time. */
export function frameAt(atMs: number, ticksPerSecond = 90_000, sync = true): IngestFrame {
  const dts = Math.round((atMs * ticksPerSecond) / 1000);
  return { dts, pts: dts, duration: ticksPerSecond / 50, sync, data: Buffer.from([1, 2, 3]) };
}

const video = videoInit();
const audio = audioInit();

/** Publishes frames such as `v0 v20- a20`: kind and media time in ms, `-` for one that is no keyframe. */
export function send(publication: Publication, frames: string): void {
  for (const frame of frames.split(' ')) {
    const isVideo = frame.startsWith('v');
    const init = isVideo ? video : audio;
    publication.frame(init, frameAt(parseInt(frame.slice(1), 10), init.timescale, !frame.endsWith('-')));
  }
}

/** Fragments as `v3@40`: kind, epoch, and media time in ms. */
export function told(fragments: readonly Fragment[]): string {
  return fragments
    .map(({ init, epoch, baseDecodeTime }) => {
      return `${init.kind.charAt(0)}${epoch}@${Math.round((baseDecodeTime * 1000) / init.timescale)}`;
    })
    .join(' ');
}
