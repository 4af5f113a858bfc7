import { describe, expect, it } from 'vitest';
import { PUBLICATION_LIMITS } from '../../src/ingest/live-publication.ts';
import type { IngestFrame } from '../../src/ingest/publication.ts';
import type { Fragment } from '../../src/media/fragment.ts';
import { audioInit, videoInit } from '../support/fragments.ts';
import { frameAt, publishersRig, send, told } from '../support/publishers-rig.ts';

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
    await expect(publishersRig().publish('a', { broadcast: name })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });

  it('asks for the key before anything is published', async () => {
    const { publish, publishers, registry } = publishersRig();
    await expect(publish('a', { key: 'bad' })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    expect(publishers.list()).toEqual([]);
    expect(registry.list()).toEqual([]);
  });

  it('opens each source track with its first decodable frame and closes all at the end', async () => {
    const { publish, events } = publishersRig();
    const publication = await publish('a');
    const init = videoInit();
    publication.frame(init, frameAt(0, 90_000, false));
    expect(events).toEqual([]);
    publication.frame(init, frameAt(20));
    publication.frame(audioInit(), frameAt(21, 48_000));
    publication.end();
    publication.end();
    expect(events).toEqual(['+video', '+audio', '-video', '-audio']);
    expect(publication.stats()).toMatchObject({ frames: 2, droppedFrames: 1, bytes: 6 });
  });

  it('makes fragments that carry their init, epoch and time of ingest', async () => {
    const { publish, registry, clock } = publishersRig();
    const publication = await publish('a');
    const got: Fragment[] = [];
    registry.opened$.subscribe((track) => track.fragments$.subscribe((fragment) => got.push(fragment)));
    const init = videoInit();
    publication.frame(init, frameAt(1_000));
    publication.frame(init, { ...frameAt(1_020, 90_000, false), pts: 91_000 });
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
    const { publish, registry } = publishersRig();
    const publication = await publish('a');
    const epochs: number[] = [];
    registry.opened$.subscribe((track) => track.fragments$.subscribe(({ epoch }) => epochs.push(epoch)));
    const init = videoInit();
    publication.frame(init, frameAt(60_000));
    publication.frame(init, frameAt(0, 90_000, false));
    publication.frame(init, frameAt(20));
    expect(epochs).toEqual([0, 1]);
  });

  it('refuses a second publisher while the first one sends', async () => {
    const { publish, clock } = publishersRig();
    const first = await publish('a');
    clock.advance(1_999);
    await expect(publish('b')).rejects.toMatchObject({ code: 'BUSY' });
    first.frame(videoInit(), frameAt(0));
    clock.advance(1_999);
    await expect(publish('b')).rejects.toMatchObject({ code: 'BUSY' });
  });

  it('lets a newer publisher take over a silent one: readers keep their tracks and see a new epoch', async () => {
    const { publish, clock, events, registry } = publishersRig();
    const first = await publish('a');
    first.frame(videoInit(), frameAt(5_000));
    first.frame(audioInit(), frameAt(5_000, 48_000));
    const epochs: number[] = [];
    registry.opened$.subscribe((track) => track.fragments$.subscribe(({ epoch }) => epochs.push(epoch)));
    clock.advance(2_000);

    const second = await publish('b');
    second.frame(videoInit(), frameAt(0));
    first.frame(videoInit(), frameAt(5_020));
    first.end();
    clock.advance(PUBLICATION_LIMITS.adoptWithinMs);
    second.frame(videoInit(), frameAt(20));

    expect(epochs).toEqual([1, 1]);
    expect(events).toEqual(['+video', '+audio', 'cut a CONFLICT', '-audio']);
    second.end();
    expect(events.at(-1)).toBe('-video');
  });

  it('obeys the policies "always" and "never"', async () => {
    const always = publishersRig({ takeover: 'always' });
    await always.publish('a');
    await always.publish('b');
    expect(always.events).toEqual(['cut a CONFLICT']);
    const never = publishersRig({ takeover: 'never' });
    await never.publish('a');
    never.clock.advance(60_000);
    await expect(never.publish('b')).rejects.toMatchObject({ code: 'BUSY' });
  });

  it('goes on counting epochs when a broadcast comes back', async () => {
    const { publish, registry } = publishersRig();
    const epochs: number[] = [];
    registry.opened$.subscribe((track) => track.fragments$.subscribe(({ epoch }) => epochs.push(epoch)));
    for (const who of ['a', 'b']) {
      const publication = await publish(who);
      publication.frame(videoInit(), frameAt(0));
      publication.end();
    }
    expect(epochs).toEqual([0, 1]);
  });

  it('admits no more publishers than configured', async () => {
    const { publish } = publishersRig();
    for (const name of ['live/a', 'live/b', 'live/c']) await publish(name, { broadcast: name });
    await expect(publish('d', { broadcast: 'live/d' })).rejects.toMatchObject({ code: 'LIMIT_REACHED' });
  });

  it('counts unusable frames and cuts off a publisher that sends nothing else', async () => {
    const { publish, events } = publishersRig();
    const publication = await publish('a');
    const init = videoInit();
    publication.frame(init, frameAt(0));
    const bad: Partial<IngestFrame>[] = [
      { dts: -1 },
      { dts: NaN },
      { pts: -1 },
      { duration: 0 },
      { data: Buffer.alloc(0) },
    ];
    for (const wrong of bad) publication.frame(init, { ...frameAt(20), ...wrong });
    expect(publication.stats()).toMatchObject({ frames: 1, droppedFrames: bad.length });
    for (let n = bad.length; n < PUBLICATION_LIMITS.maxDroppedInARow; n += 1) publication.frame(init, frameAt(0));
    expect(events).toEqual(['+video']);
    publication.frame(init, frameAt(0));
    expect(events).toEqual(['+video', '-video', 'cut a BAD_MEDIA']);
  });

  it('cuts off a publisher whose clock jumps all the time', async () => {
    const { publish, events } = publishersRig();
    const publication = await publish('a');
    const init = videoInit();
    for (let n = 0; n <= PUBLICATION_LIMITS.maxEpochsPerMinute; n += 1) publication.frame(init, frameAt(n * 60_000));
    expect(events).toEqual(['+video']);
    publication.frame(init, frameAt(3_600_000));
    expect(events.at(-1)).toBe('cut a BAD_MEDIA');
  });

  it('lets a remote source break its timeline more often, but not without end', async () => {
    const { publish, events } = publishersRig();
    const publication = await publish('a', { protocol: 'pull' });
    const init = videoInit();
    publication.frame(init, frameAt(0));
    for (let n = 1; n <= PUBLICATION_LIMITS.maxPulledEpochsPerMinute; n += 1) {
      publication.discontinuity();
      publication.frame(init, frameAt(n * 20));
    }
    expect(events).toEqual(['+video']);
    publication.discontinuity();
    publication.frame(init, frameAt(3_600_000));
    expect(events.at(-1)).toBe('cut a BAD_MEDIA');
  });

  it('begins an epoch at a discontinuity in times that go on, which every track joins with its next frame', async () => {
    const { publish, fragments } = publishersRig();
    const publication = await publish('a');
    publication.discontinuity();
    send(publication, 'v0 a0 v20 a20');
    publication.discontinuity();
    publication.discontinuity();
    send(publication, 'a40 v40- v60 a61 v80-');
    expect(told(fragments)).toBe('v0@0 a0@0 v0@20 a0@20 a1@40 v1@60 a1@61 v1@80');
  });

  it('closes a track that does not come again after a discontinuity, and opens it when it does', async () => {
    const { publish, events, fragments, clock } = publishersRig();
    const publication = await publish('a');
    send(publication, 'v0 a0');
    clock.advance(PUBLICATION_LIMITS.adoptWithinMs);
    send(publication, 'v20 a20');
    publication.discontinuity();
    send(publication, 'v40');
    clock.advance(PUBLICATION_LIMITS.adoptWithinMs);
    send(publication, 'v60');
    expect(events).toEqual(['+video', '+audio', '-audio']);
    publication.discontinuity();
    send(publication, 'v80 a80');
    expect(events).toEqual(['+video', '+audio', '-audio', '+audio']);
    expect(told(fragments)).toBe('v0@0 a0@0 v0@20 a0@20 v1@40 v1@60 v2@80 a2@80');
  });

  it('lets the server’s own sources in without a key, by the same rules', async () => {
    const { publishers, publish, registry } = publishersRig({ maxPublishers: 2 });
    const request = { key: undefined, protocol: 'pull', remote: 'tv.example', disconnect: () => undefined } as const;
    const publication = await publishers.trusted.publish({ ...request, broadcast: 'live/tv' });
    send(publication, 'v0');
    expect(publishers.list()).toMatchObject([{ broadcast: 'live/tv', protocol: 'pull', remote: 'tv.example' }]);
    expect(registry.list()).toHaveLength(1);
    await expect(publish('a', { broadcast: 'live/tv' })).rejects.toMatchObject({ code: 'BUSY' });
    await expect(publishers.trusted.publish({ ...request, broadcast: 'live/tv' })).rejects.toMatchObject({
      code: 'BUSY',
    });
    await expect(publishers.trusted.publish({ ...request, broadcast: 'tv' })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
    });
    await publish('b', { broadcast: 'live/b' });
    await expect(publishers.trusted.publish({ ...request, broadcast: 'live/c' })).rejects.toMatchObject({
      code: 'LIMIT_REACHED',
    });
  });

  it('kicks a publisher by the name of its broadcast', async () => {
    const { publish, publishers, events } = publishersRig();
    await publish('a');
    expect(publishers.kick('live/other')).toBe(false);
    expect(publishers.kick('live/demo')).toBe(true);
    expect(events).toEqual(['cut a GONE']);
    expect(publishers.list()).toEqual([]);
  });

  it('ends what a source of the server publishes, and not what somebody else does under its name', async () => {
    const { publish, publishers, events } = publishersRig();
    await publish('a');
    publishers.endPulled('live/demo');
    expect(events).toEqual([]);
    publishers.kick('live/demo');
    await publish('b', { protocol: 'pull' });
    publishers.endPulled('live/demo');
    publishers.endPulled('live/demo');
    expect(events).toEqual(['cut a GONE', 'cut b GONE']);
    expect(publishers.list()).toEqual([]);
  });

  it('ends everybody at the close and admits nobody afterwards', async () => {
    const { publish, publishers, events } = publishersRig();
    await publish('a');
    await publishers.close();
    expect(events).toEqual(['cut a UNAVAILABLE']);
    await expect(publish('b')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
