import { fetchMediaPlaylist, fetchMultivariant, type ListedSegment } from '../support/hls-client.ts';
import { until } from '../support/poll.ts';
import { makeMedia } from '../support/upstream/made-media.ts';
import { ScriptedChannel } from '../support/upstream/scripted-channel.ts';
import type { ScriptedSegment } from '../support/upstream/scripted-playlist.ts';
import { UpstreamServer } from '../support/upstream/upstream-server.ts';
import { type Measurement, quantile } from './measure.ts';
import { ServerProcess } from './server-process.ts';

const LATENCY_MS = 300;
const LINK_BITS = 8_000_000;
const SEGMENT_MS = 2_000;
/** Of the default ladder, for a picture of 480 lines. */
const RUNGS = 3;
const LINK = `upstream: ${LATENCY_MS} ms and ${LINK_BITS / 1e6} Mbit/s, ${SEGMENT_MS / 1_000} s segments`;

/** A remote channel behind a slow link: relayed to one and to many players, and as a ladder. */
export async function measurePull(): Promise<Measurement[]> {
  return [...(await sequential()), ...(await manyViewers()), ...(await firstSegments())];
}

/** A server and an upstream that is as far away as the internet is. */
async function withUpstream<T>(task: (server: ServerProcess, upstream: UpstreamServer) => Promise<T>): Promise<T> {
  const upstream = await UpstreamServer.start();
  const server = await ServerProcess.start();
  try {
    upstream.rule(/^/, { delayMs: LATENCY_MS });
    upstream.link.bytesPerSecond = LINK_BITS / 8;
    return await task(server, upstream);
  } finally {
    await server.close();
    await upstream.close();
  }
}

/** A live channel of meaningless bytes, of which the window is there already; it ends after the last segment. */
function relayedChannel(upstream: UpstreamServer, segments: number, bytes: number): ScriptedChannel {
  const media: ScriptedSegment[] = Array.from({ length: segments }, (_, index) => ({
    ...{ bytes: Buffer.alloc(bytes, index), durationMs: SEGMENT_MS },
  }));
  const attributes = 'BANDWIDTH=2000000';
  return new ScriptedChannel(upstream, '/live', [{ name: 'v0', media, attributes }]).advance(6).run();
}

/** One player that stays three segments behind the edge, until the end. */
function sequential(): Promise<Measurement[]> {
  return withUpstream(async (server, upstream) => {
    const channel = relayedChannel(upstream, 24, 500_000);
    const firstBytesMs: number[] = [];
    let received = 0;
    const play = playRelay(server, channel, async (url) => {
      const { firstByteMs, bytes } = await fetchTimed(url);
      firstBytesMs.push(firstByteMs);
      received += bytes;
    });
    await until('the last segment', () => channel.playlist().left === 0, 120_000);
    channel.end();
    await play;
    const sent = upstream.requests(/\.ts$/).length * 500_000;
    const later = firstBytesMs.slice(3);
    const quantiles = [0, 1, 2].map((index) => firstBytesMs[index]!.toFixed(0)).join(', ');
    return [
      {
        name: 'relay: first byte of sequential segments, p95',
        ...{ value: quantile(later, 0.95), unit: 'ms', goal: 15 },
        note: `p50 ${quantile(later, 0.5).toFixed(1)} ms of ${later.length} after the first three (${quantiles} ms); ${LINK}`,
      },
      {
        name: 'relay: fetched but not watched',
        ...{ value: (1 - received / sent) * 100, unit: '%', goal: 10 },
        note: `${firstBytesMs.length} segments watched to the end`,
      },
    ];
  });
}

