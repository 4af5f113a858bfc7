import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type MediaPlaylistSnapshot, type PlaylistEntry, renderMediaPlaylist } from '../../src/hls/media-playlist.ts';
import { PlaylistVersion } from '../../src/hls/playlist-version.ts';
import { PlaylistMemo } from '../../src/hls/rendered-playlist.ts';

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

function part(number: number, independent = false): { uri: string; durationMs: number; independent: boolean } {
  return { uri: `video-t-p${number}.m4s`, durationMs: 500, independent };
}

function snapshot(overrides: Partial<MediaPlaylistSnapshot>): MediaPlaylistSnapshot {
  return {
    targetDurationSeconds: 3,
    mediaSequence: 0,
    discontinuitySequence: 0,
    entries: [],
    ended: false,
    control: { canBlockReload: false, canSkipUntilMs: 18_000, holdBackMs: 9_000 },
    skipped: 0,
    reports: [],
    ...overrides,
  };
}

const LOW_LATENCY = {
  control: { canBlockReload: true, canSkipUntilMs: 18_000, holdBackMs: 9_000, partHoldBackMs: 1_506 },
  partTargetMs: 502,
  hintUri: 'video-t-p22.m4s',
  reports: [
    { uri: '../audio/audio.m3u8', lastMsn: 9, lastPart: 3 },
    { uri: '../low/video.m3u8', lastMsn: 9, lastPart: undefined },
  ],
};

describe('renderMediaPlaylist', () => {
  it('renders whole segments with the date of the first one', () => {
    const text = renderMediaPlaylist(snapshot({ mediaSequence: 7, entries: [entry(7), entry(8), entry(9)] }));
    expect(text).toMatchInlineSnapshot(`
      "#EXTM3U
      #EXT-X-VERSION:9
      #EXT-X-TARGETDURATION:3
      #EXT-X-MEDIA-SEQUENCE:7
      #EXT-X-DISCONTINUITY-SEQUENCE:0
      #EXT-X-INDEPENDENT-SEGMENTS
      #EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=18.00000,HOLD-BACK=9.00000
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
      #EXT-X-VERSION:9
      #EXT-X-TARGETDURATION:3
      #EXT-X-MEDIA-SEQUENCE:0
      #EXT-X-DISCONTINUITY-SEQUENCE:4
      #EXT-X-INDEPENDENT-SEGMENTS
      #EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=18.00000,HOLD-BACK=9.00000
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

  it('renders parts, those of the open segment after its discontinuity, and the reports last', () => {
    const { discontinuity, mapUri, programDateTimeMs, pdtAnchor } = entry(9, {
      ...{ discontinuity: true, mapUri: 'video-t-init-1.mp4', pdtAnchor: true },
    });
    const text = renderMediaPlaylist(
      snapshot({
        ...LOW_LATENCY,
        mediaSequence: 7,
        entries: [entry(7), entry(8, { parts: [part(16, true), part(17), part(18), part(19)] })],
        open: { discontinuity, mapUri, programDateTimeMs, pdtAnchor, parts: [part(20, true), part(21)] },
      }),
    );
    expect(text).toMatchInlineSnapshot(`
      "#EXTM3U
      #EXT-X-VERSION:9
      #EXT-X-TARGETDURATION:3
      #EXT-X-MEDIA-SEQUENCE:7
      #EXT-X-DISCONTINUITY-SEQUENCE:0
      #EXT-X-INDEPENDENT-SEGMENTS
      #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=18.00000,PART-HOLD-BACK=1.50600,HOLD-BACK=9.00000
      #EXT-X-PART-INF:PART-TARGET=0.50200
      #EXT-X-MAP:URI="video-t-init-0.mp4"
      #EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:14.000Z
      #EXTINF:2.00000,
      video-t-7.m4s
      #EXT-X-PART:DURATION=0.50000,URI="video-t-p16.m4s",INDEPENDENT=YES
      #EXT-X-PART:DURATION=0.50000,URI="video-t-p17.m4s"
      #EXT-X-PART:DURATION=0.50000,URI="video-t-p18.m4s"
      #EXT-X-PART:DURATION=0.50000,URI="video-t-p19.m4s"
      #EXTINF:2.00000,
      video-t-8.m4s
      #EXT-X-DISCONTINUITY
      #EXT-X-MAP:URI="video-t-init-1.mp4"
      #EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:18.000Z
      #EXT-X-PART:DURATION=0.50000,URI="video-t-p20.m4s",INDEPENDENT=YES
      #EXT-X-PART:DURATION=0.50000,URI="video-t-p21.m4s"
      #EXT-X-PRELOAD-HINT:TYPE=PART,URI="video-t-p22.m4s"
      #EXT-X-RENDITION-REPORT:URI="../audio/audio.m3u8",LAST-MSN=9,LAST-PART=3
      #EXT-X-RENDITION-REPORT:URI="../low/video.m3u8",LAST-MSN=9
      "
    `);
  });

  it('renders a delta update, and says everything anew that what it left out had said', () => {
    const mapUri = 'video-t-init-1.mp4';
    const entries = [entry(7), entry(8, { discontinuity: true, mapUri }), entry(9, { mapUri }), entry(10, { mapUri })];
    const text = renderMediaPlaylist(snapshot({ ...LOW_LATENCY, mediaSequence: 7, entries, skipped: 2 }));
    expect(text).toMatchInlineSnapshot(`
      "#EXTM3U
      #EXT-X-VERSION:9
      #EXT-X-TARGETDURATION:3
      #EXT-X-MEDIA-SEQUENCE:7
      #EXT-X-DISCONTINUITY-SEQUENCE:0
      #EXT-X-INDEPENDENT-SEGMENTS
      #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=18.00000,PART-HOLD-BACK=1.50600,HOLD-BACK=9.00000
      #EXT-X-PART-INF:PART-TARGET=0.50200
      #EXT-X-SKIP:SKIPPED-SEGMENTS=2
      #EXT-X-MAP:URI="video-t-init-1.mp4"
      #EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:18.000Z
      #EXTINF:2.00000,
      video-t-9.m4s
      #EXTINF:2.00000,
      video-t-10.m4s
      #EXT-X-PRELOAD-HINT:TYPE=PART,URI="video-t-p22.m4s"
      #EXT-X-RENDITION-REPORT:URI="../audio/audio.m3u8",LAST-MSN=9,LAST-PART=3
      #EXT-X-RENDITION-REPORT:URI="../low/video.m3u8",LAST-MSN=9
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

describe('PlaylistVersion', () => {
  it('renders each view once, when it is asked for', () => {
    const rendered: string[] = [];
    const version = new PlaylistVersion(({ window, skip }) => {
      rendered.push(`${window} ${skip}`);
      return `${window} ${skip}`;
    });
    expect(rendered).toEqual([]);
    for (const window of ['dvr', 'live'] as const) {
      for (const skip of [false, true, false]) {
        const playlist = version.view({ window, skip });
        expect(playlist.plain.toString()).toBe(`${window} ${skip}`);
        expect(version.view({ window, skip })).toBe(playlist);
        expect(playlist.gzip).toBe(playlist.gzip);
      }
    }
    expect(rendered).toEqual(['dvr false', 'dvr true', 'live false', 'live true']);
  });
});
