import { describe, expect, it } from 'vitest';
import { ladderOf, uriOf } from '../../../src/upstream/follow/upstream-ladder.ts';
import { type MultivariantPlaylist, parseMultivariant } from '../../../src/upstream/playlist/multivariant-playlist.ts';

const BASE = new URL('http://upstream.test/live/master.m3u8');

function multivariant(lines: readonly string[]): MultivariantPlaylist {
  return parseMultivariant(['#EXTM3U', ...lines].join('\n'), BASE);
}

function variant(uri: string, bandwidth: number, more = ''): string[] {
  return [`#EXT-X-STREAM-INF:BANDWIDTH=${bandwidth}${more}`, uri];
}

function media(type: string, uri: string, more: string): string {
  return `#EXT-X-MEDIA:TYPE=${type},GROUP-ID="g",URI="${uri}",${more}`;
}

const first = multivariant([
  media('AUDIO', 'de.m3u8', 'NAME="Deutsch",LANGUAGE="de",DEFAULT=YES'),
  media('AUDIO', 'en.m3u8', 'NAME="English",LANGUAGE="en"'),
  '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="inside",NAME="inside"',
  media('SUBTITLES', 'subs.m3u8', 'NAME="Deutsch",LANGUAGE="de"'),
  ...variant('high.m3u8', 5_000_000, ',RESOLUTION=1920x1080,AUDIO="g"'),
  ...variant('low.m3u8', 1_000_000, ',RESOLUTION=640x360,AUDIO="g"'),
  ...variant('low.m3u8', 1_100_000, ',RESOLUTION=640x360,AUDIO="inside"'),
  '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=200000,URI="iframes.m3u8"',
]);

describe('what an upstream offers', () => {
  it('has an id for each address, in the order of the playlist', () => {
    const { renditions, playlist } = ladderOf(first);
    expect(playlist).toBe(first);
    expect(renditions.map(({ id, variant: of, media: by }) => `${id} ${(of ?? by)?.uri?.pathname}`)).toEqual([
      ...['v0 /live/high.m3u8', 'v1 /live/low.m3u8', 'v1 /live/low.m3u8'],
      ...['a0 /live/de.m3u8', 'a1 /live/en.m3u8', 's0 /live/subs.m3u8', 'i0 /live/iframes.m3u8'],
    ]);
  });

  it('is one variant for a source that is one playlist', () => {
    const { renditions, playlist } = ladderOf();
    expect(playlist).toBeUndefined();
    expect(renditions).toEqual([{ id: 'v0', kind: 'variant', variant: undefined, media: undefined }]);
  });

  it('is found again at another address by its attributes', () => {
    const other = multivariant([
      media('AUDIO', 'b/en.m3u8', 'NAME="English",LANGUAGE="en",DEFAULT=YES'),
      media('AUDIO', 'b/de.m3u8', 'NAME="German",LANGUAGE="de"'),
      ...variant('b/low.m3u8', 4_900_000, ',RESOLUTION=640x360'),
      ...variant('b/middle.m3u8', 5_000_000, ',RESOLUTION=1280x720'),
      ...variant('b/high.m3u8', 4_000_000, ',RESOLUTION=1920x1080'),
    ]);
    const found = ladderOf(first).renditions.map((rendition) => [rendition.id, uriOf(rendition, other)?.pathname]);
    expect(Object.fromEntries(found)).toEqual({
      ...{ v0: '/live/b/high.m3u8', v1: '/live/b/low.m3u8', a0: '/live/b/de.m3u8', a1: '/live/b/en.m3u8' },
      ...{ s0: undefined, i0: undefined },
    });
  });

  it('is the nearest variant where none has the same picture', () => {
    const other = multivariant([...variant('b/1.m3u8', 900_000), ...variant('b/2.m3u8', 4_000_000)]);
    const [high, low] = ladderOf(first).renditions;
    expect(uriOf(high!, other)?.pathname).toBe('/live/b/2.m3u8');
    expect(uriOf(low!, other)?.pathname).toBe('/live/b/1.m3u8');
  });

  it('is the best variant for a source that was one playlist before', () => {
    expect(uriOf(ladderOf().renditions[0]!, first)?.pathname).toBe('/live/high.m3u8');
  });
});