/** A hundred players of one channel. */
function manyViewers(): Promise<Measurement[]> {
  return withUpstream(async (server, upstream) => {
    const channel = relayedChannel(upstream, 14, 250_000);
    let served = 0;
    const viewers = Array.from({ length: 100 }, () =>
      playRelay(server, channel, async (url) => {
        await fetchTimed(url);
        served += 1;
      }),
    );
    await until('the last segment', () => channel.playlist().left === 0, 120_000);
    channel.end();
    await Promise.all(viewers);
    const paths = upstream.requests(/\.ts$/).map(({ path }) => path);
    return [
      {
        name: 'relay: upstream requests per segment, 100 viewers',
        ...{ value: paths.length / new Set(paths).size, unit: '', goal: 1.001 },
        note: `${served} segments served, ${paths.length} fetched; one each is what we want`,
      },
    ];
  });
}

/** Plays a relay as players do: from three segments behind the edge, a segment as soon as it is listed. */
async function playRelay(
  server: ServerProcess,
  channel: ScriptedChannel,
  fetchSegment: (url: string) => Promise<void>,
): Promise<void> {
  // Whoever comes first registers it; the others are told that it is there.
  await server.admin('POST', '/api/v1/sources', { name: 'bench', mode: 'relay', url: channel.url });
  const multivariant = await until('the relay', () => fetchMultivariant(`${server.httpUrl}/relay/bench/index.m3u8`));
  const { url } = multivariant.variants[0]!;
  const load = async (): Promise<{ segments: readonly ListedSegment[]; ended: boolean }> =>
    until('the playlist', () => fetchMediaPlaylist(url));
  let { segments, ended } = await load();
  const edge = segments.at(-1)!.msn;
  let next = edge - 2;
  let startedMs: number | undefined;
  const firstNumber = next;
  for (;;) {
    for (const segment of segments.filter(({ msn }) => msn >= next)) {
      await fetchSegment(segment.url);
      next = segment.msn + 1;
      startedMs ??= performance.now();
    }
    if (ended) return;
    // The buffer holds three segments: the next is asked for when one of them has been played.
    const dueMs = startedMs! + (next - firstNumber - 2) * SEGMENT_MS;
    await new Promise((resolve) => setTimeout(resolve, Math.max(SEGMENT_MS / 4, dueMs - performance.now())));
    ({ segments, ended } = await load());
  }
}

async function fetchTimed(url: string): Promise<{ firstByteMs: number; bytes: number }> {
  const startedMs = performance.now();
  const reply = await fetch(url);
  if (!reply.ok || reply.body === null) throw new Error(`${url}: ${reply.status}`);
  let [firstByteMs, bytes] = [Number.NaN, 0];
  for await (const piece of reply.body as AsyncIterable<Uint8Array>) {
    if (bytes === 0) firstByteMs = performance.now() - startedMs;
    bytes += piece.length;
  }
  return { firstByteMs, bytes };
}

/** From the request for a ladder until every rung has a segment. */
function firstSegments(): Promise<Measurement[]> {
  return withUpstream(async (server, upstream) => {
    const media = await makeMedia({ seconds: 40, segmentSeconds: SEGMENT_MS / 1_000, size: '854x480' });
    const channel = new ScriptedChannel(upstream, '/live', [{ name: 'v0', media }]).advance(6).run();
    const startedMs = performance.now();
    await server.admin('POST', '/api/v1/sources', { name: 'bench', mode: 'ladder', url: channel.url });
    const multivariant = await until('the rungs', async () => {
      const listed = await fetchMultivariant(`${server.httpUrl}/hls/live/bench/index.m3u8`);
      return (listed?.variants.length ?? 0) >= RUNGS && listed;
    });
    const rungs = await Promise.all(
      multivariant.variants.map(async ({ url }) => {
        await until('a segment', async () => ((await fetchMediaPlaylist(url))?.segments.length ?? 0) > 0);
        return (performance.now() - startedMs) / 1_000;
      }),
    );
    channel.stop();
    const target = SEGMENT_MS / 1_000;
    return [
      {
        name: 'ladder: first segment of every rung',
        ...{ value: Math.max(...rungs), unit: 's', goal: target + 2 },
        note: `from POST, ${rungs.length} rungs of 480p25 at ${(media.bitsPerSecond / 1e6).toFixed(1)} Mbit/s; ${LINK}`,
      },
    ];
  });
}
