import { describe, expect, it } from 'vitest';
import { parseMediaPlaylist } from '../../../../src/upstream/playlist/media-playlist.ts';
import { filmTrack, fingerprintOf, segmentAt } from '../../../../src/vod/source/film/film-track.ts';

const HEAD = ['#EXTM3U', '#EXT-X-VERSION:7', '#EXT-X-TARGETDURATION:6', '#EXT-X-MEDIA-SEQUENCE:5'];

function track(lines: readonly string[], head = HEAD): ReturnType<typeof filmTrack> {
  const text = [...head, ...lines, '#EXT-X-ENDLIST'].join('\n');
  return filmTrack(parseMediaPlaylist(text, new URL('http://origin.test/film/index.m3u8?t=1')));
}

function segments(count: number, durationS = 6): string[] {
  return Array.from({ length: count }, (_, index) => [`#EXTINF:${durationS},`, `${index}.ts?t=9`]).flat();
}

const second = 90_000;

describe('a film', () => {
  it('tells what to fetch, and how to decrypt it', () => {
    const {
      init,
      segments: pieces,
      startsMs,
    } = track([
      ...[
        '#EXT-X-KEY:METHOD=AES-128,URI="k?t=1",IV=0x01',
        '#EXT-X-MAP:URI="i.mp4",BYTERANGE="9@1"',
        '#EXTINF:4,',
        'a.m4s',
      ],
      ...['#EXT-X-KEY:METHOD=AES-128,URI="k2"', '#EXTINF:5,', 'b.m4s', '#EXT-X-KEY:METHOD=NONE', '#EXTINF:1,', 'c.m4s'],
    ]);
    expect(init).toMatchObject({ href: 'http://origin.test/film/i.mp4', byteRange: { offset: 1, length: 9 } });
    expect(pieces.map(({ key }) => [key?.href, key?.iv.at(-1)])).toEqual([
      ['http://origin.test/film/k?t=1', 1],
      ['http://origin.test/film/k2', 6],
      [undefined, undefined],
    ]);
    expect([...startsMs]).toEqual([0, 4_000, 9_000, 10_000]);
  });

  it('is the same whatever the queries of its addresses are, and another with other durations, paths or ranges', () => {
    const facts = (...lines: string[]): string => JSON.stringify(fingerprintOf(track(lines)));
    const plain = facts('#EXTINF:6,', 'a.ts?token=1');
    expect(facts('#EXTINF:6,', 'http://edge7.test/film/a.ts?token=2')).toBe(plain);
    for (const other of [
      ['#EXTINF:6.01,', 'a.ts'],
      ['#EXTINF:6,', 'b.ts'],
      ['#EXTINF:6,', '#EXT-X-BYTERANGE:5@1', 'a.ts'],
    ]) {
      expect(facts(...other)).not.toBe(plain);
    }
  });

  it.each<[string, string[], RegExp]>([
    ['with a break', [...segments(1), '#EXT-X-DISCONTINUITY', ...segments(1)], /several films.*api\/v1\/sources/],
    ['with a gap', [...segments(1), '#EXT-X-GAP', ...segments(1)], /leaves a segment out/],
    [
      'with another initialization section',
      ['#EXT-X-MAP:URI="a"', ...segments(1), '#EXT-X-MAP:URI="b"', ...segments(1)],
      /several films/,
    ],
    ['without segments', ['#EXT-X-TARGETDURATION:6'], /no segments/],
    ['of I-frames', ['#EXT-X-I-FRAMES-ONLY', ...segments(1)], /no segments/],
    ['with DRM', ['#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://x",KEYFORMAT="com.apple"', ...segments(1)], /encrypted/],
    ['with encrypted samples', ['#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k"', ...segments(1)], /encrypted/],
  ])('is refused %s', (_, lines, message) => {
    expect(() => track(lines)).toThrow(message);
  });

  it('begins with a break, or has its initialization section named twice, like any other', () => {
    expect(track(['#EXT-X-DISCONTINUITY', ...segments(1)]).segments).toHaveLength(1);
    const map = '#EXT-X-MAP:URI="a?t=1"';
    expect(track([map, ...segments(1), '#EXT-X-MAP:URI="a?t=2"', ...segments(1)]).segments).toHaveLength(2);
  });

  it('needs its end', () => {
    const text = [...HEAD, ...segments(2)].join('\n');
    const read = (more = ''): unknown => filmTrack(parseMediaPlaylist(text + more, new URL('http://origin.test/')));
    expect(read).toThrow(/no end/);
    expect(() => read('\n#EXT-X-PLAYLIST-TYPE:EVENT')).toThrow(/no end/);
    expect(() => read('\n#EXT-X-PLAYLIST-TYPE:VOD')).not.toThrow();
  });
});

describe('the segment to begin with', () => {
  const film = track(segments(10));
  const at = (seconds: number, endSeconds = 60, from = film): number =>
    segmentAt(from, { ticks: seconds * second, endTicks: endSeconds * second });

  it('is the one that the place is in', () => {
    expect([0, 5.9, 6, 29, 30, 59.9, 70].map((seconds) => at(seconds))).toEqual([0, 0, 1, 4, 5, 9, 9]);
    expect(segmentAt(film, undefined)).toBe(0);
    expect(segmentAt(film, { lastSegments: 2 })).toBe(8);
  });

  it('is earlier where the durations do not fit the real end', () => {
    expect(at(30, 61)).toBe(4);
    expect(at(30, 58)).toBe(4);
    // Rounded to whole seconds, as old playlists have them.
    expect(
      at(
        30,
        60,
        track(
          segments(10),
          HEAD.filter((line) => !line.includes('VERSION')),
        ),
      ),
    ).toBe(3);
  });
});
