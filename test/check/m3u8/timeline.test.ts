import { describe, expect, it } from 'vitest';
import { parseMediaPlaylist } from '../../../src/check/m3u8/media-playlist.ts';
import { applyDelta, timeline } from '../../../src/check/m3u8/timeline.ts';

const HEAD = '#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n';
const DATE = '2026-01-01T00:00:00.000Z';

const parse = (lines: string) => parseMediaPlaylist(HEAD + lines, 'http://origin.test/v.m3u8');

describe('a delta update', () => {
  it('keeps dates that were stated at a segment which has left the list since', () => {
    const older = parse(
      `#EXT-X-MEDIA-SEQUENCE:4\n#EXT-X-PROGRAM-DATE-TIME:${DATE}\n` +
        '#EXTINF:2,\n4.m4s\n#EXTINF:2,\n5.m4s\n#EXT-X-DISCONTINUITY\n#EXTINF:2,\n6.m4s\n',
    );
    const delta = parse(
      '#EXT-X-MEDIA-SEQUENCE:5\n#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n#EXT-X-DISCONTINUITY\n#EXTINF:2,\n6.m4s\n#EXTINF:2,\n7.m4s\n',
    );
    const merged = applyDelta(older, delta)!;
    expect(merged.segments.map(({ msn }) => msn)).toEqual([5, 6, 7]);
    expect(timeline(merged)[0]?.dateMs).toBe(Date.parse(DATE) + 2_000);
  });
});
