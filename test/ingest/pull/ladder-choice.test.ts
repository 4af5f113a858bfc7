import { describe, expect, it } from 'vitest';
import { chooseLadder } from '../../../src/ingest/pull/ladder-choice.ts';
import { ladderOf } from '../../../src/upstream/follow/upstream-ladder.ts';
import { parseMultivariant } from '../../../src/upstream/playlist/multivariant-playlist.ts';

const BASE = new URL('http://tv.example/index.m3u8');
const LARGE = 'RESOLUTION=1280x720';
const SMALL = 'RESOLUTION=640x360';

/** What is chosen of a multivariant playlist with these lines. */
function chosen(...lines: string[]) {
  return chooseLadder(ladderOf(parseMultivariant(['#EXTM3U', ...lines, ''].join('\n'), BASE)));
}

const variant = (name: string, attributes: string): string => `#EXT-X-STREAM-INF:${attributes}\n${name}.m3u8`;
const sound = (group: string, uri?: string): string =>
  `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="${group}",NAME="en",DEFAULT=YES${uri === undefined ? '' : `,URI="${uri}"`}`;

describe('chooseLadder', () => {
  it('takes a source that is one playlist as it is', () => {
    expect(chooseLadder(ladderOf())).toEqual({ main: 'v0', audio: undefined });
  });

  it('takes the largest picture, and its sound where that is apart', () => {
    const variants = [
      variant('small', `BANDWIDTH=5000000,${SMALL},AUDIO="a"`),
      variant('large', `BANDWIDTH=900000,${LARGE},AUDIO="a"`),
    ];
    expect(chosen(sound('a', 'en.m3u8'), ...variants)).toEqual({ main: 'v1', audio: 'a0' });
    expect(chosen(sound('a'), ...variants)).toEqual({ main: 'v1', audio: undefined });
  });

  it('reads no playlist twice that is listed as picture and as sound', () => {
    expect(chosen(sound('a', 'radio.m3u8'), variant('radio', 'BANDWIDTH=64000,CODECS="mp4a.40.2",AUDIO="a"'))).toEqual({
      main: 'v0',
      audio: undefined,
    });
  });

  it('takes the same picture with a sound that can be carried', () => {
    const lines = [
      ...[sound('dolby', 'dolby.m3u8'), sound('aac', 'aac.m3u8')],
      variant('one', `BANDWIDTH=3000000,${LARGE},CODECS="avc1.64001f,ec-3",AUDIO="dolby"`),
      variant('two', `BANDWIDTH=2000000,${LARGE},CODECS="avc1.64001f,mp4a.40.2",AUDIO="aac"`),
      variant('three', `BANDWIDTH=1000000,${SMALL},CODECS="avc1.64001f,mp4a.40.2",AUDIO="aac"`),
    ];
    expect(chosen(...lines)).toEqual({ main: 'v1', audio: 'a1' });
    expect(chosen(lines[0]!, lines[2]!)).toEqual({ main: 'v0', audio: 'a0' });
  });

  it('refuses a source without anything that can be decoded', () => {
    expect(() => chosen(variant('one', `BANDWIDTH=1000,${LARGE},CODECS="mp2v.1"`))).toThrow(/none of the 1 variants/);
  });
});
