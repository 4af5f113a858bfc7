import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { hlsRoutes } from '../../src/http/hls-routes.ts';
import { listenHttp } from '../../src/http/server.ts';
import { HlsStage } from '../support/hls-stage.ts';
import { audioFrames, audioInit, videoFrames, videoInit } from '../support/hls-fragments.ts';
import { HttpFixture } from '../support/http-fixture.ts';
import { collectGarbage } from '../support/memory.ts';
import { until } from '../support/poll.ts';
import type { ClientsCommand, ClientsReport } from './blocked-clients.ts';
import { type Measurement, quantile } from './measure.ts';

const CLIENTS = 5_000;
const ROUNDS = 10;
const PLAYLIST = '/hls/live/demo/720p/video.m3u8';

/** Thousands of viewers who wait for the same part of one playlist: how soon all have it, and what they cost. */
export async function measureBlockedReloads(): Promise<Measurement[]> {
  const stage = new HlsStage();
  const fixture = await HttpFixture.create({ playback: (app) => hlsRoutes(app, { origin: stage.origin }) });
  const { port } = await listenHttp(fixture.app, { host: '127.0.0.1', port: 0 });
  const clients = fork(path.join(import.meta.dirname, 'blocked-clients.ts'), { execArgv: ['--import', 'tsx'] });
  try {
    const play = player(stage);
    play(10);
    const before = memory();
    await command(clients, { type: 'connect', port, count: CLIENTS }, 'connected');
    const rounds: Round[] = [];
    let waiting = before;
    for (let round = 0; round < ROUNDS; round += 1) {
      const answered = command(clients, { type: 'ask', path: `${PLAYLIST}?${nextPosition(stage)}` }, 'answered');
      await until('all to wait', () => stage.origin.waitingRequests === CLIENTS);
      if (round === 0) waiting = memory();
      const rendered = stage.origin.renderedPlaylists;
      const cpu = process.cpuUsage();
      const partAtMs = play(0.5);
      const { lastAtMs, statuses } = await answered;
      const { user, system } = process.cpuUsage(cpu);
      if (statuses['200'] !== CLIENTS) throw new Error(`not all were answered: ${JSON.stringify(statuses)}`);
      rounds.push({
        lastMs: lastAtMs - partAtMs,
        renders: stage.origin.renderedPlaylists - rendered,
        cpuUs: (user + system) / CLIENTS,
      });
    }
    const each = (bytes: number): number => bytes / CLIENTS / 1000;
    const median = quantile(
      rounds.map(({ lastMs }) => lastMs),
      0.5,
    );
    const cpuUs = quantile(
      rounds.map((round) => round.cpuUs),
      0.5,
    );
    const worst = Math.max(...rounds.map(({ lastMs }) => lastMs));
    const renders = Math.max(...rounds.map((round) => round.renders));
    const what = `${CLIENTS} clients blocked on one playlist`;
    const [heap, rss] = [each(waiting.heap - before.heap), each(waiting.rss - before.rss)];
    return [
      {
        name: `${what}: last answer after the part, p50`,
        value: median,
        unit: 'ms',
        goal: 100,
        note: `HTTP/1.1 keep-alive, ${ROUNDS} rounds, worst ${worst.toFixed(0)} ms, ${cpuUs.toFixed(0)} µs of CPU an answer`,
      },
      { name: `${what}: renders`, value: renders, unit: '', goal: 2, note: 'for all of them' },
      {
        name: `${what}: JavaScript heap of each`,
        value: heap,
        unit: 'kB',
        goal: 10,
        note: 'connection and request, after a collection',
      },
      {
        name: `${what}: resident memory of each`,
        value: rss,
        unit: 'kB',
        goal: 10,
        note: 'the same, and what the allocator keeps',
      },
    ];
  } finally {
    clients.kill();
    await fixture.close();
    await stage.origin.close();
  }
}

interface Round {
  readonly lastMs: number;
  readonly renders: number;
  /** Of the server, for each answer. */
  readonly cpuUs: number;
}

/** Lets a broadcast go on by some seconds at a time; the time is when it had. */
function player(stage: HlsStage): (seconds: number) => number {
  const [source, rung, aac] = [videoInit(), videoInit({ bytes: Buffer.from('rung init') }), audioInit()];
  stage.open('source', source);
  stage.open('720p', rung);
  stage.open('audio', aac);
  const evens = Array.from({ length: 100 }, (_, index) => 2 * index);
  let playedS = 0;
  return (seconds) => {
    const [from, to] = [playedS, playedS + seconds];
    playedS = to;
    const frames = {
      source: videoFrames({ init: source, from, to, keyframes: evens }),
      '720p': videoFrames({ init: rung, from, to, keyframes: evens, lateMs: 1 }),
      audio: audioFrames({ init: aac, from, to }),
    };
    stage.play(frames);
    return Number(process.hrtime.bigint()) / 1e6;
  };
}

/** The query that waits for what the playlist does not have yet. */
function nextPosition(stage: HlsStage): string {
  const text = stage.playlist('720p') ?? '';
  const uris = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const parts = text.slice(text.lastIndexOf(uris.at(-1) ?? '')).split('#EXT-X-PART:').length - 1;
  const msn = Number(/MEDIA-SEQUENCE:(\d+)/.exec(text)?.[1]) + uris.length;
  return `_HLS_msn=${msn}&_HLS_part=${parts}`;
}

async function command<T extends ClientsReport['type']>(
  clients: ChildProcess,
  message: ClientsCommand,
  answer: T,
): Promise<Extract<ClientsReport, { type: T }>> {
  clients.send(message);
  const [report] = (await once(clients, 'message')) as [ClientsReport];
  if (report.type !== answer) throw new Error(`the clients told "${report.type}" instead of "${answer}"`);
  return report as Extract<ClientsReport, { type: T }>;
}

function memory(): { heap: number; rss: number } {
  collectGarbage();
  const { heapUsed, rss } = process.memoryUsage();
  return { heap: heapUsed, rss };
}
