import { execFile as start } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fetchBytes, fetchMediaPlaylist, fetchMultivariant, type ListedSegment } from '../support/hls-client.ts';
import { LiveServer } from '../support/live-server.ts';
import { decodeSound, soundError } from '../support/sound.ts';
import { readTimecodes } from '../support/timecode.ts';
import { type MadeMedia, makeMedia } from '../support/upstream/made-media.ts';
import { encrypted, ScriptedChannel } from '../support/upstream/scripted-channel.ts';
import { UpstreamServer } from '../support/upstream/upstream-server.ts';

const execFile = promisify(start);

const RATE = 25;
const SECONDS = 18;
const RUNG = '144p';

let server: LiveServer;
let upstream: UpstreamServer;
beforeAll(async () => {
  server = await LiveServer.start({ settings: 'allowPrivate = ["127.0.0.1"]' });
});
afterAll(() => server.close());
beforeEach(async () => {
  upstream = await UpstreamServer.start();
});
afterEach(() => upstream.close());

const base = { seconds: SECONDS, segmentSeconds: 2, rate: RATE } as const;
/** Where the server's timelines begin. */
const ORIGIN_S = 10;
const secret = encryptedWith(7);

/** Films in the forms that servers have them in, by name; each answers the address of its playlist. */
const FORMS: Record<string, () => Promise<ScriptedChannel>> = {
  'MPEG-TS': async () => film([{ name: 'v0', media: await makeMedia(base) }]),
  'fragmented MP4': async () => film([{ name: 'v0', media: await makeMedia({ ...base, container: 'fmp4' }) }]),
  'encrypted MPEG-TS with its sound apart': async () =>
    film([
      { name: 'low', media: secret(await makeMedia({ ...base, size: '160x90', audio: false })) },
      { name: 'v0', media: secret(await makeMedia({ ...base, audio: false })) },
      { name: 'de', kind: 'audio', media: secret(await makeMedia({ ...base, video: false })) },
    ]),
  'encrypted MP4 with its sound apart': async () =>
    film([
      { name: 'v0', media: secret(await makeMedia({ ...base, container: 'fmp4', audio: false })) },
      { name: 'de', kind: 'audio', media: secret(await makeMedia({ ...base, container: 'fmp4', video: false })) },
    ]),
};

function encryptedWith(value: number): (media: MadeMedia) => MadeMedia {
  return (media) => encrypted(media, (index) => ({ bytes: Buffer.alloc(16, value + (index >> 2)) }));
}

function film(renditions: ConstructorParameters<typeof ScriptedChannel>[2], path = '/film'): ScriptedChannel {
  return new ScriptedChannel(upstream, path, renditions).end();
}

async function play(source: string): Promise<string> {
  const answer = await server.api('POST', 'vod', { source });
  const text = await answer.text();
  expect(answer.status, text).toBe(200);
  return new URL((JSON.parse(text) as { playlist: string }).playlist, server.app.httpUrl).href;
}

async function refusal(source: string): Promise<{ status: number; message: string }> {
  const answer = await server.api('POST', 'vod', { source });
  return { status: answer.status, message: JSON.stringify(await answer.json()) };
}

async function segmentsOf(playlist: string, rendition: string): Promise<readonly ListedSegment[]> {
  return (await fetchMediaPlaylist(new URL(`${rendition}/index.m3u8`, playlist).href))!.segments;
}

async function mediaOf(segments: readonly ListedSegment[]): Promise<Buffer> {
  const media = [await fetchBytes(segments[0]!.mapUrl)];
  for (const { url } of segments) media.push(await fetchBytes(url));
  return Buffer.concat(media);
}

async function numbersIn(segments: readonly ListedSegment[]): Promise<number[]> {
  return (await readTimecodes(await mediaOf(segments))).map(({ number }) => number);
}

function lengthOf(segments: readonly ListedSegment[]): number {
  return segments.reduce((sum, { durationS }) => sum + durationS, 0);
}

/** When something starts, on its own clock, in seconds. */
async function startOf({ segments }: MadeMedia): Promise<number> {
  const probe = execFile('ffprobe', ['-v', 'error', '-show_entries', 'format=start_time', '-of', 'csv=p=0', '-']);
  probe.child.stdin!.on('error', () => undefined).end(Buffer.concat(segments.map(({ bytes }) => bytes)));
  return Number((await probe).stdout);
}

