import { afterEach, describe, expect, it } from 'vitest';
import type { Keyframe } from '../../src/stills/keyframe.ts';
import { StillRenderer } from '../../src/stills/still-renderer.ts';
import { Storyboard } from '../../src/stills/storyboard.ts';
import {
  colourDistance,
  colourKeyframes,
  decodeJpeg,
  listKeyframes,
  noisy,
  type Picture,
} from '../support/pictures.ts';

const NEAR = 14;
/** When a sheet of tiles 10 s apart begins. */
const SHEET = 7_000_000;
const SHEET_MS = SHEET * 250_000;

/** Colours far enough from each other, and from black, to be told apart. */
const COLOURS = Array.from({ length: 27 }, (_, index) =>
  [index % 3, Math.floor(index / 3) % 3, Math.floor(index / 9)].reduce(
    (colour, step) => colour * 256 + 60 + step * 80,
    0,
  ),
);

const renderers: StillRenderer[] = [];
afterEach(async () => {
  for (const renderer of renderers.splice(0)) await renderer.close();
});

function stage(keyframes: readonly Keyframe[]): {
  storyboard: Storyboard;
  renderer: StillRenderer;
  reads: () => number;
} {
  const renderer = new StillRenderer({ binaryPath: 'ffmpeg' });
  renderers.push(renderer);
  let reads = 0;
  const counted = (keyframe: Keyframe): Keyframe => ({
    ...keyframe,
    read: () => {
      reads += 1;
      return keyframe.read();
    },
  });
  const source = (broadcast: string): Keyframe[] => (broadcast === 'live/demo' ? keyframes.map(counted) : []);
  return { storyboard: new Storyboard({ keyframes: source, renderer }), renderer, reads: () => reads };
}

interface Cue {
  readonly startS: number;
  readonly endS: number;
  readonly sheet: number;
  readonly box: readonly number[];
}

