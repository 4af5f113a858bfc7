import { afterEach, describe, expect, it } from 'vitest';
import type { Keyframe } from '../../src/stills/keyframe.ts';
import { StillRenderer } from '../../src/stills/still-renderer.ts';
import { Thumbnailer } from '../../src/stills/thumbnailer.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { colourDistance, colourKeyframes, decodeJpeg, listKeyframes, noisy } from '../support/pictures.ts';

const NEAR = 12;
const COLOURS = [0xff0000, 0x00ff00, 0x0000ff];

let renderer: StillRenderer;
afterEach(() => renderer.close());

function stage(keyframes: Keyframe[]): { thumbnailer: Thumbnailer; clock: ManualClock; keyframes: Keyframe[] } {
  const clock = new ManualClock();
  renderer = new StillRenderer({ binaryPath: 'ffmpeg' });
  const source = (broadcast: string): Keyframe[] => (broadcast === 'live/demo' ? keyframes : []);
  return { thumbnailer: new Thumbnailer({ keyframes: source, renderer, clock }), clock, keyframes };
}

/** Counts how often each keyframe's media are read. */
function counted(keyframe: Keyframe): Keyframe & { reads: number } {
  const counting = {
    ...keyframe,
    reads: 0,
    read: () => {
      counting.reads += 1;
      return keyframe.read();
    },
  };
  return counting;
}

describe('Thumbnailer', () => {
  it('shows the newest keyframe in its own colours and shape, 320 pixels wide', async () => {
    const { thumbnailer, clock, keyframes } = stage([]);
    const listed = listKeyframes(await colourKeyframes(COLOURS, { size: '640x480' }));
    for (const [index, keyframe] of listed.entries()) {
      keyframes.push(keyframe);
      clock.advance(5_000);
      const picture = await decodeJpeg(await thumbnailer.thumbnail('live/demo'));
      expect([picture.width, picture.height]).toEqual([320, 240]);
      expect(colourDistance(picture.at(160, 120), COLOURS[index]!)).toBeLessThan(NEAR);
    }
    await expect(thumbnailer.thumbnail('live/other')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it.each([
    ['64x64', 320, 320],
    ['64x1024', 40, 640],
    ['180x320', 320, 568],
  ])('fits a picture of %s into %i x %i', async (size, width, height) => {
    const { thumbnailer } = stage(listKeyframes(await colourKeyframes([0x808080], { size })));
    const picture = await decodeJpeg(await thumbnailer.thumbnail('live/demo'));
    expect([picture.width, picture.height]).toEqual([width, height]);
  });

  it('makes a new picture at most each five seconds, and none while the keyframe is the same', async () => {
    const [red, green] = listKeyframes(await colourKeyframes(COLOURS)).map(counted);
    const { thumbnailer, clock, keyframes } = stage([red!]);
    const first = await thumbnailer.thumbnail('live/demo');
    clock.advance(60_000);
    expect(await thumbnailer.thumbnail('live/demo')).toBe(first);
    expect(red!.reads).toBe(1);
    keyframes.push(green!);
    const second = await thumbnailer.thumbnail('live/demo');
    expect(second).not.toBe(first);
    keyframes.push({ ...red!, msn: 99 });
    clock.advance(4_999);
    expect(await thumbnailer.thumbnail('live/demo')).toBe(second);
    clock.advance(1);
    expect(await thumbnailer.thumbnail('live/demo')).toEqual(first);
  });

  it('makes one picture for all who ask at once, also when some of them leave', async () => {
    const [red] = listKeyframes(await colourKeyframes([0xff0000])).map(counted);
    const { thumbnailer } = stage([red!]);
    const leaving = new AbortController();
    const asked = Array.from({ length: 20 }, () => thumbnailer.thumbnail('live/demo'));
    const left = thumbnailer.thumbnail('live/demo', leaving.signal);
    leaving.abort();
    await expect(left).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(new Set(await Promise.all(asked)).size).toBe(1);
    expect(red!.reads).toBe(1);
  });

  it.each([
    ['bytes that are no fragment', (): Buffer => Buffer.alloc(2_000, 'x'), 'BAD_MEDIA'],
    ['a cut fragment', (fragment: Buffer): Buffer => fragment.subarray(0, fragment.length - 9), 'BAD_MEDIA'],
    ['a fragment of noise', (fragment: Buffer): Buffer => noisy(fragment), 'TRANSCODER_FAILED'],
  ])('answers %s with a clear error, and tries again only with another keyframe or later', async (_, spoil, code) => {
    const [good] = await colourKeyframes([0xff0000]);
    const spoilt = counted(listKeyframes([{ init: good!.init, fragment: spoil(good!.fragment) }])[0]!);
    const { thumbnailer, clock, keyframes } = stage([spoilt]);
    await expect(thumbnailer.thumbnail('live/demo')).rejects.toMatchObject({ code });
    await expect(thumbnailer.thumbnail('live/demo')).rejects.toMatchObject({ code });
    expect(spoilt.reads).toBe(1);
    keyframes.push(...listKeyframes([good!], { msn: 8 }));
    clock.advance(5_000);
    expect(
      colourDistance((await decodeJpeg(await thumbnailer.thumbnail('live/demo'))).at(9, 9), 0xff0000),
    ).toBeLessThan(NEAR);
  });

  it('finds nothing when the media or the broadcast are gone', async () => {
    const [keyframe] = listKeyframes(await colourKeyframes([0xff0000]));
    const { thumbnailer, clock, keyframes } = stage([keyframe!]);
    await thumbnailer.thumbnail('live/demo');
    clock.advance(5_000);
    keyframes.splice(0, 1, { ...keyframe!, msn: 8, read: () => Promise.resolve(undefined) });
    await expect(thumbnailer.thumbnail('live/demo')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    keyframes.pop();
    await expect(thumbnailer.thumbnail('live/demo')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
