import { describe, expect, it } from 'vitest';
import { PublishedFiles } from '../../src/relay/published-files.ts';
import { type RenditionPosition, renderRelayPlaylist } from '../../src/relay/relay-playlist.ts';
import type { PlaylistSnapshot } from '../../src/upstream/follow/playlist-snapshot.ts';
import { snapshotOf } from '../support/relay-snapshots.ts';

function render(snapshot: PlaylistSnapshot, reports: readonly RenditionPosition[] = []): string[] {
  const files = new PublishedFiles('variant', (name) => `${name}?s=x`);
  files.take(snapshot, 0);
  return renderRelayPlaylist(snapshot, files, reports).trimEnd().split('\n');
}

/** Without the head, which other tests look at. */
function body(lines: readonly string[]): string[] {
  return lines.filter(
    (line) => !/^#EXTM3U|^#EXT-X-(VERSION|TARGETDURATION|MEDIA-SEQUENCE|DISCONTINUITY-SEQUENCE)/.test(line),
  );
}

describe('a relayed media playlist', () => {
  it('says what upstream says, with addresses of this server', () => {
    const text = `#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:6
#EXT-X-MEDIA-SEQUENCE:41
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-START:TIME-OFFSET=-12.5,PRECISE=YES
#EXT-X-SERVER-CONTROL:HOLD-BACK=10,CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=36
#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:05.678Z
#EXT-X-BITRATE:2000
#EXTINF:6.006,One
one.ts?token=SECRET
#EXT-X-DATERANGE:ID="ad",START-DATE="2026-01-02T03:04:11Z",DURATION=6
#EXT-X-CUE-OUT:6
#EXTINF:5.9,
https://cdn.example/two.ts?token=SECRET
#EXT-X-GAP
#EXTINF:6,
three.ts
`;
    expect(render(snapshotOf([{ text, era: 7 }]))).toEqual([
      '#EXTM3U',
      '#EXT-X-VERSION:6',
      '#EXT-X-TARGETDURATION:6',
      '#EXT-X-MEDIA-SEQUENCE:41',
      '#EXT-X-DISCONTINUITY-SEQUENCE:0',
      '#EXT-X-INDEPENDENT-SEGMENTS',
      '#EXT-X-START:TIME-OFFSET=-12.5,PRECISE=YES',
      // Blocking is offered only where there are parts, and nobody is to begin closer to the end than the rules allow.
      '#EXT-X-SERVER-CONTROL:HOLD-BACK=18',
      '#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:05.678Z',
      '#EXT-X-BITRATE:2000',
      '#EXTINF:6.006,One',
      '7-41.ts?s=x',
      '#EXT-X-DATERANGE:ID="ad",START-DATE="2026-01-02T03:04:11Z",DURATION=6',
      '#EXT-X-CUE-OUT:6',
      '#EXTINF:5.9,',
      '7-42.ts?s=x',
      '#EXT-X-GAP',
      '#EXTINF:6,',
      '7-43.ts?s=x',
    ]);
  });

  it('breaks where another address goes on under other numbers, and counts the breaks', () => {
    const first = '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:10\n#EXTINF:4,\na.ts\n#EXTINF:4,\nb.ts\n';
    const second =
      '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:500000\n#EXTINF:4,\nc.ts\n#EXT-X-DISCONTINUITY\n#EXTINF:4,\nd.ts\n';
    const backup = { text: second, era: 8, shift: -499_988, isBreak: true, breaks: 1 };
    const both = snapshotOf([{ text: first, era: 7 }, backup]);
    expect(render(both).slice(3)).toEqual([
      '#EXT-X-MEDIA-SEQUENCE:10',
      '#EXT-X-DISCONTINUITY-SEQUENCE:0',
      ...['#EXTINF:4,', '7-10.ts?s=x', '#EXTINF:4,', '7-11.ts?s=x'],
      ...['#EXT-X-DISCONTINUITY', '#EXTINF:4,', '8-12.ts?s=x'],
      ...['#EXT-X-DISCONTINUITY', '#EXTINF:4,', '8-13.ts?s=x'],
    ]);
    // As long as the first segment has its break, it is not among those that have left.
    expect(render(snapshotOf([backup])).slice(3, 7)).toEqual([
      '#EXT-X-MEDIA-SEQUENCE:12',
      '#EXT-X-DISCONTINUITY-SEQUENCE:0',
      '#EXT-X-DISCONTINUITY',
      '#EXTINF:4,',
    ]);
    const later = { ...both, segments: both.segments.slice(3), firstNumber: 13 };
    expect(render(later).slice(3, 5)).toEqual(['#EXT-X-MEDIA-SEQUENCE:13', '#EXT-X-DISCONTINUITY-SEQUENCE:1']);
  });

  it('tells the IV of segments that have another number here, and only of these', () => {
    const text = `#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:500000
#EXT-X-KEY:METHOD=AES-128,URI="https://keys.example/k1?token=SECRET"
#EXTINF:4,
a.ts
#EXTINF:4,
b.ts
#EXT-X-KEY:METHOD=AES-128,URI="https://keys.example/k2?token=SECRET",IV=0x0000000000000000000000000000002A
#EXTINF:4,
c.ts
#EXTINF:4,
d.ts
#EXT-X-KEY:METHOD=NONE
#EXTINF:4,
e.ts
`;
    const key = '#EXT-X-KEY:METHOD=AES-128,URI';
    expect(body(render(snapshotOf([{ text, era: 7 }])))).toEqual([
      ...[`${key}="7-500000-key0.key?s=x"`, '#EXTINF:4,', '7-500000.ts?s=x', '#EXTINF:4,', '7-500001.ts?s=x'],
      `${key}="7-500002-key0.key?s=x",IV=0x0000000000000000000000000000002A`,
      ...['#EXTINF:4,', '7-500002.ts?s=x', '#EXTINF:4,', '7-500003.ts?s=x'],
      ...['#EXT-X-KEY:METHOD=NONE', '#EXTINF:4,', '7-500004.ts?s=x'],
    ]);
    expect(body(render(snapshotOf([{ text, era: 8, shift: -499_900 }])))).toEqual([
      ...[`${key}="8-100-key0.key?s=x",IV=0x0000000000000000000000000007a120`, '#EXTINF:4,', '8-100.ts?s=x'],
      ...[`${key}="8-100-key0.key?s=x",IV=0x0000000000000000000000000007a121`, '#EXTINF:4,', '8-101.ts?s=x'],
      `${key}="8-102-key0.key?s=x",IV=0x0000000000000000000000000000002A`,
      ...['#EXTINF:4,', '8-102.ts?s=x', '#EXTINF:4,', '8-103.ts?s=x'],
      ...['#EXT-X-KEY:METHOD=NONE', '#EXTINF:4,', '8-104.ts?s=x'],
    ]);
  });

  it('repeats the initialization section where it changes or the timeline breaks, in front of the keys of the media', () => {
    const text = `#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-MAP:URI="init.mp4"
#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://asset-1",KEYFORMAT="com.apple.streamingkeydelivery",KEYFORMATVERSIONS="1"
#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI="data:text/plain;base64,AAAA",KEYFORMAT="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"
#EXTINF:4,
a.m4s
#EXTINF:4,
b.m4s
#EXT-X-DISCONTINUITY
#EXTINF:4,
c.m4s
`;
    const keys = [
      '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://asset-1",KEYFORMAT="com.apple.streamingkeydelivery",KEYFORMATVERSIONS="1"',
      '#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI="data:text/plain;base64,AAAA",KEYFORMAT="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"',
    ];
    expect(body(render(snapshotOf([{ text, era: 7 }])))).toEqual([
      ...['#EXT-X-MAP:URI="7-0-init.mp4?s=x"', ...keys, '#EXTINF:4,', '7-0.m4s?s=x', '#EXTINF:4,', '7-1.m4s?s=x'],
      ...['#EXT-X-DISCONTINUITY', '#EXT-X-KEY:METHOD=NONE', '#EXT-X-MAP:URI="7-0-init.mp4?s=x"', ...keys],
      ...['#EXTINF:4,', '7-2.m4s?s=x'],
    ]);
  });

  it('offers parts of files as files of their own', () => {
    const text = `#EXTM3U
#EXT-X-VERSION:4
#EXT-X-TARGETDURATION:4
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-I-FRAMES-ONLY
#EXTINF:4,
#EXT-X-BYTERANGE:1000@376
a.ts
#EXTINF:2,
#EXT-X-BYTERANGE:500
a.ts
#EXT-X-ENDLIST
`;
    const lines = render(snapshotOf([{ text, era: 7 }], { isRecorded: true }));
    expect(lines.slice(5)).toEqual([
      '#EXT-X-PLAYLIST-TYPE:VOD',
      '#EXT-X-I-FRAMES-ONLY',
      '#EXTINF:4,',
      expect.stringMatching(/^[0-9a-f]{12}-0\.ts\?s=x$/),
      '#EXTINF:2,',
      expect.stringMatching(/^[0-9a-f]{12}-1\.ts\?s=x$/),
      '#EXT-X-ENDLIST',
    ]);
  });

  it('hands on nothing that names an address, whatever tag it is in', () => {
    const text = `#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-CUSTOM:URL="https://origin.example/SECRET"
#EXT-X-DATERANGE:ID="ad",CLASS="com.apple.hls.interstitial",START-DATE="2026-01-02T03:04:11Z",X-ASSET-URI="ad/SECRET.m3u8"
#EXT-X-TWITCH-PREFETCH:SECRET.ts
#EXT-X-KEY:METHOD=AES-128,URI="key?SECRET",X-ORIGIN-URI="SECRET"
#EXTINF:4,https://origin.example/SECRET
a.ts?SECRET
`;
    expect(body(render(snapshotOf([{ text, era: 7 }])))).toEqual([
      '#EXT-X-KEY:METHOD=AES-128,URI="7-0-key0.key?s=x"',
      ...['#EXTINF:4,', '7-0.ts?s=x'],
    ]);
  });
});

