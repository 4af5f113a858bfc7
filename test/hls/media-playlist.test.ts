import { describe, expect, it } from 'vitest';
import { type MediaPlaylistSnapshot, type PlaylistEntry, renderMediaPlaylist } from '../../src/hls/media-playlist.ts';
import { PlaylistMemo } from '../../src/hls/rendered-playlist.ts';
import { gunzipSync } from 'node:zlib';

const START_MS = Date.UTC(2026, 0, 1);

function entry(msn: number, overrides: Partial<PlaylistEntry> = {}): PlaylistEntry {
  return {
    uri: `video-t-${msn}.m4s`,
    durationMs: 2_000,
    mapUri: 'video-t-init-0.mp4',
    gap: false,
    discontinuity: false,
    programDateTimeMs: START_MS + msn * 2_000,
    pdtAnchor: false,
    ...overrides,
  };
}

function snapshot(overrides: Partial<MediaPlaylistSnapshot>): MediaPlaylistSnapshot {
  return {
    targetDurationSeconds: 3,
    mediaSequence: 0,
    discontinuitySequence: 0,
    entries: [],
    ended: false,
    ...overrides,
  };
}

describe('renderMediaPlaylist', () => {
  it('renders a live window with the date of its first segment', () => {
    const text = renderMediaPlaylist(snapshot({ mediaSequence: 7, entries: [entry(7), entry(8), entry(9)] }));
    expect(text).toMatchInlineSnapshot(`
      "#EXTM3U
      #EXT-X-VERSION:8
      #EXT-X-TARGETDURATION:3
      #EXT-X-MEDIA-SEQUENCE:7
      #EXT-X-DISCONTINUITY-SEQUENCE:0
      #EXT-X-INDEPENDENT-SEGMENTS
      #EXT-X-MAP:URI="video-t-init-0.mp4"
      #EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:14.000Z
      #EXTINF:2.00000,
      video-t-7.m4s
      #EXTINF:2.00000,
      video-t-8.m4s
      #EXTINF:2.00000,
      video-t-9.m4s
      "
    `);
  });

  it('renders a discontinuity, a gap, a corrected date and the end', () => {
    const mapUri = 'video-t-init-1.mp4';
    const entries = [
      entry(0, { durationMs: 2_005.333 }),
      entry(1, { gap: true }),
      entry(2, { discontinuity: true, mapUri, pdtAnchor: true, programDateTimeMs: START_MS + 9_000 }),
      entry(3, { mapUri, pdtAnchor: true, programDateTimeMs: START_MS + 13_500 }),
    ];
    expect(renderMediaPlaylist(snapshot({ discontinuitySequence: 4, entries, ended: true }))).toMatchInlineSnapshot(`
      "#EXTM3U
      #EXT-X-VERSION:8
      #EXT-X-TARGETDURATION:3
      #EXT-X-MEDIA-SEQUENCE:0
      #EXT-X-DISCONTINUITY-SEQUENCE:4
      #EXT-X-INDEPENDENT-SEGMENTS
      #EXT-X-MAP:URI="video-t-init-0.mp4"
      #EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z
      #EXTINF:2.00533,
      video-t-0.m4s
      #EXT-X-GAP
      #EXTINF:2.00000,
      video-t-1.m4s
      #EXT-X-DISCONTINUITY
      #EXT-X-MAP:URI="video-t-init-1.mp4"
      #EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:09.000Z
      #EXTINF:2.00000,
      video-t-2.m4s
      #EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:13.500Z
      #EXTINF:2.00000,
      video-t-3.m4s
      #EXT-X-ENDLIST
      "
    `);
  });
});

describe('PlaylistMemo', () => {
  it('renders and compresses once per version, and keeps the entity tag of equal content', () => {
    const memo = new PlaylistMemo();
    let renders = 0;
    const render = (text: string) => (): string => {
      renders += 1;
      return text;
    };
    const first = memo.get('1', render('one'));
    expect(memo.get('1', render('never'))).toBe(first);
    expect(first.gzip).toBe(first.gzip);
    expect(gunzipSync(first.gzip).toString()).toBe('one');
    expect(memo.get('2', render('one'))).toBe(first);
    expect(memo.get('3', render('two')).etag).not.toBe(first.etag);
    expect(renders).toBe(3);
  });
});
