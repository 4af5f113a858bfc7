import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import type { SourceEntry } from '../../src/config/source-entry.ts';
import type { SourcePuller } from '../../src/sources/ladder-run.ts';
import type { RunStatus } from '../../src/sources/source-run.ts';
import { SourceRuns } from '../../src/sources/source-runs.ts';
import { deferred } from '../../src/util/deferred.ts';
import { AppError } from '../../src/util/errors.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { ManualClock } from '../support/manual-clock.ts';

class FakePuller implements SourcePuller {
  readonly what: string;
  readonly over = deferred();
  readonly done = this.over.promise;
  closed = 0;
  told: RunStatus = { state: 'starting', failovers: 0, counters: {} };

  constructor(what: string) {
    this.what = what;
  }

  readonly status = (): RunStatus => this.told;

  close(): Promise<void> {
    this.closed += 1;
    this.over.resolve();
    return Promise.resolve();
  }

  end(told: Partial<RunStatus>): void {
    this.told = { ...this.told, ...told };
    this.over.resolve();
  }
}

const url = 'http://127.0.0.1/live.m3u8';
const { signal } = new AbortController();
let clock: ManualClock;
let upstream: FakeUpstream;
let pullers: FakePuller[];
let opened: object[];
let playable: boolean;
let changes: number;
let channels: { viewers: number; closed: number; close(): Promise<void> }[];
let runs: SourceRuns<FakeUpstream, (typeof channels)[number]>;

beforeEach(() => {
  clock = new ManualClock();
  upstream = new FakeUpstream({ hits: 5, failovers: 3 });
  [pullers, opened, channels, playable, changes] = [[], [], [], false, 0];
  const pull = (what: string): FakePuller => {
    const puller = new FakePuller(what);
    pullers.push(puller);
    return puller;
  };
  runs = new SourceRuns({
    openUpstream: (spec) => {
      opened.push(spec);
      return upstream;
    },
    pullPlaylists: (_upstream, { broadcast }) => pull(`playlists of ${broadcast}`),
    pullStream: (_upstream, { broadcast }) => pull(`stream of ${broadcast}`),
    pullProtocol: (addresses, { broadcast }) => pull(`${addresses.join()} of ${broadcast}`),
    openFilm: (address, user) =>
      address === url
        ? Promise.resolve({ playlist: `/vod/${user}/index.m3u8`, watch: '/watch/vod/1' })
        : Promise.reject(new AppError('BAD_MEDIA', 'it is no film')),
    openChannel: () => {
      const channel = {
        viewers: 4,
        closed: 0,
        close: () => {
          channel.closed += 1;
          return Promise.resolve();
        },
      };
      channels.push(channel);
      return channel;
    },
    isPlayable: () => playable,
    viewers: () => 7,
    ...{ clock, logger: silentLogger },
  });
});

const request = (entry: Partial<SourceEntry>, liveOnly = false) => ({
  entry: { name: 'tv', mode: 'ladder', url, ...entry } as SourceEntry,
  ...{ broadcast: 'live/tv', liveOnly, onChange: () => void (changes += 1) },
});

