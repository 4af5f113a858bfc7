import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gapsOf, numbersOf, offsetOf, PullRig, row } from '../../support/pull-rig.ts';
import { probeTs } from '../../support/transport-streams.ts';
import { type MadeSegment, makeMedia } from '../../support/upstream/made-media.ts';
import { encrypted, ScriptedChannel, type ScriptedRendition } from '../../support/upstream/scripted-channel.ts';
import type { ScriptedSegment } from '../../support/upstream/scripted-playlist.ts';

const film = await makeMedia({ seconds: 4 });
let rig: PullRig;

beforeEach(async () => {
  rig = await PullRig.start(15);
});

afterEach(() => rig.close());

/** A recording with one variant, or these renditions. */
function recording(media: ScriptedRendition['media'], more: Partial<ScriptedRendition> = {}): ScriptedChannel {
  return new ScriptedChannel(rig.server, '/film', [{ name: 'v0', media, ...more }]).end();
}

/** Plays a recording to its end. */
async function play(channel: ScriptedChannel) {
  const pull = rig.pull({ urls: [channel.url] });
  await pull.done;
  return pull.status();
}

/** Numbers of the pictures of each stretch. */
function numbers(): Promise<number[][]> {
  return Promise.all(rig.stretches.map(async (stretch) => (await numbersOf(stretch)).map(({ number }) => number)));
}

/** Holes in either track, over all stretches. */
function holes(toleratedMs?: number): number[] {
  const of = (kind: 'video' | 'audio') =>
    gapsOf(
      rig.stretches.flatMap((stretch) => stretch[kind]),
      toleratedMs,
    );
  return [...of('video'), ...of('audio')];
}

/** How much later the sound begins than the picture in what the source has, in seconds. */
async function sourceOffset(segments: readonly MadeSegment[]): Promise<number> {
  const bytes = Buffer.concat(segments.map((segment) => segment.bytes));
  const [video, audio] = await Promise.all([probeTs(bytes, 'v'), probeTs(bytes, 'a')]);
  return (Math.min(...audio.map(({ pts }) => pts)) - Math.min(...video.map(({ pts }) => pts))) / 90_000;
}

describe('LadderPull, of a recording', () => {
  it('plays transport stream segments from the beginning to the end, picture and sound in step', async () => {
    const status = await play(recording(film));
    expect(status).toMatchObject({ state: 'ended', counters: { segments: 4, failedSegments: 0, stretches: 1 } });
    expect(rig.states).toEqual(['live', 'ended']);
    expect(await numbers()).toEqual([row(0, 99)]);
    expect(holes()).toEqual([]);
    expect(await offsetOf(rig.stretches[0]!)).toBeCloseTo(await sourceOffset(film.segments), 3);
    expect(rig.publication?.ended).toBe(true);
  });

  it('goes on over the turn of the source’s clock', async () => {
    const media = await makeMedia({ seconds: 4, startS: 2 ** 33 / 90_000 - 2.5 });
    await play(recording(media));
    expect(await numbers()).toEqual([row(0, 99)]);
    expect(holes()).toEqual([]);
    expect(await offsetOf(rig.stretches[0]!)).toBeCloseTo(await sourceOffset(film.segments), 3);
  });

  it('decrypts AES-128 with keys that change, with a vector and without', async () => {
    const keys = [1, 2].map((byte) => Buffer.alloc(16, byte));
    const media = encrypted(film, (index) => ({
      bytes: keys[index >> 1]!,
      ...(index % 2 === 1 && { iv: Buffer.alloc(16, 200 + index) }),
    }));
    await play(recording(media, { options: { firstSequence: 70 } }));
    expect(await numbers()).toEqual([row(0, 99)]);
    expect(rig.server.requests(/key-/)).toHaveLength(2);
  });

  it('fetches a key once more that does not fit', async () => {
    const key = Buffer.alloc(16, 7);
    const channel = recording(encrypted(film, () => ({ bytes: key })));
    let keys = 0;
    rig.server.route(/key-0/, () => ((keys += 1) === 1 ? { body: Buffer.alloc(16, 8) } : undefined));
    await play(channel);
    expect(await numbers()).toEqual([row(0, 99)]);
    expect(keys).toBe(2);
  });

  it('says what cannot be decoded', async () => {
    const tag = '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://one",KEYFORMAT="com.apple.streamingkeydelivery"';
    const { state, lastError } = await play(recording(film, { options: { tags: [tag] } }));
    expect(state).toBe('failed');
    expect(lastError).toMatch(/encrypted with SAMPLE-AES .* use mode "relay"/);
  });

  it('says that Common Encryption cannot be decoded', async () => {
    const { segments } = await makeMedia({ container: 'fmp4', seconds: 4 });
    const init = Buffer.from(segments[0]!.init!);
    init.write('encv', init.indexOf('avc1', init.indexOf('stsd')), 'latin1');
    const media = segments.map((segment) => ({ ...segment, init }));
    const { state, lastError } = await play(recording(media, { options: { extension: 'm4s' } }));
    expect(state).toBe('failed');
    expect(lastError).toMatch(/Common Encryption, .* use mode "relay"/);
  });

  it('plays fragmented MP4 with its sound in a playlist of its own, and leaves out that of the variant', async () => {
    const picture = await makeMedia({ container: 'fmp4', seconds: 4 });
    const sound = await makeMedia({ container: 'fmp4', seconds: 4, video: false, segmentSeconds: 2, audio: 880 });
    const renditions = [{ name: 'v0', media: picture }, { name: 'en', kind: 'audio', media: sound } as const];
    await play(new ScriptedChannel(rig.server, '/film', renditions).end());
    expect(await numbers()).toEqual([row(0, 99)]);
    expect(holes()).toEqual([]);
    expect(rig.stretches[0]!.audio.length).toBeGreaterThan(180);
    expect(rig.stretches[0]!.audio.length).toBeLessThan(195);
    expect(Math.abs(await offsetOf(rig.stretches[0]!))).toBeLessThan(0.05);
  });

  it('plays fragmented MP4 with its sound inside', async () => {
    await play(recording(await makeMedia({ container: 'fmp4', seconds: 4 })));
    expect(await numbers()).toEqual([row(0, 99)]);
    expect(holes()).toEqual([]);
    expect(Math.abs(await offsetOf(rig.stretches[0]!))).toBeLessThan(0.05);
  });

  it('plays sound without a picture', async () => {
    await play(recording(await makeMedia({ seconds: 4, video: false })));
    expect(rig.stretches[0]!.audio.length).toBeGreaterThan(180);
    expect(holes()).toEqual([]);
  });
});

