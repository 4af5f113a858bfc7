import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FfmpegPublisher } from '../support/ffmpeg-publisher.ts';
import { fetchMediaPlaylist, fetchMultivariant } from '../support/hls-client.ts';
import { HlsRecorder } from '../support/hls-recorder.ts';
import { LiveServer, videoVariants } from '../support/live-server.ts';
import { until } from '../support/poll.ts';

/** An admin and a fault at work while a stream runs. */
describe('a ladder that changes while it is live', () => {
  let server: LiveServer;
  let publisher: FfmpegPublisher;
  let witness: HlsRecorder;

  beforeAll(async () => {
    server = await LiveServer.start();
    publisher = new FfmpegPublisher({ url: server.rtmpUrl('demo') });
    await server.variants('demo', 3);
    witness = new HlsRecorder(server.mediaUrl('demo', '240p'));
  });

  afterAll(async () => {
    witness.stop();
    await publisher.kill();
    await server.close();
  });

  it('adds a rung over REST: it joins at the current number and is listed once it plays', async () => {
    const created = await server.addRendition({ name: '180p', width: 320, height: 180, videoBitrateKbps: 200 });
    expect(created.status).toBe(201);
    const multivariant = await server.variants('demo', 4);
    expect(videoVariants(multivariant).map(({ attributes }) => attributes['RESOLUTION'])).toContain('320x180');

    const added = (await fetchMediaPlaylist(server.mediaUrl('demo', '180p')))!;
    const reference = (await fetchMediaPlaylist(server.mediaUrl('demo', '240p')))!;
    const first = added.segments[0]!;
    const same = reference.segments.find(({ msn }) => msn === first.msn);
    expect(same?.durationS).toBeCloseTo(first.durationS, 3);
  });

  it('refuses the same name again', async () => {
    const again = { name: '180p', width: 320, height: 180, videoBitrateKbps: 300 };
    expect((await server.addRendition(again)).status).toBe(409);
  });

  it('removes a rung: it leaves the multivariant and its playlist answers 404 at once', async () => {
    expect((await server.api('DELETE', 'renditions/144p')).status).toBe(204);
    const variants = videoVariants(await fetchMultivariant(server.multivariantUrl('demo')));
    expect(variants.map(({ attributes }) => attributes['RESOLUTION'])).not.toContain('256x144');
    expect((await fetch(server.mediaUrl('demo', '144p'))).status).toBe(404);
    expect((await server.api('DELETE', 'renditions/144p')).status).toBe(404);
  });

  it('brings a killed encoder back on the same timeline while no other rung notices', async () => {
    const find = async () =>
      (await server.transcodes()).find(
        (row) => row.rendition === '180p' && row.track === 'video' && row.pid !== undefined,
      );
    const before = await until('the encoder of 180p', find);
    const victim = new HlsRecorder(server.mediaUrl('demo', '180p'));
    process.kill(before.pid!, 'SIGKILL');

    const after = await until('a new encoder', async () => {
      const row = await find();
      return row?.pid !== before.pid && row?.state === 'running' ? row : undefined;
    });
    expect(after.restarts).toBe(before.restarts + 1);
    const resumeAt = victim.segments.at(-1)?.msn ?? 0;
    await until('three more segments of 180p', () => (victim.segments.at(-1)?.msn ?? 0) >= resumeAt + 3);
    victim.stop();

    for (const segment of victim.segments) {
      const same = witness.segments.find(({ msn }) => msn === segment.msn);
      if (same !== undefined) expect(segment.durationS).toBeCloseTo(same.durationS, 1);
    }
    expect(victim.segments.filter(({ gap }) => gap).length).toBeLessThanOrEqual(1);
    expect(victim.segments.some(({ discontinuity }) => discontinuity)).toBe(false);
    const others = (await server.transcodes()).filter((row) => row.rendition !== '180p' && row.state === 'running');
    expect(others.map(({ restarts }) => restarts)).toEqual(others.map(() => 0));
  });

  it('has given the other rungs every segment, whole', () => {
    expect(witness.segments.length).toBeGreaterThan(5);
    expect(witness.segments.some(({ gap, discontinuity }) => gap || discontinuity)).toBe(false);
    for (const { durationS } of witness.segments) expect(durationS).toBeCloseTo(2, 1);
  });
});