function run(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

async function encodersStarted(): Promise<number> {
  const headers = { authorization: 'Bearer test-admin-token' };
  const text = await (await fetch(`${server.app.httpUrl}/metrics`, { headers })).text();
  return Number(/^laddercast_vod_encoders_started_total (\d+)/m.exec(text)?.[1]);
}

describe('a remote playlist with an end', () => {
  it.each(Object.keys(FORMS))('plays as a film from any place, exactly: %s', async (form) => {
    const playlist = await play((await FORMS[form]!()).url);
    const segments = await segmentsOf(playlist, RUNG);
    expect(lengthOf(segments)).toBeCloseTo(SECONDS, 2);
    // From near the end on, before anything else was read.
    const late = segments.length - 3;
    const first = Math.round(lengthOf(segments.slice(0, late)) * RATE);
    expect(await numbersIn(segments.slice(late))).toEqual(run(first, SECONDS * RATE));
    expect(await numbersIn(segments)).toEqual(run(0, SECONDS * RATE));
    const { variants } = (await fetchMultivariant(playlist))!;
    expect(variants.map(({ attributes }) => attributes['RESOLUTION'])).toContain('256x144');
  });

  it('sounds as it does at its source, and in time with the picture, also where the sound lies apart', async () => {
    const video = await makeMedia({ ...base, audio: false });
    const audio = await makeMedia({ ...base, video: false });
    const playlist = await play(
      film([
        { name: 'v0', media: video },
        { name: 'de', kind: 'audio', media: audio },
      ]).url,
    );
    const sound = await segmentsOf(playlist, 'audio-0');
    const played = await decodeSound(await mediaOf(sound), ORIGIN_S);
    const startS = await startOf(video);
    const expected = await decodeSound(Buffer.concat(audio.segments.map(({ bytes }) => bytes)), startS);
    // An encoder has been between them; a shift of one frame would be an error of 0.4 or so.
    expect(soundError(played, expected, 1, SECONDS - 1).rms).toBeLessThan(0.05);
    expect(Math.abs(lengthOf(sound) - SECONDS)).toBeLessThan(0.1);
  });

  it('plays a second time without any encoder, although all addresses have other tokens', async () => {
    const media = secret(await makeMedia(base));
    const channel = film([{ name: 'v0', media, options: { tokens: true } }]);
    const address = (token: string): string => `${channel.mediaUrl('v0')}?session=${token}`;
    const first = await mediaOf(await segmentsOf(await play(address('one')), RUNG));
    const started = await encodersStarted();
    expect(started).toBeGreaterThan(0);
    const second = await mediaOf(await segmentsOf(await play(address('two')), RUNG));
    expect(second.equals(first)).toBe(true);
    expect(await encodersStarted()).toBe(started);
  });

  it('plays on when the addresses of its segments have run out', async () => {
    const channel = film([{ name: 'v0', media: await makeMedia(base), options: { tokens: true } }], '/expiring');
    const playlist = await play(channel.mediaUrl('v0'));
    const segments = await segmentsOf(playlist, RUNG);
    expect(await numbersIn(segments.slice(0, 1))).toEqual(run(0, Math.round(segments[0]!.durationS * RATE)));
    // Others have loaded the playlist meanwhile.
    for (let loads = 0; loads < 3; loads++) await fetch(channel.mediaUrl('v0'));
    expect(await numbersIn(segments)).toEqual(run(0, SECONDS * RATE));
  });

  it('fails with an answer where a segment is missing, and never leaves it out', async () => {
    const media = await makeMedia(base);
    const segments = media.segments.map((segment, index) => ({ ...segment, missing: index === 6 }));
    const playlist = await play(film([{ name: 'v0', media: segments }], '/holey').url);
    const listed = await segmentsOf(playlist, RUNG);
    // 12 to 14 s are missing.
    const before = listed.filter((_, index) => lengthOf(listed.slice(0, index + 1)) <= 12);
    expect(await numbersIn(before)).toEqual(run(0, Math.round(lengthOf(before) * RATE)));
    expect((await fetch(listed[before.length]!.url)).status).toBeGreaterThanOrEqual(500);
  });
});

describe('a remote playlist is refused', () => {
  it('without an end, with the advice to make it a channel', async () => {
    const live = new ScriptedChannel(upstream, '/live', [{ name: 'v0', media: await makeMedia(base) }]).advance(4);
    for (const address of [live.url, live.mediaUrl('v0')]) {
      const { status, message } = await refusal(`${address}?token=hunter2`);
      expect(status).toBe(400);
      expect(message).toMatch(/no end.*api\/v1\/sources/);
      expect(message).not.toContain('hunter2');
    }
  });

  it('where it leads to addresses that may not be reached, to itself, or to what is no media', async () => {
    const inner = await UpstreamServer.start('127.0.0.2');
    inner.put('/secret.ts', (await makeMedia(base)).segments[0]!.bytes);
    const list = (uri: string): string => `#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n${uri}\n#EXT-X-ENDLIST\n`;
    const master = (uri: string): string => `#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n${uri}\n`;
    const clear = (await makeMedia(base)).segments[0]!.bytes;
    upstream.put('/clear.ts', clear);
    upstream.put('/nested.ts', list(upstream.url('/clear.ts')));
    upstream.route('/away.ts', () => ({ status: 302, headers: { location: inner.url('/secret.ts') } }));
    const inward = inner.url('/secret.ts');
    const refused: Record<string, string> = {
      '/private.m3u8': list(inward),
      '/redirected.m3u8': list('/away.ts'),
      '/private-master.m3u8': master(inward),
      '/private-key.m3u8': list('/clear.ts').replace('#EXTINF', `#EXT-X-KEY:METHOD=AES-128,URI="${inward}"\n#EXTINF`),
      '/private-map.m3u8': list('/clear.ts').replace('#EXTINF', `#EXT-X-MAP:URI="${inward}"\n#EXTINF`),
      '/file.m3u8': list('file:///etc/passwd'),
      '/concat.m3u8': list('concat:/etc/passwd|/etc/hosts'),
      '/self.m3u8': master('/self.m3u8'),
      '/self-segment.m3u8': list('/self-segment.m3u8'),
      '/nested.m3u8': list('/nested.ts'),
      '/drm.m3u8': list('/clear.ts').replace('#EXTINF', '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://x"\n#EXTINF'),
      '/ad.m3u8': list('/clear.ts').replace(
        '#EXT-X-ENDLIST',
        '#EXT-X-DISCONTINUITY\n#EXTINF:2,\n/clear.ts\n#EXT-X-ENDLIST',
      ),
    };
    for (const [path, text] of Object.entries(refused)) {
      // Its name says nothing.
      upstream.put(path.replace('m3u8', 'mp4'), text);
      upstream.put(path, text);
      const { status, message } = await refusal(upstream.url(path.replace('m3u8', 'mp4')));
      expect([400, 403, 503], `${path}: ${message}`).toContain(status);
      expect(message, path).not.toMatch(/root:/);
    }
    expect(inner.log).toEqual([]);
    await inner.close();
  });
});