/** Where sound begins, in s after the picture, once the frames that end before the picture are left out. */
function withoutLead(offsetS: number): number {
  const frameS = 1_024 / 48_000;
  return offsetS + Math.max(0, Math.round((-offsetS - frameS) / frameS)) * frameS;
}

describe('LadderPull, where a recording breaks', () => {
  const breaking = (segments: readonly MadeSegment[]): ScriptedSegment[] =>
    segments.map((segment, index) => ({ ...segment, discontinuity: index === 0 }));

  it('begins a stretch at each end of an advertisement of another size and clock, without a hole', async () => {
    const ad = await makeMedia({ seconds: 2, size: '160x90', startS: 0, firstNumber: 500, bFrames: 0 });
    const [before, after] = [film.segments.slice(0, 2), film.segments.slice(2)];
    await play(recording([...before, ...breaking(ad.segments), ...breaking(after)]));
    expect(await numbers()).toEqual([row(0, 49), row(500, 549), row(50, 99)]);
    expect(holes(100)).toEqual([]);
    for (const [index, segments] of [before, ad.segments, after].entries()) {
      expect(await offsetOf(rig.stretches[index]!)).toBeCloseTo(withoutLead(await sourceOffset(segments)), 2);
    }
  });

  it('goes on with the picture alone where an advertisement has no sound', async () => {
    const ad = await makeMedia({ seconds: 2, startS: 0, firstNumber: 500, audio: false });
    await play(
      recording([...film.segments.slice(0, 2), ...breaking(ad.segments), ...breaking(film.segments.slice(2))]),
    );
    expect(await numbers()).toEqual([row(0, 49), row(500, 549), row(50, 99)]);
    expect(rig.stretches.map(({ audio }) => audio.length > 50)).toEqual([true, false, true]);
  });

  it('notices a clock that is reset without a word', async () => {
    const other = await makeMedia({ seconds: 2, startS: 5_000, firstNumber: 100 });
    await play(recording([...film.segments, ...other.segments]));
    expect(await numbers()).toEqual([row(0, 99), row(100, 149)]);
    expect(holes(100)).toEqual([]);
  });

  it('notices a clock of fragmented MP4 that is reset without a word', async () => {
    const one = await makeMedia({ container: 'fmp4', seconds: 4 });
    const init = one.segments[0]!.init!;
    const other = await makeMedia({ container: 'fmp4', seconds: 2, startS: 0, firstNumber: 500 });
    const media = [...one.segments, ...other.segments.map((segment) => ({ ...segment, init }))];
    await play(recording(media, { options: { extension: 'm4s' } }));
    expect(await numbers()).toEqual([row(0, 99), row(500, 549)]);
  });

  it('leaves out what cannot be had or used, and keeps the hole as long as it is', async () => {
    const [first, second, third, fourth] = film.segments;
    const page = { ...second!, bytes: Buffer.from('<html>not here</html>') };
    const status = await play(recording([first!, page, { ...third!, missing: true }, fourth!]));
    const [stretch, ...others] = rig.stretches;
    expect(others).toEqual([]);
    const shown = await numbersOf(stretch!);
    expect(shown.map(({ number }) => number)).toEqual([...row(0, 24), ...row(75, 99)]);
    expect(shown[25]!.pts - shown[24]!.pts).toBe(51 * 3_600);
    expect(status).toMatchObject({ state: 'ended', counters: { failedSegments: 2, segments: 2 } });
    expect(status.lastError).toMatch(/status 404/);
  });

  it('plays all of a segment whose connection broke', async () => {
    const channel = recording(film);
    rig.server.rule(/1\.ts$/, { cutAfter: 10_000, times: 2 });
    await play(channel);
    expect(await numbers()).toEqual([row(0, 99)]);
  });
});
