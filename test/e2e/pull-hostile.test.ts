import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fetchMediaPlaylist, fetchMultivariant, fetchText } from '../support/hls-client.ts';
import { LiveServer } from '../support/live-server.ts';
import { heldBufferBytes } from '../support/memory.ts';
import { until } from '../support/poll.ts';
import { putHostilePlaylists } from '../support/upstream/hostile-playlists.ts';
import { ScriptedChannel } from '../support/upstream/scripted-channel.ts';
import { UpstreamServer } from '../support/upstream/upstream-server.ts';

const MIB = 1 << 20;
/** A parser that a hostile playlist stops stands still for much longer, also on a fast machine. */
const HELD_UP_MS = 10_000;
/** Of the pool of fetched segments. */
const MEMORY_MB = 64;
/** Of the sources here all may be fetched from, but not its neighbour, which the operator did not name. */
const SETTINGS = `
allowPrivate = ["127.0.0.1/32"]
[pull]
maxActive = 100
maxPerHost = 64
failuresBeforeNext = 1
memoryMb = ${MEMORY_MB}
`;

interface SourceAnswer {
  readonly name: string;
  readonly state: string;
  readonly lastError?: { readonly message: string };
}

/** Upstreams that mean harm, all of them at a time, as ladders and as relays. */
describe('hostile upstreams', () => {
  let upstream: UpstreamServer;
  let neighbour: UpstreamServer;
  let friend: UpstreamServer;
  let good: ScriptedChannel;
  let server: LiveServer;
  let names: string[];
  let startBytes: number;
  let mostBytes = 0;
  let sampling: NodeJS.Timeout;
  let watching: Promise<{ segments: number; longestMs: number }>;
  const stopped = new AbortController();
  const loopDelay = monitorEventLoopDelay();

  const sources = async (mode: string): Promise<SourceAnswer[]> => {
    const all = (await (await server.api('GET', 'sources')).json()) as SourceAnswer[];
    return all.filter(({ name }) => name.startsWith(`${mode}-`) && !name.endsWith('-good'));
  };

  beforeAll(async () => {
    [upstream, neighbour] = [await UpstreamServer.start(), await UpstreamServer.start('127.0.0.2')];
    names = putHostilePlaylists(upstream, neighbour.url(''));
    const media = Array.from({ length: 60 }, (_, index) => ({
      bytes: Buffer.alloc(100_000, index),
      durationMs: 1_000,
    }));
    friend = await UpstreamServer.start();
    good = new ScriptedChannel(friend, '/good', [{ name: 'v0', media, attributes: 'BANDWIDTH=800000' }]);
    good.advance(6).run();
    server = await LiveServer.start({ settings: SETTINGS });
    await server.api('POST', 'sources', { name: 'relay-good', mode: 'relay', url: good.url });
    watching = watch(`${server.app.httpUrl}/relay/relay-good/index.m3u8`, stopped.signal);
    startBytes = heldBufferBytes();
    sampling = setInterval(() => (mostBytes = Math.max(mostBytes, heldBufferBytes())), 1_000);
    loopDelay.enable();
    for (const mode of ['ladder', 'relay']) {
      for (const name of names) {
        const url = upstream.url(`/${name}/index.m3u8`);
        expect((await server.api('POST', 'sources', { name: `${mode}-${name}`, mode, url })).status).toBe(201);
      }
    }
  });

  afterAll(async () => {
    stopped.abort();
    clearInterval(sampling);
    good.stop();
    await server.close();
    await upstream.close();
    await neighbour.close();
    await friend.close();
  });

  it('give viewers of a relay nothing', async () => {
    const settled = await until('each to be known', async () => {
      const all = await sources('relay');
      return all.every(({ state, lastError }) => state === 'live' || lastError !== undefined) && all;
    });
    // The others have nothing that could be asked for.
    const asked = settled.filter(({ state }) => state === 'live' || state === 'waiting').map(({ name }) => name);
    expect(asked.length).toBeGreaterThan(5);
    const answers = await Promise.all(asked.map(async (name) => [name, await served(name)] as const));
    // What is in segments only players can tell.
    const noisy = ['relay-init-inside', 'relay-key-inside', 'relay-noise'];
    expect(
      answers
        .filter(([, files]) => files.length > 0)
        .map(([name]) => name)
        .sort(),
    ).toEqual(noisy);
    const all = answers.flatMap(([, files]) => files);
    expect(all.filter((file) => /-init\.|\.key/.test(file))).toEqual([]);
  });

  it('are told apart by what is wrong with them, without a word of theirs', async () => {
    const failed = await until('an error of each', async () => {
      const all = await sources('ladder');
      return all.every(({ lastError }) => lastError !== undefined) && all;
    });
    expect(failed.length).toBe(names.length);
    expect(failed.filter(({ state }) => state === 'live')).toEqual([]);
    const messages = failed.map(({ lastError }) => lastError!.message).join('\n');
    expect(messages).not.toMatch(/Internal page|passwd|ECONN|undici/);
  });

  it('do not lead the server to a forbidden address', () => {
    expect(neighbour.log).toEqual([]);
  });

  it('leave other channels alone', async () => {
    stopped.abort();
    const { longestMs, segments } = await watching;
    expect(segments).toBeGreaterThan(3);
    expect(longestMs).toBeLessThan(HELD_UP_MS);
  });

  it('cost bounded memory and never hold up the server', () => {
    expect((mostBytes - startBytes) / MIB).toBeLessThan(2 * MEMORY_MB);
    expect(loopDelay.max / 1e6).toBeLessThan(HELD_UP_MS);
  });

  /** The files that a relay gives to somebody who asks for everything in its playlists. */
  async function served(name: string): Promise<string[]> {
    const url = `${server.app.httpUrl}/relay/${name}/index.m3u8`;
    const multivariant = await fetchMultivariant(url);
    const lists = (multivariant?.variants ?? []).map((variant) => variant.url);
    const files = await Promise.all(lists.map((list) => filesOf(list)));
    const found = await Promise.all(
      files.flat().map(async (file) => {
        const reply = await fetch(file).catch(() => undefined);
        return reply?.status === 200 && (await isWhole(reply)) ? [file] : [];
      }),
    );
    return found.flat();
  }
});

async function filesOf(list: string): Promise<string[]> {
  const text = (await fetchText(list)) ?? '';
  const quoted = [...text.matchAll(/URI="([^"]+)"/g)].map(([, uri]) => uri!);
  const plain = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return [...quoted, ...plain].map((uri) => new URL(uri, list).href);
}

/** Reads an answer to its end, and forgets it. */
async function isWhole(reply: Response): Promise<boolean> {
  try {
    await reply.body?.pipeTo(new WritableStream());
    return true;
  } catch {
    return false;
  }
}

/** Plays a channel as players do; tells how many segments it showed, and for how long a viewer waited at most. */
async function watch(url: string, signal: AbortSignal): Promise<{ segments: number; longestMs: number }> {
  const seen = new Set<string>();
  let longestMs = 0;
  while (!signal.aborted) {
    const startMs = performance.now();
    const multivariant = await fetchMultivariant(url);
    const playlist = await fetchMediaPlaylist(multivariant!.variants[0]!.url);
    const newest = playlist!.segments.at(-1)!.url;
    if ((await (await fetch(newest)).arrayBuffer()).byteLength === 100_000) seen.add(newest);
    longestMs = Math.max(longestMs, performance.now() - startMs);
    await delay(250);
  }
  return { segments: seen.size, longestMs };
}
