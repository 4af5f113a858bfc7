import { describe, expect, it } from 'vitest';
import { RelayChannel } from '../../src/relay/relay-channel.ts';
import type { RelayPlaylist } from '../../src/relay/relay-track.ts';
import { UrlSigner } from '../../src/relay/url-signer.ts';
import { UpstreamFailure } from '../../src/remote/upstream-failure.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { AppError } from '../../src/util/errors.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { ScriptedSource } from '../support/relay-source.ts';
import { snapshotOf, UPSTREAM } from '../support/relay-snapshots.ts';

const SIGNAL = new AbortController().signal;

function channel() {
  const clock = new ManualClock();
  const source = new ScriptedSource(clock);
  const signer = new UrlSigner('secret');
  return {
    ...{ clock, source, signer },
    channel: new RelayChannel({ name: 'news', upstream: source, signer, clock, logger: silentLogger }),
  };
}

/** Segments of 2 s, and parts of 0.5 s behind them. */
function low(first: number, segments: number, parts: number) {
  const lines = ['#EXTM3U', '#EXT-X-TARGETDURATION:2', '#EXT-X-PART-INF:PART-TARGET=0.5'];
  lines.push('#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5', `#EXT-X-MEDIA-SEQUENCE:${first}`);
  const part = (number: number, index: number): string => `#EXT-X-PART:DURATION=0.5,URI="${number}.${index}.m4s"`;
  for (let number = first; number < first + segments; number += 1) {
    lines.push(part(number, 0), part(number, 1), part(number, 2), part(number, 3), '#EXTINF:2,', `${number}.m4s`);
  }
  for (let index = 0; index < parts; index += 1) lines.push(part(first + segments, index));
  lines.push(`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="${first + segments}.${parts}.m4s"`);
  return snapshotOf([{ text: lines.join('\n'), era: 7 }]);
}

function plain(first: number, segments = 3, end = '') {
  const lines = ['#EXTM3U', '#EXT-X-TARGETDURATION:2', `#EXT-X-MEDIA-SEQUENCE:${first}`];
  for (let number = first; number < first + segments; number += 1) lines.push('#EXTINF:2,', `${number}.ts`);
  return snapshotOf([{ text: [...lines, end].join('\n'), era: 7 }]);
}

function textOf({ playlist }: RelayPlaylist): string {
  return playlist.plain.toString();
}

