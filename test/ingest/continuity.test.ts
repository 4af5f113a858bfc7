import { describe, expect, it } from 'vitest';
import { PUBLICATION_LIMITS } from '../../src/ingest/live-publication.ts';
import { audioInit, videoInit } from '../support/fragments.ts';
import { frameAt, publishersRig, send, told } from '../support/publishers-rig.ts';

const graceMs = 30_000;
const ADOPT_MS = PUBLICATION_LIMITS.adoptWithinMs;

describe('a broadcast whose publisher has gone', () => {
  it('waits for the grace time with its tracks open, then ends', async () => {
    const { publish, publishers, clock, events } = publishersRig({ graceMs });
    const publication = await publish('a');
    send(publication, 'v0 a0');
    clock.advance(5_000);
    publication.end();
    const sinceMs = clock.nowMs();
    expect(publishers.list()).toEqual([]);
    expect(publishers.waiting()).toEqual([
      { broadcast: 'live/demo', sinceMs, untilMs: sinceMs + graceMs, slate: false },
    ]);
    clock.advance(graceMs - 100);
    expect(events).toEqual(['+video', '+audio']);
    clock.advance(100);
    expect(events).toEqual(['+video', '+audio', '-video', '-audio']);
    expect(publishers.waiting()).toEqual([]);
  });

  it('goes on in a new epoch when the publisher is back within it', async () => {
    const { publish, publishers, clock, events, fragments } = publishersRig({ graceMs });
    const first = await publish('a');
    send(first, 'v5000 a5000 v5020-');
    first.end();
    clock.advance(graceMs - 100);
    const second = await publish('b');
    expect(publishers.waiting()).toEqual([]);
    expect(publishers.list()).toHaveLength(1);
    expect(publishers.returns).toBe(1);
    send(second, 'v0 a0 v20-');
    send(first, 'v5040-');
    clock.advance(2 * graceMs);
    expect(told(fragments)).toBe('v0@5000 a0@5000 v0@5020 v1@0 a1@0 v1@20');
    expect(events).toEqual(['+video', '+audio']);
  });

  it('can be taken up by another protocol and with other media', async () => {
    const { publish, events, fragments } = publishersRig({ graceMs });
    const first = await publish('a');
    send(first, 'v0 a0');
    first.end();
    const second = await publish('b', { protocol: 'ws' });
    const [video, audio] = [videoInit('other'), audioInit('other')];
    second.frame(video, frameAt(0));
    second.frame(audio, frameAt(0, 48_000));
    expect(fragments.slice(2).map(({ init, epoch }) => [init, epoch])).toEqual([
      [video, 1],
      [audio, 1],
    ]);
    expect(events).toEqual(['+video', '+audio']);
  });

  it('loses the sound of a publisher that comes back without, and gains that of one that has it', async () => {
    const { publish, clock, events } = publishersRig({ graceMs });
    const first = await publish('a');
    send(first, 'v0 a0');
    first.end();
    const second = await publish('b');
    clock.advance(2 * ADOPT_MS);
    // Only from its first frame on can it be known what it lacks.
    send(second, 'v0');
    expect(events).toEqual(['+video', '+audio']);
    clock.advance(ADOPT_MS);
    send(second, 'v2000');
    expect(events).toEqual(['+video', '+audio', '-audio']);
    second.end();
    send(await publish('c'), 'v0 a0');
    expect(events).toEqual(['+video', '+audio', '-audio', '+audio']);
  });

  it('is not given to anybody without the key', async () => {
    const { publish, publishers } = publishersRig({ graceMs });
    const first = await publish('a');
    send(first, 'v0');
    first.end();
    await expect(publish('b', { key: 'bad' })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    expect(publishers.waiting()).toHaveLength(1);
    expect(publishers.returns).toBe(0);
  });

  it('waits as well for a publisher that was cut off for its media', async () => {
    const { publish, publishers, events } = publishersRig({ graceMs });
    const publication = await publish('a');
    for (let n = 0; n <= PUBLICATION_LIMITS.maxEpochsPerMinute + 1; n += 1) send(publication, `v${n * 60_000}`);
    expect(events).toEqual(['+video', 'cut a BAD_MEDIA']);
    expect(publishers.waiting()).toHaveLength(1);
    send(await publish('a'), 'v0');
    expect(events).toEqual(['+video', 'cut a BAD_MEDIA']);
  });

  it('ends at once when an admin ends it, publishing or waiting', async () => {
    const { publish, publishers, events, clock } = publishersRig({ graceMs });
    send(await publish('a'), 'v0');
    expect(publishers.kick('live/demo')).toBe(true);
    expect(events).toEqual(['+video', 'cut a GONE', '-video']);
    const second = await publish('b');
    send(second, 'v0');
    second.end();
    expect(publishers.waiting()).toHaveLength(1);
    expect(publishers.kick('live/demo')).toBe(true);
    expect(events.slice(3)).toEqual(['+video', '-video']);
    expect([publishers.list(), publishers.waiting()]).toEqual([[], []]);
    expect(publishers.kick('live/demo')).toBe(false);
    clock.advance(2 * graceMs);
    expect(events).toHaveLength(5);
  });

  it('ends at the close of the server, and nothing ticks any more', async () => {
    const { publish, publishers, events, clock } = publishersRig({ graceMs });
    const publication = await publish('a');
    send(publication, 'v0');
    publication.end();
    await publishers.close();
    expect(events).toEqual(['+video', '-video']);
    expect(clock.pending).toBe(0);
  });

  it('does not wait if there never was any media', async () => {
    const { publish, publishers, events } = publishersRig({ graceMs });
    const publication = await publish('a');
    send(publication, 'v0- v20-');
    publication.end();
    expect([publishers.list(), publishers.waiting(), events]).toEqual([[], [], []]);
  });

  it('does not wait longer for publishers that come and deliver nothing', async () => {
    const { publish, publishers, events, clock } = publishersRig({ graceMs });
    const first = await publish('a');
    send(first, 'v0');
    first.end();
    const untilMs = publishers.waiting()[0]!.untilMs;
    for (let n = 0; n < 5; n += 1) {
      clock.advance(5_000);
      (await publish('idle')).end();
      expect(publishers.waiting()).toMatchObject([{ untilMs }]);
    }
    const late = await publish('late');
    clock.advance(graceMs);
    expect(events).toEqual(['+video']);
    late.end();
    expect(events).toEqual(['+video', '-video']);
  });

  it('waits on for the publisher before, if the one that took over delivered nothing', async () => {
    const { publish, publishers, events, clock } = publishersRig({ graceMs });
    send(await publish('a'), 'v0');
    clock.advance(3_000);
    (await publish('b')).end();
    expect(events).toEqual(['+video', 'cut a CONFLICT']);
    expect(publishers.waiting()).toHaveLength(1);
  });

  it('makes no room of live publishers its own, and gives its own to those that wait for less long', async () => {
    const { publish, publishers, clock } = publishersRig({ graceMs, maxPublishers: 2 });
    for (const name of ['one', 'two', 'three']) {
      const publication = await publish(name, { broadcast: `live/${name}` });
      send(publication, 'v0');
      clock.advance(1_000);
      publication.end();
    }
    expect(publishers.waiting().map(({ broadcast }) => broadcast)).toEqual(['live/two', 'live/three']);
    await publish('four', { broadcast: 'live/four' });
    await publish('five', { broadcast: 'live/five' });
    await expect(publish('six', { broadcast: 'live/six' })).rejects.toMatchObject({ code: 'LIMIT_REACHED' });
    await expect(publish('two', { broadcast: 'live/two' })).rejects.toMatchObject({ code: 'LIMIT_REACHED' });
  });

  it('counts its epochs on over its end', async () => {
    const { publish, fragments } = publishersRig();
    for (const who of ['a', 'b']) {
      const publication = await publish(who);
      send(publication, 'v60000 v0');
      publication.end();
    }
    expect(told(fragments)).toBe('v0@60000 v1@0 v2@60000 v3@0');
  });
});

describe('publishers that quarrel', () => {
  it('each begin an epoch, and the newest has the broadcast', async () => {
    const { publish, publishers, events, fragments } = publishersRig({ graceMs, takeover: 'always' });
    const all = [];
    for (let n = 0; n < 100; n += 1) {
      const publication = await publish(n % 2 === 0 ? 'a' : 'b');
      all.push(publication);
      for (const each of all) send(each, 'v0 a0');
    }
    expect(fragments.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 200 }, (_, n) => Math.floor(n / 2)));
    expect(events.filter((event) => !event.startsWith('cut'))).toEqual(['+video', '+audio']);
    expect(events.filter((event) => event.startsWith('cut'))).toHaveLength(99);
    expect(publishers.list()).toHaveLength(1);
    expect(publishers.waiting()).toEqual([]);
  });

  it('get the broadcast in turn where the one that sends is not to be disturbed', async () => {
    const { publish, clock, fragments } = publishersRig({ graceMs });
    let [winner, loser] = ['a', 'b'];
    for (let n = 0; n < 10; n += 1) {
      const publication = await publish(winner);
      send(publication, 'v0');
      await expect(publish(loser)).rejects.toMatchObject({ code: 'BUSY' });
      publication.end();
      clock.advance(500);
      [winner, loser] = [loser, winner];
    }
    expect(fragments.map(({ epoch }) => epoch)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('or one that comes back every 3 s leave no more behind than one broadcast that waits', async () => {
    const { publish, publishers, clock, events, fragments } = publishersRig({ graceMs });
    for (let n = 0; n < 20; n += 1) {
      const publication = await publish('a');
      for (let ms = 0; ms < 2_000; ms += 500) {
        send(publication, `v${ms} a${ms}`);
        clock.advance(500);
      }
      publication.end();
      clock.advance(1_000);
    }
    expect(events).toEqual(['+video', '+audio']);
    expect(publishers.returns).toBe(19);
    expect(fragments.at(-1)?.epoch).toBe(19);
    expect(publishers.waiting()).toHaveLength(1);
    clock.advance(graceMs);
    expect(events).toEqual(['+video', '+audio', '-video', '-audio']);
    expect(publishers.waiting()).toEqual([]);
  });
});

describe('media that changes without a reconnect', () => {
  it.each([
    ['picture size', { ...videoInit('1080p'), width: 1920, height: 1080 }],
    ['codec', { ...videoInit('hevc'), codec: 'hvc1.1.6.L93.B0' }],
    ['frame rate', { ...videoInit('60 fps'), frameRate: 60 }],
  ])('begins a new epoch with the first keyframe of the other %s, and sound follows', async (_, other) => {
    const { publish, events, fragments } = publishersRig({ graceMs });
    const publication = await publish('a');
    send(publication, 'v0 a0 v20-');
    publication.frame(other, frameAt(40, 90_000, false));
    publication.frame(other, frameAt(60));
    send(publication, 'a42');
    publication.frame(other, frameAt(80, 90_000, false));
    expect(told(fragments)).toBe('v0@0 a0@0 v0@20 v1@60 a1@42 v1@80');
    expect(fragments.at(-1)?.init).toBe(other);
    expect(events).toEqual(['+video', '+audio']);
  });
});
