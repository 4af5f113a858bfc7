import { describe, expect, it } from 'vitest';
import { BroadcasterRegistry } from '../../src/broadcast/registry.ts';
import { PUBLICATION_LIMITS } from '../../src/ingest/live-publication.ts';
import type { IngestFrame } from '../../src/ingest/publication.ts';
import { Publishers, type PublishersOptions } from '../../src/ingest/publishers.ts';
import type { Fragment } from '../../src/media/fragment.ts';
import { AppError } from '../../src/util/errors.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { audioInit, videoInit } from '../support/fragments.ts';
import { ManualClock } from '../support/manual-clock.ts';

const defaults: PublishersOptions = { takeover: 'when-silent', silentMs: 2_000, maxPublishers: 3 };

function setUp(options: Partial<PublishersOptions> = {}) {
  const registry = new BroadcasterRegistry();
  const clock = new ManualClock();
  const events: string[] = [];
  registry.opened$.subscribe(({ key }) => events.push(`+${key.track}`));
  registry.closed$.subscribe(({ key }) => events.push(`-${key.track}`));
  const keys = {
    authorize: (broadcast: string, key: string | undefined) => {
      if (key !== 'good') throw new AppError('UNAUTHORIZED', `the stream key of ${broadcast} is wrong`);
    },
  };
  const publishers = new Publishers({
    registry,
    keys,
    clock,
    logger: silentLogger,
    options: { ...defaults, ...options },
    settings: () => ({ graceMs: 0, slate: false }),
  });
  const publish = (who: string, broadcast = 'live/demo', key = 'good') =>
    publishers.publish({
      broadcast,
      key,
      protocol: 'rtmp',
      remote: '127.0.0.1',
      disconnect: ({ code }) => events.push(`cut ${who} ${code}`),
    });
  return { registry, clock, events, publishers, publish };
}

function frame(atMs: number, ticksPerSecond = 90_000, sync = true): IngestFrame {
  const dts = Math.round((atMs * ticksPerSecond) / 1000);
  return { dts, pts: dts, duration: ticksPerSecond / 50, sync, data: Buffer.from([1, 2, 3]) };
}

