import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { StreamPull } from '../../../src/ingest/pull/stream-pull.ts';
import type { PullStatus } from '../../../src/ingest/pull/puller.ts';
import type { PublishRequest } from '../../../src/ingest/publication.ts';
import type { Clock } from '../../../src/util/clock.ts';
import { AppError } from '../../../src/util/errors.ts';
import { silentLogger } from '../../../src/util/logger.ts';
import { until } from '../../support/poll.ts';
import { fastClock } from '../../support/pull-rig.ts';
import { type RecordedFrame, RecordedPublication } from '../../support/rtmp-gate.ts';
import { type ScriptedConnection, ScriptedFeed } from '../../support/scripted-feed.ts';
import { encodeTs, TS_AAC, TS_H264, TS_PICTURE, TS_TONE } from '../../support/transport-streams.ts';
import { testBinary } from '../../support/vod-heads.ts';

const SPEED = 10;
const BOTH = [...TS_PICTURE, ...TS_TONE, ...TS_H264, ...TS_AAC];

let five: Buffer;
beforeAll(async () => {
  five = await encodeTs(BOTH, { seconds: 5 });
});

let pull: StreamPull | undefined;
afterEach(() => pull?.close());

interface Run {
  readonly pull: StreamPull;
  readonly feed: ScriptedFeed;
  readonly clock: Clock;
  readonly publication: () => RecordedPublication;
  readonly states: PullStatus['state'][];
  readonly leftAtMs: number[];
}

function start(
  connections: (ScriptedConnection | undefined)[],
  { urls, refuse }: { urls?: string[]; refuse?: AppError } = {},
): Run {
  const clock = fastClock(SPEED);
  const feed = new ScriptedFeed(clock, connections, urls);
  const states: PullStatus['state'][] = [];
  const leftAtMs: number[] = [];
  let publication: RecordedPublication | undefined;
  const started: StreamPull = new StreamPull({
    ...{ feed, clock, broadcast: 'live/tv', binary: testBinary, burstMs: 1_000, logger: silentLogger },
    gate: {
      publish: (request: PublishRequest) => {
        if (refuse !== undefined) return Promise.reject(refuse);
        publication = new RecordedPublication(request);
        publication.onChange = () => leftAtMs.push(clock.nowMs());
        return Promise.resolve(publication);
      },
    },
    onChange: () => states.push(started.status().state),
  });
  pull = started;
  return { pull: started, feed, clock, publication: () => publication!, states, leftAtMs };
}

