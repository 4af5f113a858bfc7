import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ArchiveReply } from '../../src/http/schemas.ts';
import { FfmpegPublisher } from '../support/ffmpeg-publisher.ts';
import { fetchMediaPlaylist, fetchMultivariant, type ParsedMediaPlaylist } from '../support/hls-client.ts';
import { SMALL_LADDER, videoVariants } from '../support/live-server.ts';
import { until } from '../support/poll.ts';

const CLI = path.resolve(import.meta.dirname, '../../dist/cli.js');

const SETTINGS = [
  ...['host = "127.0.0.1"', 'rtmpPort = 0', 'httpPort = 0', 'dataDir = "data"', 'ladders = ["./ladder.toml"]'],
  ...['streamKey = "test-stream-key"', 'adminToken = "test-admin-token"'],
  ...['hls.segmentTargetMs = 1000', 'hls.windowSegments = 6', 'hls.archive = true'],
].join('\n');

interface Ready {
  readonly rtmpUrl: string;
  readonly httpUrl: string;
}

describe('a server that was killed while a broadcast was live', () => {
  let folder: string;
  let server: ChildProcess | undefined;
  let publisher: FfmpegPublisher | undefined;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-restart-'));
    await writeFile(path.join(folder, 'laddercast.toml'), SETTINGS);
    await writeFile(path.join(folder, 'ladder.toml'), SMALL_LADDER);
  });

  afterEach(async () => {
    server?.kill('SIGKILL');
    await publisher?.kill();
    await rm(folder, { recursive: true, force: true });
  });

  const start = async (): Promise<Ready> => {
    const child = spawn(process.execPath, [CLI], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
    server = child;
    return new Promise((resolve, reject) => {
      createInterface(child.stdout).on('line', (line) => {
        const entry = line.startsWith('{') ? (JSON.parse(line) as Ready & { msg: string }) : undefined;
        if (entry?.msg === 'ready') resolve(entry);
      });
      child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
    });
  };

  /** Publishes, and gives the playlists of all rungs and the audio once they have so many segments. */
  const goLive = async ({ rtmpUrl, httpUrl }: Ready, segments: number): Promise<ParsedMediaPlaylist[]> => {
    publisher = new FfmpegPublisher({ url: `${rtmpUrl}/live/demo?key=test-stream-key`, gop: 30, bFrames: 0 });
    return until('the ladder', async () => {
      const multivariant = await fetchMultivariant(`${httpUrl}/hls/live/demo/index.m3u8`);
      const urls = [...videoVariants(multivariant), ...(multivariant?.media ?? [])].map(({ url }) => url);
      const playlists = await Promise.all(urls.map((url) => fetchMediaPlaylist(url)));
      const found = playlists.filter((playlist) => playlist !== undefined);
      return found.length === 4 && found.every((each) => each.segments.length >= segments) ? found : undefined;
    });
  };

  it('goes on above every number that it used, with a discontinuity, and has the recording', async () => {
    const first = await start();
    const before = await goLive(first, 4);
    server!.kill('SIGKILL');
    await once(server!, 'exit');
    await publisher!.exited;

    const second = await start();
    const after = await goLive(second, 2);
    const used = Math.max(...before.map(({ mediaSequence, segments }) => mediaSequence + segments.length));
    expect(new Set(after.map(({ mediaSequence }) => mediaSequence)).size).toBe(1);
    for (const { mediaSequence, discontinuitySequence, segments } of after) {
      expect(mediaSequence).toBeGreaterThan(used);
      expect(segments[0]!.discontinuity).toBe(true);
      expect(discontinuitySequence).toBeGreaterThan(before[0]!.discontinuitySequence);
    }

    const headers = { authorization: 'Bearer test-admin-token' };
    const archives = (await (await fetch(`${second.httpUrl}/api/v1/archives`, { headers })).json()) as ArchiveReply[];
    expect(archives).toMatchObject([{ broadcast: 'live/demo' }]);
    expect(archives[0]!.durationMs).toBeGreaterThanOrEqual(4_000);
    const recorded = await fetchMultivariant(`${second.httpUrl}${archives[0]!.playlist}`);
    for (const { url } of videoVariants(recorded)) {
      const { ended, segments } = (await fetchMediaPlaylist(url))!;
      expect(ended).toBe(true);
      for (const segment of segments.filter(({ gap }) => !gap)) expect((await fetch(segment.url)).status).toBe(200);
    }
    expect(await readdir(path.join(folder, 'data'))).not.toContain('live.old');
  });
});
