import fc from 'fast-check';
import { expect, it } from 'vitest';
import { AppError } from '../../../src/util/errors.ts';
import { parseMediaPlaylist } from '../../../src/upstream/playlist/media-playlist.ts';
import { parseMultivariant } from '../../../src/upstream/playlist/multivariant-playlist.ts';
import { playlistKind } from '../../../src/upstream/playlist/playlist-text.ts';

const base = new URL('http://origin.test/a/index.m3u8?q=1');

const SEGMENTS = `#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-DISCONTINUITY-SEQUENCE:2
#EXT-X-PLAYLIST-TYPE:EVENT
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5
#EXT-X-PART-INF:PART-TARGET=0.5
#EXT-X-KEY:METHOD=AES-128,URI="key?{$q}",IV=0x00ff
#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://x",KEYFORMAT="com.apple"
#EXT-X-KEY:METHOD=NONE
#EXT-X-MAP:URI="init.mp4",BYTERANGE="700@0"
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z
#EXT-X-DATERANGE:ID="x",START-DATE="2026-01-01T00:00:00Z"
#EXT-X-PART:DURATION=0.5,URI="p.mp4",BYTERANGE="10@0",INDEPENDENT=YES
#EXTINF:3.96,title
#EXT-X-BYTERANGE:500@700
#EXTINF:3.96,title|#EXT-X-BYTERANGE:500@700|seg-{$n}.mp4
#EXT-X-DISCONTINUITY
#EXT-X-GAP
#EXT-X-BITRATE:800
#EXTINF:4,|../other.ts
#EXTINF:4,|http://cdn.test/other.ts
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="p2.mp4",BYTERANGE-START=3
#EXT-X-RENDITION-REPORT:URI="b.m3u8",LAST-MSN=8
#EXT-X-ENDLIST`.split('\n');
const VARIANTS = `#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="avc1.4d001f,mp4a.40.2",RESOLUTION=320x180,AUDIO="a"|v.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=9,FRAME-RATE=29.97|../low/v.m3u8?{$n}
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="n",URI="a.m3u8"
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="i.m3u8"
#EXT-X-SESSION-KEY:METHOD=AES-128,URI="k"`.split('\n');
const ANYWHERE = `#EXT-X-VERSION:9
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-START:TIME-OFFSET=-3.5
#EXT-X-DEFINE:NAME="n",VALUE="v"
#EXT-X-DEFINE:QUERYPARAM="q"`.split('\n');
const JUNK = ['', '"', ',', '=', ':', '{$', '\0', '\ud800', '@', '-', '9e9', '\n'];

/** Lines in any order, some of them cut or with something in between. */
function damaged(lines: readonly string[]): fc.Arbitrary<string[]> {
  const line = fc.tuple(fc.constantFrom(...ANYWHERE, ...lines), fc.nat(300), fc.nat(60), fc.constantFrom(...JUNK));
  return fc
    .array(line, { maxLength: 25 })
    .map((all) =>
      all.map(([text, luck, at, junk]) =>
        luck > 20 ? text : text.slice(0, at) + junk + text.slice(luck > 10 ? at : at + 1),
      ),
    )
    .map((all) => all.flatMap((text) => text.split('|')));
}

it('never ends in anything but a refusal, and never in a value out of bounds', () => {
  let media = 0;
  let multivariant = 0;
  fc.assert(
    fc.property(
      fc.oneof(...[SEGMENTS, VARIANTS, [...SEGMENTS, ...VARIANTS]].map(damaged)),
      fc.constantFrom('\n', '\r\n'),
      (lines, newline) => {
        const text = ['#EXTM3U', ...lines].join(newline);
        playlistKind(text);
        const playlist = outcome(() => parseMediaPlaylist(text, base));
        if (playlist !== undefined) {
          media += 1;
          expect(playlist.targetDurationMs).toBeGreaterThanOrEqual(1_000);
          playlist.segments.forEach((segment, index) => {
            expect(segment.sequence).toBe(playlist.mediaSequence + index);
            expect(segment.durationMs).toBeGreaterThanOrEqual(0);
            expect(segment.durationMs).toBeLessThanOrEqual(600_000);
            expect(segment.uri.protocol).toMatch(/^https?:$/);
            if (segment.byteRange !== undefined) expect(segment.byteRange.length).toBeGreaterThan(0);
          });
        }
        if (outcome(() => parseMultivariant(text, base)) !== undefined) multivariant += 1;
      },
    ),
    { numRuns: 3_000 },
  );
  // Both kinds come through often enough for the checks to mean something.
  expect(media).toBeGreaterThan(200);
  expect(multivariant).toBeGreaterThan(200);
});

it('refuses any text that is no playlist', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(outcome(() => parseMediaPlaylist(text, base))).toBeUndefined();
      outcome(() => parseMediaPlaylist(`#EXTM3U\n${text}`, base));
      outcome(() => parseMultivariant(`#EXTM3U\n${text}`, base));
    }),
  );
});

function outcome<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === 'BAD_MEDIA') return undefined;
    throw thrown;
  }
}