/** The ffmpeg that this process runs. */
function childPid(): number {
  const children = readdirSync('/proc/self/task').flatMap((task) =>
    readFileSync(`/proc/self/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
  return children.find((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'ffmpeg')!;
}

const live = (bytes: Buffer, then: ScriptedConnection['then'] = 'hang'): ScriptedConnection => ({
  bytes,
  seconds: 5,
  then,
});

function ticks({ init, frame }: RecordedFrame): number {
  return (frame.dts * 90_000) / init.timescale;
}

/** Steps from frame to frame in ticks of 90 kHz, rounded. */
function steps(frames: readonly RecordedFrame[]): number[] {
  return frames.slice(1).map((frame, index) => Math.round(ticks(frame) - ticks(frames[index]!)));
}

describe('StreamPull', () => {
  it('publishes a live stream as it comes, both tracks in step, over one connection', async () => {
    const { pull, feed, publication, states } = start([live(five)]);
    await until('frames', () => publication().video.length >= 115);
    expect(new Set(steps(publication().video))).toEqual(new Set([3_600]));
    expect(new Set(steps(publication().audio))).toEqual(new Set([1_920]));
    const apart = ticks(publication().audio[0]!) - ticks(publication().video[0]!);
    expect(Math.abs(apart)).toBeLessThan(10_000);
    expect(publication().request).toMatchObject({ broadcast: 'live/tv', key: undefined, protocol: 'pull' });
    expect(feed.opened).toHaveLength(1);
    expect(states[0]).toBe('live');
    expect(pull.status()).toMatchObject({
      ...{ state: 'live', address: 'test://first', failovers: 0, lastError: undefined },
      counters: { connections: 1, stretches: 1, droppedFrames: 0, skippedMs: 0 },
    });
    await pull.close();
    expect(publication().ended).toBe(true);
    expect([feed.closed, feed.openCount]).toEqual([true, 0]);
  });

  it('lets a recording that comes at once leave in real time, and ends with it', async () => {
    const { pull, publication, leftAtMs, states } = start([
      { bytes: five, seconds: 0, then: 'end', isRecording: true },
    ]);
    await pull.done;
    expect(states.at(-1)).toBe('ended');
    expect(publication().video).toHaveLength(125);
    expect(publication().ended).toBe(true);
    // All but the burst; the machine may take longer.
    expect(leftAtMs.at(-1)! - leftAtMs[0]!).toBeGreaterThan(3_000);
  });

  it('connects again when a stream ends, breaks, falls silent or does not open; times never go back', async () => {
    const second = await encodeTs(BOTH, { seconds: 2, startS: 3 });
    const quick = (then: ScriptedConnection['then']): ScriptedConnection => ({ bytes: second, seconds: 2, then });
    const { pull, feed, publication, states } = start([
      live(five, 'end'),
      quick('break'),
      quick('hang'),
      undefined,
      quick('hang'),
    ]);
    await until('all connections', () => publication().video.length >= 125 + 3 * 45, 20_000);
    expect(feed.opened).toHaveLength(5);
    for (const frames of [publication().video, publication().audio]) {
      expect(Math.min(...steps(frames))).toBeGreaterThan(0);
    }
    expect(publication().discontinuities).toHaveLength(3);
    expect(publication().ended).toBe(false);
    expect(states).toContain('waiting');
    expect(pull.status().counters).toMatchObject({ connections: 4, stretches: 4 });
  });

  it('takes the next address after failures in a row, and tells why without telling where', async () => {
    const broken: ScriptedConnection = { bytes: five.subarray(0, 30_000), seconds: 0, then: 'break' };
    const { pull, feed, publication } = start([broken, broken, live(five)], {
      urls: ['test://first', 'test://second'],
    });
    await until('frames', () => publication().video.length >= 50);
    expect(feed.opened).toEqual(['test://first', 'test://first', 'test://second']);
    expect(pull.status()).toMatchObject({ failovers: 1, address: 'test://second', lastError: 'the connection broke' });
  });

  it('gives up an address that gives something else, or nothing that can be used', async () => {
    const html: ScriptedConnection = { bytes: Buffer.alloc(3 << 20, '<html>'), seconds: 0, then: 'end' };
    const encrypted = Buffer.from(five);
    for (let at = 0; at < encrypted.length; at += 188) {
      if ((encrypted.readUInt16BE(at + 1) & 0x1fff) >= 0x100) encrypted[at + 3] = encrypted[at + 3]! | 0x80;
    }
    const { pull, feed, publication } = start([html, live(encrypted), live(five)]);
    const errors = new Set<string | undefined>();
    await until('frames', () => {
      errors.add(pull.status().lastError);
      return publication().video.length >= 50;
    });
    expect(feed.opened).toHaveLength(3);
    expect([...errors].join(' | ')).toMatch(/no MPEG transport stream.*encrypted/s);
  });

  it('begins a new stretch where times jump in mid-stream', async () => {
    const later = await encodeTs(BOTH, { seconds: 2, startS: 1_000 });
    const { publication } = start([{ bytes: Buffer.concat([five, later]), seconds: 7, then: 'hang' }]);
    await until('frames', () => publication().video.length >= 125 + 45);
    expect(publication().discontinuities).toHaveLength(1);
    const all = steps(publication().video);
    expect(Math.min(...all)).toBeGreaterThan(0);
    expect(Math.max(...all)).toBeLessThan(90_000);
  });

  it('skips to the live edge of a stream that is far ahead, and says how much that was', async () => {
    const bytes = await encodeTs(BOTH, { seconds: 32 });
    const cut = Math.floor((bytes.length * 24) / 32 / 188) * 188;
    const { pull, publication, clock, leftAtMs } = start([
      { backlog: bytes.subarray(0, cut), bytes: bytes.subarray(cut), seconds: 8, then: 'hang' },
    ]);
    // The last few frames would come with what follows them.
    await until(
      'its end',
      () => pull.status().counters['bytes'] === bytes.length && clock.nowMs() - leftAtMs.at(-1)! > 3_000,
    );
    const last = publication().video.at(-1)!;
    const skippedMs = pull.status().counters['skippedMs']!;
    // A machine that is busy may see the edge too early; it then skips again.
    expect(skippedMs).toBeGreaterThan(1_000);
    expect(publication().discontinuities.length).toBeGreaterThanOrEqual(1);
    expect(Math.min(...steps(publication().video))).toBeGreaterThan(0);
    const playedMs = (ticks(last) - ticks(publication().video[0]!)) / 90;
    expect(Math.abs(playedMs + skippedMs - 32_000)).toBeLessThan(3_000);
  });

  it('reads no further than it can send while a stream comes faster than real time, for ever', async () => {
    const { pull, feed } = start([{ bytes: five, seconds: 0, then: 'repeat' }]);
    const bytes = (): number => pull.status().counters['bytes'] ?? 0;
    await until('it to be full', () => bytes() > 2 * five.length);
    const before = bytes();
    const clock = fastClock(SPEED);
    const fromMs = clock.nowMs();
    await until('ten seconds of it', () => clock.nowMs() - fromMs > 10_000);
    // Each repetition is a break that costs a second; skipping would read hundreds of them.
    expect(bytes() - before).toBeLessThan(20 * five.length);
    expect(feed.opened).toHaveLength(1);
  });

  it('fails if it may not publish, or is cut off, and says why', async () => {
    const refused = start([live(five)], { refuse: new AppError('BUSY', 'another publisher has it') });
    await refused.pull.done;
    expect(refused.pull.status()).toMatchObject({ state: 'failed', lastError: 'another publisher has it' });
    expect(refused.feed).toMatchObject({ opened: [], closed: true });

    const cut = start([live(five)]);
    await until('frames', () => cut.publication().video.length > 10);
    cut.publication().request.disconnect(new AppError('GONE', 'an admin ended it'));
    await cut.pull.done;
    expect(cut.pull.status()).toMatchObject({ state: 'failed', lastError: 'an admin ended it' });
    expect(cut.feed).toMatchObject({ openCount: 0, closed: true });
    expect(cut.publication().ended).toBe(true);
  });

  it('goes on with another ffmpeg when one is stuck, and closes while one is', async () => {
    const bytes = await encodeTs([...BOTH, '-b:v', '2M', '-maxrate', '2M', '-minrate', '2M', '-bufsize', '1M'], {
      seconds: 15,
    });
    const { pull, feed, publication } = start([{ bytes, seconds: 15, then: 'hang' }, live(five)]);
    await until('frames', () => publication().video.length > 25);
    process.kill(childPid(), 'SIGSTOP');
    await until('another connection', () => feed.opened.length === 2);
    expect(pull.status().lastError).toMatch(/ffmpeg did not go on/);
    const before = publication().video.length;
    await until('more frames', () => publication().video.length > before + 25);
    process.kill(childPid(), 'SIGSTOP');
    await pull.close();
    expect(feed).toMatchObject({ openCount: 0, closed: true });
  });

  it('closes whatever it is doing', async () => {
    for (const connections of [[], [undefined], [live(Buffer.alloc(0))], [{ ...live(five), seconds: 0 }]]) {
      const { pull, feed } = start(connections);
      await until('its start', () => feed.opened.length > 0);
      await Promise.all([pull.close(), pull.close()]);
      await pull.done;
      expect(feed.openCount).toBe(0);
    }
  });
});
