import { FfmpegPublisher } from '../support/ffmpeg-publisher.ts';
import { fetchMediaPlaylist } from '../support/hls-client.ts';
import { LiveServer } from '../support/live-server.ts';
import { until } from '../support/poll.ts';
import type { Measurement } from './measure.ts';

const GOP_S = 2;

async function secondsUntil(what: string, ask: () => Promise<boolean>): Promise<number> {
  const startedMs = performance.now();
  await until(what, ask, 60_000);
  return (performance.now() - startedMs) / 1000;
}

/** Start of a stream, a rung added, an encoder killed: how long until the rung gives its next segment. */
export async function measureLadderChanges(): Promise<Measurement[]> {
  const server = await LiveServer.start();
  const newestMsn = async (rendition: string): Promise<number> =>
    (
      await fetchMediaPlaylist(server.mediaUrl('bench', rendition, rendition === 'audio' ? 'audio' : 'video'))
    )?.segments.at(-1)?.msn ?? -1;
  const goal = GOP_S + 1;
  const measurements: Measurement[] = [];
  const note = (text: string): string => `640x360 source, ${GOP_S} s GOP; ${text}`;

  const publisher = new FfmpegPublisher({ url: server.rtmpUrl('bench'), gop: 30 * GOP_S });
  await until('the first fragment', () => server.app.directory.list('live/bench').length > 0);
  const renditions = ['original', '240p', '144p', 'audio'];
  measurements.push({
    name: 'publish start -> first segment of every rung',
    value: await secondsUntil('all rungs', async () =>
      (await Promise.all(renditions.map(newestMsn))).every((n) => n >= 0),
    ),
    ...{ unit: 's', goal, note: note('original, 240p, 144p and audio, from the first source fragment') },
  });

  await server.addRendition({ name: '180p', width: 320, height: 180, videoBitrateKbps: 200 });
  measurements.push({
    name: 'rung added -> its first segment',
    value: await secondsUntil('the added rung', async () => (await newestMsn('180p')) >= 0),
    ...{ unit: 's', goal, note: note('from the answer 201') },
  });

  const row = (await server.transcodes()).find(({ rendition, pid }) => rendition === '180p' && pid !== undefined);
  const before = await newestMsn('180p');
  process.kill(row!.pid!, 'SIGKILL');
  measurements.push({
    name: 'encoder killed -> next segment of its rung',
    value: await secondsUntil('the next segment', async () => (await newestMsn('180p')) > before),
    ...{ unit: 's', goal, note: note('kill -9 of the 180p encoder') },
  });
  await publisher.kill();
  await server.close();
  return measurements;
}