describe('a ladder run', () => {
  it.each([
    ['hls', {}, 'playlists of live/tv'],
    ['mpegts', {}, 'stream of live/tv'],
    ['mpegts', { recorded: 'film' }, 'stream of live/tv'],
  ] as const)('of %s %j pulls %s', async (kind, entry, what) => {
    const run = runs.ladder(request({ ...entry, userAgent: 'TV', maxConnections: 2 }));
    expect(opened).toEqual([{ urls: [url], headers: undefined, userAgent: 'TV', maxConnections: 2 }]);
    upstream.found.resolve(kind);
    await turn();
    expect(pullers.map((puller) => puller.what)).toEqual([what]);
    expect(run.viewers()).toBe(7);
    await run.close();
    expect([pullers[0]?.closed, upstream.releases]).toEqual([1, 1]);
    await run.done;
  });

  it('of other protocols needs no upstream', async () => {
    const run = runs.ladder(request({ url: undefined, urls: ['rtsp://a/', 'rtsp://b/'] } as never));
    await turn();
    expect(opened).toEqual([]);
    expect(pullers[0]?.what).toBe('rtsp://a/,rtsp://b/ of live/tv');
    pullers[0]?.end({ state: 'failed', lastError: 'nobody answers' });
    await run.done;
    expect(run.status()).toMatchObject({ state: 'failed', lastError: 'nobody answers' });
  });

  it('tells what upstream and puller did since it began', async () => {
    const run = runs.ladder(request({}));
    upstream.found.resolve('hls');
    await turn();
    expect(run.status()).toEqual({
      ...{ state: 'starting', address: 'a', failovers: 0, lastError: undefined, counters: { hits: 0 } },
    });
    upstream.change({ failovers: 4, lastError: 'it answered 503', counters: { hits: 8 } });
    const before = changes;
    upstream.change({ address: 'b' });
    expect(changes).toBe(before + 1);
    // A puller tells all that a shared upstream ever did.
    const counters = { hits: 8, failovers: 4, skips: 2 };
    pullers[0]!.told = { state: 'live', failovers: 4, address: 'b', counters };
    expect(run.status()).toEqual({
      ...{ state: 'live', address: 'b', failovers: 1, lastError: 'it answered 503', counters: { hits: 3, skips: 2 } },
    });
    pullers[0]!.end({ state: 'ended' });
    await run.done;
    expect(run.status().state).toBe('ended');
  });

  it('is ready once its broadcast can be played, and never if it fails before', async () => {
    const run = runs.ladder(request({}));
    upstream.found.resolve('hls');
    await turn();
    const ready = run.ready(signal);
    clock.advance(100);
    await turn();
    playable = true;
    clock.advance(100);
    await ready;
    playable = false;
    const never = run.ready(signal);
    pullers[0]!.end({ state: 'failed', lastError: 'it is encrypted' });
    await expect(never).rejects.toMatchObject({ code: 'UNAVAILABLE', message: 'it is encrypted' });
  });

  it('fails if nobody can tell what the source is', async () => {
    const run = runs.ladder(request({}));
    upstream.found.reject(new AppError('BAD_MEDIA', 'it is a web page'));
    await run.done;
    expect(run.status()).toMatchObject({ state: 'failed', lastError: 'it is a web page' });
    expect(upstream.releases).toBe(1);
  });

  it('ends while it is still being found out what it is', async () => {
    const run = runs.ladder(request({}));
    await Promise.all([run.close(), run.done]);
    expect([pullers.length, upstream.releases]).toEqual([0, 1]);
  });

  it('of a recording is a film if that is wanted', async () => {
    const run = runs.ladder(request({ recorded: 'film', user: 'ann' }));
    upstream.found.resolve('hls');
    await turn();
    expect(upstream.follows).toBe(1);
    upstream.says({ ended: true, isRecorded: true });
    await run.done;
    expect(run.status()).toMatchObject({
      ...{ state: 'film', film: { playlist: '/vod/ann/index.m3u8', watch: '/watch/vod/1' } },
    });
    await run.ready(signal);
    expect([pullers.length, upstream.follows, upstream.releases]).toEqual([0, 0, 1]);
  });

  it.each([
    ['a film that is live', { recorded: 'film' }, false, { isRecorded: false }, 1],
    ['one that had ended and is live again', {}, true, { ended: false }, 1],
    ['one that has still ended', {}, true, { ended: true }, 0],
  ] as const)('of %s publishes it or not', async (_what, entry, liveOnly, state, expected) => {
    const run = runs.ladder(request(entry, liveOnly));
    upstream.found.resolve('hls');
    await turn();
    upstream.says(state);
    await turn();
    expect(pullers).toHaveLength(expected);
    if (expected === 0) expect(run.status().state).toBe('ended');
    await run.close();
  });
});

describe('a relay run', () => {
  it('on demand asks nothing more than what the source is', async () => {
    const run = runs.relay(request({ mode: 'relay', onDemand: true }));
    const ready = run.ready(signal);
    upstream.found.resolve('hls');
    await ready;
    expect([run.status().state, run.viewers(), upstream.follows]).toEqual(['live', 4, 0]);
    upstream.change({ state: 'failing', lastError: 'it answered 503' });
    expect(run.status()).toMatchObject({ state: 'waiting', lastError: 'it answered 503' });
    upstream.change({ state: 'ended' });
    expect(run.status().state).toBe('ended');
    await Promise.all([run.close(), run.done]);
    expect(upstream.releases).toBe(1);
    expect(channels[0]?.closed).toBeGreaterThan(0);
  });

  it('that is always on follows its source, through failures and beyond its end', async () => {
    const run = runs.relay(request({ mode: 'relay' }));
    upstream.found.resolve('hls');
    await turn();
    expect(upstream.follows).toBe(1);
    upstream.says({ version: 2 });
    await turn();
    upstream.says(new AppError('UNAVAILABLE', 'all addresses have failed'));
    await turn();
    expect(upstream.follows).toBe(0);
    clock.advance(1_000);
    await turn();
    expect(upstream.follows).toBe(1);
    upstream.says({ ended: true });
    await turn();
    expect(run.status().state).toBe('ended');
    clock.advance(59_000);
    await turn();
    expect(upstream.follows).toBe(0);
    clock.advance(1_000);
    await turn();
    expect(upstream.follows).toBe(1);
    upstream.says({ version: 3 });
    await turn();
    expect(run.status().state).toBe('live');
    await Promise.all([run.close(), run.done]);
    expect(upstream.follows).toBe(0);
  });

  it.each([
    ['a continuous stream', 'mpegts', 'use the mode "ladder"'],
    ['nothing that answers', new AppError('UNAVAILABLE', 'nobody answers'), 'nobody answers'],
  ] as const)('of %s fails', async (_what, found, message) => {
    const run = runs.relay(request({ mode: 'relay' }));
    if (typeof found === 'string') upstream.found.resolve(found);
    else upstream.found.reject(found);
    await expect(run.ready(signal)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await run.done;
    expect(run.status()).toMatchObject({ state: 'failed', lastError: expect.stringContaining(message) as string });
    expect(upstream.releases).toBe(1);
  });
});
