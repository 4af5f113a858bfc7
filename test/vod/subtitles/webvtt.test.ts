import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cleanCueSettings, cleanCueText } from '../../../src/vod/subtitles/cue-text.ts';
import { MAX_CUES, readWebVtt } from '../../../src/vod/subtitles/webvtt-reader.ts';
import { writeSubtitleSegment, writeWebVtt } from '../../../src/vod/subtitles/webvtt-writer.ts';

const cue = (startMs: number, endMs: number, text: string, settings = '') => ({ startMs, endMs, settings, text });
const segment = (cues: Parameters<typeof writeWebVtt>[0], fromMs: number, toMs: number): string =>
  writeSubtitleSegment(cues, { fromMs, toMs, originTicks: 900_000 }).toString();

describe('reading WebVTT', () => {
  it('reads what ffmpeg writes, also a text with a blank line in it', () => {
    const text =
      'WEBVTT\n\n00:01.000 --> 00:04.000\n<i>Italic</i> and\n\nblank <b>bold</b>\n\n01:00:06.500 --> 01:00:07.000\nlate\n';
    expect(readWebVtt(text)).toEqual([
      cue(1_000, 4_000, '<i>Italic</i> and\nblank <b>bold</b>'),
      cue(3_606_500, 3_607_000, 'late'),
    ]);
  });

  it('reads identifiers, settings, other line ends and a missing header, and leaves comments and styles out', () => {
    const header =
      '\uFEFFWEBVTT - title\r\nKind: captions\r\n\r\nSTYLE\r\n::cue { background: url(x) }\r\n\r\nNOTE of\r\nnobody\r\n\r\n';
    const body = 'intro\r\n00:01,000 --> 00:02,000 line:10% region:r align:start\r\n<v Bob>Hi\r\n';
    const expected = [cue(1_000, 2_000, '<v Bob>Hi', 'line:10% align:start')];
    expect(readWebVtt(header + body)).toEqual(expected);
    expect(readWebVtt(body)).toEqual(expected);
  });

  it('sorts cues, drops those without duration, without text, or doubled, and takes the offset off', () => {
    const lines = ['00:05.000 --> 00:06.000\nb', '00:03.000 --> 00:04.000\na', '00:03.000 --> 00:04.000\na'];
    const dropped = ['00:05.500 --> 00:05.500\nzero', '00:05.000 --> 00:07.000\n<x>', '00:00.500 --> 00:01.500\ngone'];
    const early = '00:01.000 --> 00:02.600\nearly';
    expect(readWebVtt(`WEBVTT\n\n${[...lines, ...dropped, early].join('\n\n')}`, 1_500)).toEqual([
      cue(0, 1_100, 'early'),
      cue(1_500, 2_500, 'a'),
      cue(3_500, 4_500, 'b'),
    ]);
  });

  it('reads no more cues than the limit', () => {
    const block = (index: number): string => `00:00.000 --> 00:01.000\n${index}\n\n`;
    expect(readWebVtt(Array.from({ length: MAX_CUES + 1 }, (_, index) => block(index)).join(''))).toHaveLength(
      MAX_CUES,
    );
  });

  it('survives any text, and reads back what it wrote', () => {
    const line = fc.oneof(
      fc.constantFrom(
        '',
        'WEBVTT',
        'NOTE',
        '00:01.000 --> 00:02.000',
        '00:00.500 --> 99:00:00.000 line:1',
        'a --> b',
        '&amp;',
        '<c.x>',
      ),
      fc.string({ unit: 'binary', maxLength: 30 }),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 30 }), fc.integer({ min: 0, max: 3_000 }), (lines, offsetMs) => {
        const cues = readWebVtt(lines.join('\n'), offsetMs);
        for (const { startMs, endMs, text } of cues) {
          expect(endMs).toBeGreaterThan(startMs);
          expect(text).not.toMatch(/-->|\n\n|^$/);
        }
        expect(readWebVtt(writeWebVtt(cues).toString())).toEqual(cues);
      }),
    );
  });
});

describe('cue text', () => {
  it.each([
    [
      '<i>a</i> <b>b</b> <u>c</u> <c.yellow.bg_blue>d</c> <v Bob>e',
      '<i>a</i> <b>b</b> <u>c</u> <c.yellow.bg_blue>d</c> <v Bob>e',
    ],
    ['<00:00:01.500>ka<00:02.000>ra', '<00:00:01.500>ka<00:02.000>ra'],
    ['<script src="x">alert(1)</script><font color=red>x</font>', 'alert(1)x'],
    ['AT&T &amp; 1 < 2 > 0 <3', 'AT&amp;T &amp; 1 &lt; 2 &gt; 0 &lt;3'],
    ['00:01.000 --> 00:02.000', '00:01.000 --&gt; 00:02.000'],
    ['  a  \n\n\t\n b\u0007', 'a\nb'],
    ['m 0 0 l 100 0 100 100 0 100', ''],
    ['m 5 people', 'm 5 people'],
    ['<v Bob" onclick="x>y', '<v Bob" onclick="x>y'],
  ])('makes %j %j', (raw, clean) => {
    expect(cleanCueText(raw)).toBe(clean);
    expect(cleanCueText(clean)).toBe(clean);
  });

  it('is cut off at its limit', () => {
    expect(cleanCueText('x'.repeat(5_000))).toHaveLength(2_000);
  });

  it('keeps settings that WebVTT knows', () => {
    expect(cleanCueSettings('line:10%,end position:5% foo:1 region:a size:<b> align:start vertical:rl')).toBe(
      'line:10%,end position:5% align:start vertical:rl',
    );
  });
});

describe('a subtitle segment', () => {
  const cues = [cue(500, 6_000, 'long'), cue(1_000, 2_000, 'a', 'line:0'), cue(4_000, 4_500, 'b')];

  it('holds every cue that is seen in it, with its whole time', () => {
    const header = 'WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\n\n';
    const long = '00:00:00.500 --> 00:00:06.000\nlong\n\n';
    expect(segment(cues, 0, 2_000)).toBe(`${header}${long}00:00:01.000 --> 00:00:02.000 line:0\na\n\n`);
    expect(segment(cues, 2_000, 4_000)).toBe(`${header}${long}`);
    expect(segment(cues, 4_000, 8_000)).toBe(`${header}${long}00:00:04.000 --> 00:00:04.500\nb\n\n`);
    expect(segment(cues, 6_000, 8_000)).toBe(header);
  });

  it('has a limit', () => {
    const crowd = Array.from({ length: 2_000 }, (_, index) => cue(0, 1_000, `sign ${index}`));
    expect(readWebVtt(segment(crowd, 0, 1_000))).toHaveLength(500);
  });
});