describe('Publishers', () => {
  it.each([
    'demo',
    'live/',
    'live/a/b',
    'live/../x',
    'live/.hidden',
    'li ve/x',
    'live/\u0000',
    `live/${'x'.repeat(65)}`,
    '',
  ])('refuses the broadcast name %j', async (name) => {
    await expect(setUp().publish('a', name)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });

  it('asks for the key before anything is published', async () => {
    const { publish, publishers, registry } = setUp();
    await expect(publish('a', 'live/demo', 'bad')).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    expect(publishers.list()).toEqual([]);
    expect(registry.list()).toEqual([]);
  });

  it('opens each source track with its first decodable frame and closes all at the end', async () => {
    const { publish, events } = setUp();
    const publication = await publish('a');
    const init = videoInit();
    publication.frame(init, frame(0, 90_000, false));
    expect(events).toEqual([]);
    publication.frame(init, frame(20));
    publication.frame(audioInit(), frame(21, 48_000));
    publication.end();
    publication.end();
    expect(events).toEqual(['+video', '+audio', '-video', '-audio']);
    expect(publication.stats()).toMatchObject({ frames: 2, droppedFrames: 1, bytes: 6 });
  });

  it('makes fragments that carry their init, epoch and time of ingest', async () => {
    const { publish, registry, clock } = setUp();
    const publication = await publish('a');
    const got: Fragment[] = [];
    registry.opened$.subscribe((track) => track.fragments$.subscribe((fragment) => got.push(fragment)));
    const init = videoInit();
    publication.frame(init, frame(1_000));
    publication.frame(init, { ...frame(1_020, 90_000, false), pts: 91_000 });
    expect(got).toHaveLength(2);
    expect(got[0]).toMatchObject({
      init,
      epoch: 0,
      baseDecodeTime: 90_000,
      keyframe: true,
      ingestedAtMs: clock.nowMs(),
    });
    expect(got[1]).toMatchObject({ keyframe: false, firstPts: 91_000, duration: 1_800 });
  });

  it('waits for a keyframe at the start of an epoch', async () => {
    const { publish, registry } = setUp();
    const publication = await publish('a');
    const epochs: number[] = [];
    registry.opened$.subscribe((track) => track.fragments$.subscribe(({ epoch }) => epochs.push(epoch)));
    const init = videoInit();
    publication.frame(init, frame(60_000));
    publication.frame(init, frame(0, 90_000, false));
    publication.frame(init, frame(20));
    expect(epochs).toEqual([0, 1]);
  });

  it('refuses a second publisher while the first one sends', async () => {
    const { publish, clock } = setUp();
    const first = await publish('a');
    clock.advance(1_999);
    await expect(publish('b')).rejects.toMatchObject({ code: 'BUSY' });
    first.frame(videoInit(), frame(0));
    clock.advance(1_999);
    await expect(publish('b')).rejects.toMatchObject({ code: 'BUSY' });
  });

  it('lets a newer publisher take over a silent one: readers keep their tracks and see a new epoch', async () => {
    const { publish, clock, events, registry } = setUp();
    const first = await publish('a');
    first.frame(videoInit(), frame(5_000));
    first.frame(audioInit(), frame(5_000, 48_000));
    const epochs: number[] = [];
    registry.opened$.subscribe((track) => track.fragments$.subscribe(({ epoch }) => epochs.push(epoch)));
    clock.advance(2_000);

    const second = await publish('b');
    second.frame(videoInit(), frame(0));
    first.frame(videoInit(), frame(5_020));
    first.end();
    clock.advance(PUBLICATION_LIMITS.adoptWithinMs);
    second.frame(videoInit(), frame(20));

    expect(epochs).toEqual([1, 1]);
    expect(events).toEqual(['+video', '+audio', 'cut a CONFLICT', '-audio']);
    second.end();
    expect(events.at(-1)).toBe('-video');
  });

  it('obeys the policies "always" and "never"', async () => {
    const always = setUp({ takeover: 'always' });
    await always.publish('a');
    await always.publish('b');
    expect(always.events).toEqual(['cut a CONFLICT']);
    const never = setUp({ takeover: 'never' });
    await never.publish('a');
    never.clock.advance(60_000);
    await expect(never.publish('b')).rejects.toMatchObject({ code: 'BUSY' });
  });

  it('goes on counting epochs when a broadcast comes back', async () => {
    const { publish, registry } = setUp();
    const epochs: number[] = [];
    registry.opened$.subscribe((track) => track.fragments$.subscribe(({ epoch }) => epochs.push(epoch)));
    for (const who of ['a', 'b']) {
      const publication = await publish(who);
      publication.frame(videoInit(), frame(0));
      publication.end();
    }
    expect(epochs).toEqual([0, 1]);
  });

  it('admits no more publishers than configured', async () => {
    const { publish } = setUp();
    for (const name of ['live/a', 'live/b', 'live/c']) await publish(name, name);
    await expect(publish('d', 'live/d')).rejects.toMatchObject({ code: 'LIMIT_REACHED' });
  });

  it('counts unusable frames and cuts off a publisher that sends nothing else', async () => {
    const { publish, events } = setUp();
    const publication = await publish('a');
    const init = videoInit();
    publication.frame(init, frame(0));
    const bad: Partial<IngestFrame>[] = [
      { dts: -1 },
      { dts: NaN },
      { pts: -1 },
      { duration: 0 },
      { data: Buffer.alloc(0) },
    ];
    for (const wrong of bad) publication.frame(init, { ...frame(20), ...wrong });
    expect(publication.stats()).toMatchObject({ frames: 1, droppedFrames: bad.length });
    for (let n = bad.length; n < PUBLICATION_LIMITS.maxDroppedInARow; n += 1) publication.frame(init, frame(0));
    expect(events).toEqual(['+video']);
    publication.frame(init, frame(0));
    expect(events).toEqual(['+video', '-video', 'cut a BAD_MEDIA']);
  });

  it('cuts off a publisher whose clock jumps all the time', async () => {
    const { publish, events } = setUp();
    const publication = await publish('a');
    const init = videoInit();
    for (let n = 0; n <= PUBLICATION_LIMITS.maxEpochsPerMinute; n += 1) publication.frame(init, frame(n * 60_000));
    expect(events).toEqual(['+video']);
    publication.frame(init, frame(3_600_000));
    expect(events.at(-1)).toBe('cut a BAD_MEDIA');
  });

  it('kicks a publisher by the name of its broadcast', async () => {
    const { publish, publishers, events } = setUp();
    await publish('a');
    expect(publishers.kick('live/other')).toBe(false);
    expect(publishers.kick('live/demo')).toBe(true);
    expect(events).toEqual(['cut a GONE']);
    expect(publishers.list()).toEqual([]);
  });

  it('ends everybody at the close and admits nobody afterwards', async () => {
    const { publish, publishers, events } = setUp();
    await publish('a');
    await publishers.close();
    expect(events).toEqual(['cut a UNAVAILABLE']);
    await expect(publish('b')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