/** Lets what has been decided be answered. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe('a relayed channel', () => {
  it('lists its playlists with signatures that hold', async () => {
    const { channel: relay, signer } = channel();
    const text = (await relay.multivariant(SIGNAL)).plain.toString();
    const [, query] = /^v0\/index\.m3u8\?s=(.+)$/m.exec(text) ?? [];
    expect(signer.isSigned('news/v0/index.m3u8', query!)).toBe(true);
    expect(await relay.multivariant(SIGNAL)).toBe(await relay.multivariant(SIGNAL));
  });

  it('answers all who ask for the first playlist when it comes, with one wait upstream', async () => {
    const { channel: relay, source } = channel();
    const asked = Array.from({ length: 100 }, () => relay.playlist('v0', { signal: new AbortController().signal }));
    await settled();
    expect(relay.waiting).toBe(100);
    source.playlist('v0').push(plain(5));
    const answers = await Promise.all(asked);
    expect(new Set(answers.map(({ playlist }) => playlist)).size).toBe(1);
    expect(textOf(answers[0]!)).toContain('#EXT-X-MEDIA-SEQUENCE:5');
    expect([source.playlist('v0').waits, relay.waiting]).toEqual([1, 0]);
  });

  it('ignores what a client waits for where there are no parts', async () => {
    const { channel: relay, source } = channel();
    source.playlist('v0').push(plain(5));
    const answer = await relay.playlist('v0', { position: { msn: 8, part: undefined }, signal: SIGNAL });
    expect(textOf(answer)).not.toContain('CAN-BLOCK-RELOAD');
  });

  it('holds a blocking reload until the part is there, and refuses one too far ahead', async () => {
    const { channel: relay, source } = channel();
    const followed = source.playlist('v0');
    followed.push(low(10, 3, 1));
    const ask = (msn: number, part?: number) => relay.playlist('v0', { position: { msn, part }, signal: SIGNAL });
    expect(textOf(await ask(13, 0))).toContain('URI="7-13.0.m4s?s=');
    const part = ask(13, 1);
    const segment = ask(13);
    await expect(ask(16)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    await expect(ask(13, 40)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    await settled();
    followed.push(low(10, 3, 2));
    expect(textOf(await part)).toMatch(/7-13\.1\.m4s.*\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI="7-13\.2\.m4s/);
    followed.push(low(11, 3, 0));
    expect(textOf(await segment)).toContain('#EXT-X-MEDIA-SEQUENCE:11');
  });

  it('answers 503 to those whose wait takes three target durations', async () => {
    const { channel: relay, source, clock } = channel();
    source.playlist('v0').push(low(10, 3, 1));
    const held = relay.playlist('v0', { position: { msn: 13, part: 1 }, signal: SIGNAL });
    held.catch(() => undefined);
    await settled();
    clock.advance(5_900);
    await settled();
    expect(relay.waiting).toBe(1);
    clock.advance(400);
    await expect(held).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('answers those who wait when the source ends, and nothing waits for an ended one', async () => {
    const { channel: relay, source } = channel();
    const followed = source.playlist('v0');
    followed.push(low(10, 3, 1));
    const held = relay.playlist('v0', { position: { msn: 13, part: 1 }, signal: SIGNAL });
    await settled();
    followed.push({ ...low(10, 3, 1), ended: true });
    expect(await held).toMatchObject({ ended: true });
    const later = await relay.playlist('v0', { position: { msn: 99, part: 1 }, signal: SIGNAL });
    expect(textOf(later)).toMatch(/#EXT-X-ENDLIST\n$/);
  });

  it('gives the last good playlist for half a minute while the source is silent, then 503', async () => {
    const { channel: relay, source, clock } = channel();
    source.playlist('v0').push(plain(5));
    const ask = () => relay.playlist('v0', { signal: SIGNAL });
    await ask();
    clock.advance(29_000);
    expect(textOf(await ask())).toContain('#EXT-X-MEDIA-SEQUENCE:5');
    clock.advance(2_000);
    await expect(ask()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    source.playlist('v0').push(plain(30));
    expect(textOf(await ask())).toContain('#EXT-X-MEDIA-SEQUENCE:30');
  });

  it('lets go of a playlist that nobody asks for, and waits for a new one instead of giving the old one', async () => {
    const { channel: relay, source, clock } = channel();
    const followed = source.playlist('v0');
    followed.push(plain(5));
    await relay.playlist('v0', { signal: SIGNAL });
    clock.advance(29_000);
    expect(followed.releases).toBe(0);
    clock.advance(6_000);
    expect(followed.releases).toBe(1);
    const asked = relay.playlist('v0', { signal: SIGNAL });
    await settled();
    expect(relay.waiting).toBe(1);
    followed.push(plain(22));
    expect(textOf(await asked)).toContain('#EXT-X-MEDIA-SEQUENCE:22');
  });

  it('tells where the other playlists with parts are', async () => {
    const { channel: relay, source } = channel();
    source.playlist('v0').push(low(10, 3, 2));
    source.playlist('v1').push(low(10, 3, 0));
    await relay.playlist('v1', { signal: SIGNAL });
    const first = textOf(await relay.playlist('v0', { signal: SIGNAL }));
    expect(first).toMatch(
      /#EXT-X-RENDITION-REPORT:URI="\.\.\/v1\/index\.m3u8\?s=[\w-]{22}",LAST-MSN=12,LAST-PART=3\n$/,
    );
    source.playlist('v1').push(low(10, 3, 1));
    await relay.playlist('v1', { signal: SIGNAL });
    expect(textOf(await relay.playlist('v0', { signal: SIGNAL }))).toContain('LAST-MSN=13,LAST-PART=0\n');
  });

  it('hands on what upstream says of playlists that nobody plays', async () => {
    const { channel: relay, source } = channel();
    const snapshot = low(10, 3, 2);
    const uri = new URL('/live/lo.m3u8?other=token', UPSTREAM);
    const renditionReports = [{ uri, lastSequence: 13, lastPart: 1 }];
    source.playlist('v0').push({ ...snapshot, lowLatency: { ...snapshot.lowLatency!, renditionReports } });
    const text = textOf(await relay.playlist('v0', { signal: SIGNAL }));
    expect(text).toMatch(/#EXT-X-RENDITION-REPORT:URI="\.\.\/v1\/index\.m3u8\?s=[\w-]{22}",LAST-MSN=13,LAST-PART=1\n$/);
  });

  it('asks upstream for a part that it hints at, and for nothing that it does not name', async () => {
    const { channel: relay, source } = channel();
    source.playlist('v0').push(low(10, 1, 1));
    await relay.playlist('v0', { signal: SIGNAL });
    const media = await relay.media('v0', '7-11.1.m4s', { viewer: 'one', signal: SIGNAL });
    expect(source.asked.map(({ item }) => item.target.url.pathname)).toEqual(['/live/v0/11.1.m4s']);
    expect(media).toMatchObject({ contentType: 'video/mp4', isKey: false, listedMs: 2_000 });
    await expect(relay.media('v0', '7-11.2.m4s', { viewer: 'one', signal: SIGNAL })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    await expect(relay.media('v9', 'x', { viewer: 'one', signal: SIGNAL })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('looks media up although nobody has asked for the playlist yet', async () => {
    const { channel: relay, source } = channel();
    const asked = relay.media('v0', '7-5.ts', { viewer: 'one', signal: SIGNAL });
    await settled();
    source.playlist('v0').push(plain(5));
    expect((await asked).name).toBe('7-5.ts');
  });

  it('tells nothing of the source when it fails', async () => {
    const { channel: relay, source } = channel();
    const secret = 'https://origin.example/SECRET answered 10.1.2.3';
    source.playlist('v0').push(plain(5));
    const media = await relay.media('v0', '7-5.ts', { viewer: 'one', signal: SIGNAL });
    source.asked[0]!.bytes.fail(new UpstreamFailure('status', secret, { status: 404 }));
    const other = await relay.media('v0', '7-6.ts', { viewer: 'one', signal: SIGNAL });
    source.asked[1]!.bytes.fail(new UpstreamFailure('network', secret));
    const first = relay.playlist('v1', { signal: SIGNAL });
    first.catch(() => undefined);
    await settled();
    source.playlist('v1').fail(new AppError('BAD_MEDIA', secret));
    const failures: Promise<unknown>[] = [media.ready(SIGNAL), other.fullSize(SIGNAL), first];
    source.ladderError = new AppError('FORBIDDEN', secret);
    failures.push(relay.multivariant(SIGNAL));
    const errors = await Promise.all(failures.map((failure) => failure.catch((error: unknown) => error as AppError)));
    expect(errors.map((error) => (error as AppError).code)).toEqual([
      ...['NOT_FOUND', 'UNAVAILABLE', 'UNAVAILABLE', 'UNAVAILABLE'],
    ]);
    expect(errors.map((error) => (error as AppError).message).join()).not.toMatch(/SECRET|origin|10\.1/);
  });

  it('counts its viewers', () => {
    const { channel: relay, clock } = channel();
    relay.see('10.0.0.1', 'one');
    relay.see('10.0.0.1', 'two');
    relay.see('10.0.0.1', 'one');
    expect(relay.viewers).toBe(2);
    clock.advance(16_000);
    expect(relay.viewers).toBe(0);
  });

  it('lets go of everything when it is closed, and tells those who wait', async () => {
    const { channel: relay, source, clock } = channel();
    source.playlist('v0').push(low(10, 3, 1));
    const held = relay.playlist('v0', { position: { msn: 13, part: 1 }, signal: SIGNAL });
    held.catch(() => undefined);
    await settled();
    await relay.close();
    await expect(held).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(source.playlist('v0').releases).toBe(1);
    await expect(relay.playlist('v0', { signal: SIGNAL })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await settled();
    expect(clock.pending).toBe(0);
  });
});