function readVtt(vtt: string): Cue[] {
  const [header, note, ...cues] = vtt.trimEnd().split('\n\n');
  expect(header).toBe('WEBVTT');
  expect(note).toMatch(/^NOTE 00:00:00\.000 is \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  return cues.map((cue) => {
    const parsed = /^(\S+) --> (\S+)\nstoryboard-(\d+)\.jpg#xywh=(\d+),(\d+),(\d+),(\d+)$/.exec(cue);
    const [start = '', end = '', sheet, ...box] = parsed?.slice(1) ?? [];
    return { startS: seconds(start), endS: seconds(end), sheet: Number(sheet), box: box.map(Number) };
  });
}

function seconds(timestamp: string): number {
  const parts = /^(\d\d):([0-5]\d):([0-5]\d\.\d{3})$/.exec(timestamp)?.slice(1).map(Number) ?? [];
  return (parts[0] ?? NaN) * 3600 + (parts[1] ?? NaN) * 60 + (parts[2] ?? NaN);
}

/** The pixel in the middle of a tile. */
function middle(picture: Picture, [x = 0, y = 0, width = 0, height = 0]: readonly number[]): [number, number, number] {
  return picture.at(x + width / 2, y + height / 2);
}

describe('Storyboard', () => {
  it('shows each keyframe at the place that its cue names, across sheets', async () => {
    const media = await colourKeyframes(COLOURS);
    const { storyboard } = stage(listKeyframes(media, { startMs: SHEET_MS + 30_000 }));
    const cues = readVtt(storyboard.vtt('live/demo'));
    expect(cues).toHaveLength(COLOURS.length);
    expect(cues[0]).toEqual({ startS: 0, endS: 10, sheet: SHEET, box: [480, 0, 160, 90] });
    expect(cues[22]).toEqual({ startS: 220, endS: 230, sheet: SHEET + 1, box: [0, 0, 160, 90] });
    const pictures = new Map<number, Picture>();
    for (const sheet of [SHEET, SHEET + 1]) {
      pictures.set(sheet, await decodeJpeg(await storyboard.sprite('live/demo', sheet)));
    }
    for (const { width, height } of pictures.values()) expect([width, height]).toEqual([800, 450]);
    for (const [index, { sheet, box }] of cues.entries()) {
      expect(colourDistance(middle(pictures.get(sheet)!, box), COLOURS[index]!)).toBeLessThan(NEAR);
    }
    expect(colourDistance(pictures.get(SHEET)!.at(400, 45), 0)).toBeLessThan(NEAR);
    expect(colourDistance(pictures.get(SHEET + 1)!.at(799, 449), 0)).toBeLessThan(NEAR);
  });

  it('shows the first keyframe of each tile when segments are shorter, in any order of their own times', async () => {
    const media = (await colourKeyframes(COLOURS.slice(0, 20))).reverse();
    const { storyboard, reads } = stage(listKeyframes(media, { startMs: SHEET_MS + 4_000, durationMs: 4_000 }));
    const cues = readVtt(storyboard.vtt('live/demo'));
    expect(cues.map(({ startS }) => startS)).toEqual([0, 8, 16, 28, 36, 48, 56, 68, 76]);
    expect(cues.map(({ endS }) => endS)).toEqual([8, 16, 28, 36, 48, 56, 68, 76, 80]);
    const picture = await decodeJpeg(await storyboard.sprite('live/demo', SHEET));
    for (const { startS, box } of cues) {
      expect(colourDistance(middle(picture, box), COLOURS[19 - startS / 4]!)).toBeLessThan(NEAR);
    }
    expect(reads()).toBe(cues.length);
  });

  it('takes publishers that return with another size, and back, into one sheet', async () => {
    const wide = await colourKeyframes(COLOURS.slice(0, 6));
    const narrow = await colourKeyframes(COLOURS.slice(6, 9), { size: '180x320' });
    const { storyboard } = stage(
      listKeyframes([...wide.slice(0, 3), ...narrow, ...wide.slice(3)], { startMs: SHEET_MS }),
    );
    const picture = await decodeJpeg(await storyboard.sprite('live/demo', SHEET));
    const expected = [0, 1, 2, 6, 7, 8, 3, 4, 5].map((index) => COLOURS[index]!);
    for (const [index, { box }] of readVtt(storyboard.vtt('live/demo')).entries()) {
      expect(colourDistance(middle(picture, box), expected[index]!)).toBeLessThan(NEAR);
      const leftEdge = picture.at(box[0]! + 20, box[1]! + 45);
      expect(colourDistance(leftEdge, [3, 4, 5].includes(index) ? 0 : expected[index]!)).toBeLessThan(NEAR);
    }
  });

  it('takes a picture that changes its size in the stream itself', async () => {
    const inBand = [
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
      '-bf',
      '0',
      '-pix_fmt',
      'yuv420p',
      '-bsf:v',
      'dump_extra',
    ];
    const wide = await colourKeyframes(COLOURS.slice(0, 3), { encoder: inBand });
    const narrow = await colourKeyframes(COLOURS.slice(3, 5), { encoder: inBand, size: '180x320' });
    const disguised = narrow.map(({ fragment }) => ({ init: wide[0]!.init, fragment }));
    const { storyboard } = stage(listKeyframes([...wide, ...disguised, ...wide], { startMs: SHEET_MS }));
    const picture = await decodeJpeg(await storyboard.sprite('live/demo', SHEET));
    const expected = [0, 1, 2, 3, 4, 0, 1, 2].map((index) => COLOURS[index]!);
    for (const [index, { box }] of readVtt(storyboard.vtt('live/demo')).entries()) {
      expect(colourDistance(middle(picture, box), expected[index]!)).toBeLessThan(NEAR);
    }
  });

  it('has tiles of the shape of the picture', async () => {
    const { storyboard } = stage(listKeyframes(await colourKeyframes([0xff8000], { size: '180x320' })));
    expect(readVtt(storyboard.vtt('live/demo'))[0]?.box).toEqual([0, 0, 160, 284]);
    const { width, height } = await decodeJpeg(await storyboard.sprite('live/demo', 0));
    expect([width, height]).toEqual([800, 1420]);
  });

  it('makes a sheet anew only when it has got another tile, and never once it is over', async () => {
    const all = listKeyframes(await colourKeyframes(COLOURS), { startMs: SHEET_MS, durationMs: 5_000 });
    const many = [...all, ...all.map((keyframe, index) => ({ ...keyframe, ...later(index) }))];
    const listed = many.slice(0, 3);
    const { storyboard, reads } = stage(listed);
    const asked = await Promise.all([1, 2, 3].map(() => storyboard.sprite('live/demo', SHEET)));
    expect([new Set(asked).size, reads()]).toEqual([1, 2]);
    listed.push(many[3]!);
    expect(await storyboard.sprite('live/demo', SHEET)).toBe(asked[0]);
    listed.push(many[4]!);
    expect(await storyboard.sprite('live/demo', SHEET)).not.toBe(asked[0]);
    expect(reads()).toBe(5);
    listed.push(...many.slice(5));
    const complete = await storyboard.sprite('live/demo', SHEET);
    listed.splice(0, 20);
    expect(await storyboard.sprite('live/demo', SHEET)).toBe(complete);
    expect(readVtt(storyboard.vtt('live/demo'))[0]).toMatchObject({ startS: 0, sheet: SHEET, box: [0, 180, 160, 90] });
  });

  it('leaves out what is gone or spoilt, and says what is wrong when nothing is left', async () => {
    const media = await colourKeyframes(COLOURS.slice(0, 4));
    const listed = listKeyframes(media, { startMs: SHEET_MS });
    const gone = { ...listed[0]!, read: () => Promise.resolve(undefined) };
    const broken = { ...listed[1]!, read: () => Promise.resolve(Buffer.alloc(500, 'x')) };
    const unreadable = { ...listed[2]!, read: () => Promise.reject(new Error('the disk is broken')) };
    const { storyboard } = stage([gone, broken, unreadable, listed[3]!]);
    const picture = await decodeJpeg(await storyboard.sprite('live/demo', SHEET));
    const colours = [0, 0, 0, COLOURS[3]!];
    for (const [index, colour] of colours.entries()) {
      expect(colourDistance(picture.at(index * 160 + 80, 45), colour)).toBeLessThan(NEAR);
    }
    const nothing = stage([gone]).storyboard.sprite('live/demo', SHEET);
    await expect(nothing).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const noise = { ...listed[0]!, read: () => Promise.resolve(noisy(media[0]!.fragment)) };
    const hostile = stage([noise]);
    const answers = [1, 2].map(() => hostile.storyboard.sprite('live/demo', SHEET));
    for (const answer of answers) await expect(answer).rejects.toMatchObject({ code: 'TRANSCODER_FAILED' });
    await expect(hostile.storyboard.sprite('live/demo', SHEET)).rejects.toMatchObject({ code: 'TRANSCODER_FAILED' });
    expect(hostile.reads()).toBe(1);
    const noInit = stage([{ ...listed[0]!, init: Buffer.alloc(100) }]).storyboard;
    await expect(noInit.sprite('live/demo', SHEET)).rejects.toMatchObject({ code: 'BAD_MEDIA' });
  });

  it('shows every other keyframe in its own place when one of them cannot be decoded', async () => {
    const media = await colourKeyframes(COLOURS.slice(0, 5));
    const spoilt = media.map((one, index) => (index % 4 === 0 ? { ...one, fragment: noisy(one.fragment) } : one));
    const { storyboard } = stage(listKeyframes(spoilt, { startMs: SHEET_MS }));
    const picture = await decodeJpeg(await storyboard.sprite('live/demo', SHEET));
    for (const index of [1, 2, 3]) {
      expect(colourDistance(picture.at(index * 160 + 80, 45), COLOURS[index]!)).toBeLessThan(NEAR);
    }
  });

  it('knows neither other broadcasts nor sheets outside of the window', async () => {
    const { storyboard } = stage(listKeyframes(await colourKeyframes([0xff0000]), { startMs: SHEET_MS }));
    for (const sheet of [SHEET - 1, SHEET + 1, -1, 0.5, Number.MAX_SAFE_INTEGER]) {
      await expect(storyboard.sprite('live/demo', sheet)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
    await expect(storyboard.sprite('live/other', SHEET)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(() => storyboard.vtt('live/other')).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
  });
});

/** The second half of a long list. */
function later(index: number): Partial<Keyframe> {
  const place = COLOURS.length + index;
  return { msn: 7 + place, programDateTimeMs: SHEET_MS + place * 5_000 };
}