describe('lines of a hostile source', () => {
  it.each([['\r'], ['\u2028'], ['\u2029'], ['\v'], ['\u0085']])(
    'do not become addresses of it where players end them at %j',
    (end) => {
      const text = `#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-VENDOR:1${end}//evil.example/a.ts
#EXTINF:4,A title${end}//evil.example/b.ts
a.ts
`;
      expect(body(render(snapshotOf([{ text, era: 7 }])))).toEqual(['#EXTINF:4,', '7-0.ts?s=x']);
    },
  );
});

describe('a relayed playlist with parts', () => {
  const text = `#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12,PART-HOLD-BACK=1.2,HOLD-BACK=6
#EXT-X-PART-INF:PART-TARGET=0.5
#EXT-X-MEDIA-SEQUENCE:100
#EXT-X-MAP:URI="init.mp4"
#EXT-X-PART:DURATION=0.5,URI="a.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.52,URI="a.1.m4s",GAP=YES
#EXTINF:1.02,
a.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="other.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:05Z
#EXT-X-PART:DURATION=0.5,URI="b.0.m4s",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="b.1.m4s"
#EXT-X-RENDITION-REPORT:URI="../v1/index.m3u8?token=SECRET",LAST-MSN=101,LAST-PART=0
`;

  it('lists them, the segment that is being made, the part that comes next and where others are', () => {
    const report = { uri: '../v1/index.m3u8?s=y', lastMsn: 55, lastPart: 2 };
    expect(render(snapshotOf([{ text, era: 7, shift: -50 }]), [report])).toEqual([
      '#EXTM3U',
      '#EXT-X-VERSION:9',
      '#EXT-X-TARGETDURATION:2',
      '#EXT-X-MEDIA-SEQUENCE:50',
      '#EXT-X-DISCONTINUITY-SEQUENCE:0',
      '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.56,HOLD-BACK=6',
      '#EXT-X-PART-INF:PART-TARGET=0.52',
      '#EXT-X-MAP:URI="7-50-init.mp4?s=x"',
      '#EXT-X-PART:DURATION=0.5,URI="7-50.0.m4s?s=x",INDEPENDENT=YES',
      '#EXT-X-PART:DURATION=0.52,URI="7-50.1.m4s?s=x",GAP=YES',
      '#EXTINF:1.02,',
      '7-50.m4s?s=x',
      '#EXT-X-DISCONTINUITY',
      '#EXT-X-MAP:URI="7-51-init.mp4?s=x"',
      '#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:05.000Z',
      '#EXT-X-PART:DURATION=0.5,URI="7-51.0.m4s?s=x",INDEPENDENT=YES',
      '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="7-51.1.m4s?s=x"',
      '#EXT-X-RENDITION-REPORT:URI="../v1/index.m3u8?s=y",LAST-MSN=55,LAST-PART=2',
    ]);
  });

  it('promises nothing more once it has ended', () => {
    const lines = render(snapshotOf([{ text: `${text}#EXT-X-ENDLIST\n`, era: 7 }]));
    expect(lines.filter((line) => /HINT|REPORT|CONTROL|EXT-X-PART/.test(line))).toEqual([]);
    expect(lines.at(-1)).toBe('#EXT-X-ENDLIST');
  });

  it('lists them near the end only', () => {
    const lines = ['#EXTM3U', '#EXT-X-TARGETDURATION:2', '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES'];
    lines.push('#EXT-X-PART-INF:PART-TARGET=1');
    for (let number = 0; number < 8; number += 1) {
      lines.push(`#EXT-X-PART:DURATION=1,URI="${number}.0.ts"`, `#EXT-X-PART:DURATION=1,URI="${number}.1.ts"`);
      lines.push('#EXTINF:2,', `${number}.ts`);
    }
    const listed = render(snapshotOf([{ text: lines.join('\n'), era: 7 }])).join('\n');
    // Those whose segments end within 6 s of the end.
    expect(new Set(listed.match(/(?<=PART:DURATION=1,URI="7-)\d/g))).toEqual(new Set(['4', '5', '6', '7']));
  });
});
