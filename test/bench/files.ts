import { execFile } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { fetchMediaPlaylist, fetchMultivariant, type ListedSegment } from '../support/hls-client.ts';
import { until } from '../support/poll.ts';
import { type Measurement, quantile } from './measure.ts';
import { ServerProcess } from './server-process.ts';

const run = promisify(execFile);
const SECONDS = 60;
const NOTE = `${SECONDS} s of 1080p24 H.264/AAC with B-frames, 480p rung`;

/** How often ffmpeg was started for segments, and how many run. */
interface VodFigures {
  readonly headsStarted: number;
  readonly headsRunning: number;
}

/** A film from the media folder: first and second play, seeks into gaps and into what is encoded, many viewers. */
export async function measureFiles(): Promise<Measurement[]> {
  const server = await ServerProcess.start();
  try {
    await makeFilm(path.join(server.mediaFolder, 'film.mp4'));
    const measurements = [...(await firstAndSecondPlay(server)), ...(await seeks(server))];
    return [...measurements, ...(await manyViewers(server))];
  } finally {
    await server.close();
  }
}

async function makeFilm(file: string): Promise<void> {
  const video = `testsrc2=size=1920x1080:rate=24:duration=${SECONDS},noise=alls=12:allf=t`;
  await run('ffmpeg', [
    ...[
      '-v',
      'error',
      '-f',
      'lavfi',
      '-i',
      video,
      '-f',
      'lavfi',
      '-i',
      `sine=440:duration=${SECONDS}:sample_rate=48000`,
    ],
    ...['-c:v', 'libx264', '-preset', 'veryfast', '-bf', '3', '-g', '48', '-b:v', '8M', '-pix_fmt', 'yuv420p'],
    ...['-c:a', 'aac', '-ac', '2', file],
  ]);
}

async function open(server: ServerProcess, body: object = {}): Promise<string> {
  const reply = await server.admin('POST', '/api/v1/vod', { source: 'film.mp4', ...body });
  const { playlist } = (await reply.json()) as { playlist: string };
  return `${server.httpUrl}${playlist}`;
}

/** The segments of a rung as a player finds them. */
async function segmentsOf(server: ServerProcess, height: number, body: object = {}): Promise<readonly ListedSegment[]> {
  const multivariant = await fetchMultivariant(await open(server, body));
  const rung = multivariant?.variants.find(({ attributes }) => attributes['RESOLUTION']?.endsWith(`x${height}`));
  return (await fetchMediaPlaylist(rung?.url ?? ''))?.segments ?? [];
}

async function fetchAll(url: string): Promise<number> {
  const reply = await fetch(url);
  if (!reply.ok) throw new Error(`${url}: ${reply.status} ${await reply.text()}`);
  return (await reply.arrayBuffer()).byteLength;
}

/** Seconds until the first byte of the media is there; the rest is read as well. */
async function secondsToFirstByte(url: string): Promise<number> {
  const startedMs = performance.now();
  const reply = await fetch(url);
  if (!reply.ok || reply.body === null) throw new Error(`${url}: ${reply.status}`);
  let seconds: number | undefined;
  for await (const piece of reply.body as AsyncIterable<Uint8Array>) {
    if (piece.length > 0) seconds ??= (performance.now() - startedMs) / 1000;
  }
  return seconds ?? Number.NaN;
}

async function secondsFor(task: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await task();
  return (performance.now() - startedMs) / 1000;
}

async function play(server: ServerProcess, onFirst: (seconds: number) => void = () => undefined): Promise<void> {
  const startedMs = performance.now();
  const segments = await segmentsOf(server, 480);
  await fetchAll(segments[0]!.mapUrl);
  for (const [index, { url }] of segments.entries()) {
    await fetchAll(url);
    if (index === 0) onFirst((performance.now() - startedMs) / 1000);
  }
}

async function firstAndSecondPlay(server: ServerProcess): Promise<Measurement[]> {
  let firstSegmentS = 0;
  const firstS = await secondsFor(() => play(server, (seconds) => (firstSegmentS = seconds)));
  const { headsStarted } = await figures(server);
  const secondS = await secondsFor(() => play(server));
  const started = (await figures(server)).headsStarted - headsStarted;
  return [
    { name: 'file: POST -> first segment of a cold rung', value: firstSegmentS, unit: 's', goal: 1.5, note: NOTE },
    {
      name: 'file: second play / first play, whole',
      value: (secondS / firstS) * 100,
      ...{
        unit: '%',
        goal: 1,
        note: `${firstS.toFixed(2)} s, then ${(secondS * 1000).toFixed(0)} ms (${(firstS / secondS).toFixed(0)} x)`,
      },
    },
    {
      name: 'file: encoders started by the second play',
      value: started,
      unit: '',
      goal: 1,
      note: 'none is what we want',
    },
  ];
}

async function seeks(server: ServerProcess): Promise<Measurement[]> {
  const segments = await segmentsOf(server, 240);
  await fetchAll(segments[0]!.mapUrl);
  const gap = await secondsToFirstByte(segments.at(-3)!.url);
  const encoded = await segmentsOf(server, 480);
  const hitsMs: number[] = [];
  for (let index = 0; index < 50; index += 1) {
    const { url } = encoded[(index * 7) % encoded.length]!;
    hitsMs.push(1000 * (await secondsToFirstByte(url)));
  }
  return [
    { name: 'file: seek into a gap', value: gap, unit: 's', goal: 1.5, note: 'first byte, 240p rung' },
    {
      name: 'file: seek into encoded, p95',
      value: quantile(hitsMs, 0.95),
      unit: 'ms',
      goal: 20,
      note: 'first byte, beside an encoder',
    },
  ];
}

async function manyViewers(server: ServerProcess): Promise<Measurement[]> {
  let most = 0;
  const watching = new AbortController();
  const watch = (async () => {
    while (!watching.signal.aborted) most = Math.max(most, (await figures(server)).headsRunning);
  })();
  const renditions = await segmentsOf(server, 1080, { user: 'nobody' });
  const seconds = await secondsFor(async () => {
    const viewers = Array.from({ length: 50 }, async (_, viewer) => {
      const segments = await segmentsOf(server, viewer % 2 === 0 ? 240 : 480, { user: `viewer-${viewer}` });
      await fetchAll(segments[(viewer * 5) % segments.length]!.url);
    });
    await Promise.all(viewers);
  });
  watching.abort();
  await watch;
  await until('the encoders to rest', async () => (await figures(server)).headsRunning <= os.availableParallelism());
  const note = `50 viewers at ${renditions.length} places, all served in ${seconds.toFixed(1)} s; one encoder per core at most`;
  return [{ name: 'file: most encoders at a time', value: most, unit: '', goal: os.availableParallelism() + 1, note }];
}

async function figures(server: ServerProcess): Promise<VodFigures> {
  const text = await (await server.admin('GET', '/metrics')).text();
  const value = (name: string): number => Number(new RegExp(`^${name}(?:{[^}]*})? (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
  return {
    headsStarted: value('laddercast_vod_encoders_started_total'),
    headsRunning: value('laddercast_vod_encoders_running'),
  };
}
