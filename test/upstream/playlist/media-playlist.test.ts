import { describe, expect, it } from 'vitest';
import { parseMediaPlaylist } from '../../../src/upstream/playlist/media-playlist.ts';

const base = new URL('https://origin.test/live/ch1/index.m3u8?token=t1&user=me%20too');

function parse(...lines: string[]): ReturnType<typeof parseMediaPlaylist> {
  return parseMediaPlaylist(['#EXTM3U', '#EXT-X-TARGETDURATION:6', ...lines].join('\n'), base);
}

function hrefs(...lines: string[]): (string | undefined)[] {
  return parse(...lines).segments.map(({ uri }) => uri.href);
}

describe('a media playlist', () => {
  it('tells what it is', () => {
    const head = ['#EXT-X-VERSION:7', '#EXT-X-MEDIA-SEQUENCE:41', '#EXT-X-DISCONTINUITY-SEQUENCE:5'];
    const more = [
      '#EXT-X-PLAYLIST-TYPE:EVENT',
      '#EXT-X-INDEPENDENT-SEGMENTS',
      '#EXT-X-START:TIME-OFFSET=-4.5,PRECISE=YES',
    ];
    const playlist = parse(
      ...head,
      ...more,
      '#EXTINF:5.005,Title, with comma',
      'a.ts',
      '#EXTINF:6',
      'b.ts',
      '#EXT-X-ENDLIST',
    );
    expect(playlist).toMatchObject({
      ...{ version: 7, targetDurationMs: 6_000, mediaSequence: 41, discontinuitySequence: 5, type: 'event' },
      ...{ independentSegments: true, iFramesOnly: false, ended: true, start: { offsetMs: -4_500, isPrecise: true } },
    });
    expect(playlist.segments.map(({ sequence, durationMs, title }) => [sequence, durationMs, title])).toEqual([
      [41, 5_005, 'Title, with comma'],
      [42, 6_000, ''],
    ]);
  });

  it('makes addresses absolute, whatever their form', () => {
    const named = ['a.ts', '../b.ts?x=1', '/c.ts', '//cdn.test/d.ts', 'http://other.test:8080/e.ts', '?seg=7'];
    expect(hrefs(...named.flatMap((name) => ['#EXTINF:6,', name]))).toEqual([
      'https://origin.test/live/ch1/a.ts',
      'https://origin.test/live/b.ts?x=1',
      'https://origin.test/c.ts',
      'https://cdn.test/d.ts',
      'http://other.test:8080/e.ts',
      'https://origin.test/live/ch1/index.m3u8?seg=7',
    ]);
  });

  it('is read with a byte order mark, carriage returns, blank lines, comments and tags in another order', () => {
    const text =
      '\ufeff\r\n#EXTM3U x-tvg-url="x"\r\n\r\n# a comment\r\n#EXTINF:4.0\r\n  a.ts  \r\n#EXT-X-MEDIA-SEQUENCE:9\r\n';
    const { segments, targetDurationMs } = parseMediaPlaylist(text, base);
    expect(segments).toMatchObject([{ sequence: 9, durationMs: 4_000, otherTags: [] }]);
    expect(segments[0]!.uri.pathname).toBe('/live/ch1/a.ts');
    expect(targetDurationMs).toBe(4_000);
  });

  it('takes the longest segment for the target duration if it is not told', () => {
    const lines = (head: string): string => `#EXTM3U\n${head}#EXTINF:5.1,\na.ts\n#EXTINF:3,\nb.ts\n`;
    expect(parseMediaPlaylist(lines(''), base).targetDurationMs).toBe(6_000);
    expect(parseMediaPlaylist(lines('#EXT-X-TARGETDURATION:9.5\n'), base).targetDurationMs).toBe(10_000);
    expect(parseMediaPlaylist(lines('#EXT-X-TARGETDURATION:0\n'), base).targetDurationMs).toBe(1_000);
  });

  it('counts discontinuities, and keeps what stands before each segment with it', () => {
    const { segments, trailing, dateRanges } = parse(
      ...['#EXT-X-DISCONTINUITY-SEQUENCE:3', '#EXTINF:6,', 'a.ts', '#EXT-X-DISCONTINUITY', '#EXT-X-CUE-OUT:30'],
      ...['#EXT-X-DATERANGE:ID="ad",START-DATE="2026-01-01T00:00:00Z"', '#EXTINF:6,', 'ad.ts', '#EXT-X-GAP'],
      ...['#EXT-X-BITRATE:900', '#EXTINF:6,', 'b.ts', '#EXTINF:6,', 'c.ts', '#EXT-X-DISCONTINUITY'],
    );
    expect(
      segments.map((segment) => [
        segment.discontinuitySequence,
        segment.discontinuity,
        segment.isGap,
        segment.bitrateKbps,
      ]),
    ).toEqual([
      [3, false, false, undefined],
      [4, true, false, undefined],
      [4, false, true, 900],
      [4, false, false, 900],
    ]);
    expect(segments.map(({ otherTags }) => otherTags.length)).toEqual([0, 2, 0, 0]);
    expect(segments[1]!.otherTags[0]).toBe('#EXT-X-CUE-OUT:30');
    expect(dateRanges).toEqual(['#EXT-X-DATERANGE:ID="ad",START-DATE="2026-01-01T00:00:00Z"']);
    expect(trailing).toMatchObject({ sequence: 4, discontinuity: true, discontinuitySequence: 5 });
  });

  it('carries byte ranges on, segment by segment', () => {
    const range = (text: string, name = 'all.ts'): string[] => ['#EXTINF:6,', `#EXT-X-BYTERANGE:${text}`, name];
    const { segments } = parse(
      '#EXT-X-BITRATE:7',
      ...range('100@20'),
      ...range('50'),
      ...range('9@0', 'x.ts'),
      ...range('100@7'),
    );
    expect(segments.map(({ byteRange }) => byteRange)).toEqual([
      { offset: 20, length: 100 },
      { offset: 120, length: 50 },
      { offset: 0, length: 9 },
      { offset: 7, length: 100 },
    ]);
    expect(segments[0]!.bitrateKbps).toBeUndefined();
    expect(segments[0]!.uri).toBe(segments[1]!.uri);
    expect(() => parse(...range('50'))).toThrow('offset is not known');
    expect(() => parse(...range('5@0', 'x.ts'), ...range('50'))).toThrow('offset is not known');
    expect(() => parse(...range('5@0'), '#EXTINF:6,', 'all.ts', ...range('50'))).toThrow('offset is not known');
    for (const bad of ['0@0', '-1', '5@', '@5', '1e3@0', '9007199254740991@1']) {
      expect(() => parse(...range(bad)), bad).toThrow('byte range');
    }
  });

  it('puts keys and maps in force until the next ones', () => {
    const { segments } = parse(
      ...['#EXT-X-MAP:URI="clear.mp4"', '#EXTINF:6,', 'a', '#EXT-X-KEY:METHOD=AES-128,URI="k1",IV=0xA'],
      ...['#EXT-X-MAP:URI="all.mp4",BYTERANGE="720@0"', '#EXTINF:6,', 'b'],
      ...['#EXT-X-KEY:METHOD=AES-128,URI="k2"', '#EXTINF:6,', 'c', '#EXT-X-KEY:METHOD=NONE', '#EXTINF:6,', 'd'],
    );
    expect(segments.map(({ key }) => key?.uri?.pathname)).toEqual([
      undefined,
      '/live/ch1/k1',
      '/live/ch1/k2',
      undefined,
    ]);
    expect(segments[1]!.key).toMatchObject({ method: 'AES-128', keyFormat: 'identity' });
    expect(segments[1]!.key!.iv).toEqual(Buffer.from(`${'0'.repeat(31)}a`, 'hex'));
    expect(segments[2]!.key!.iv).toBeUndefined();
    expect(segments.map(({ map }) => map?.uri.pathname)).toEqual([
      '/live/ch1/clear.mp4',
      ...Array<string>(3).fill('/live/ch1/all.mp4'),
    ]);
    expect(segments[0]!.map).toMatchObject({ byteRange: undefined, key: undefined });
    expect(segments[3]!.map).toMatchObject({ byteRange: { offset: 0, length: 720 }, key: { method: 'AES-128' } });
    expect(segments[3]!.map).toBe(segments[1]!.map);
  });

  it('knows the keys of several DRM systems, and takes the plain one first', () => {
    const widevine = '#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI="data:text/plain;base64,AA==",KEYFORMAT="urn:uuid:edef"';
    const fairplay = '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://key",KEYFORMAT="com.apple.streamingkeydelivery"';
    const { segments } = parse(
      ...[
        widevine,
        fairplay,
        '#EXTINF:6,',
        'a',
        '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="https://keys.test/1"',
        '#EXTINF:6,',
        'b',
      ],
    );
    expect(segments[0]!.key).toMatchObject({ keyFormat: 'urn:uuid:edef', uri: undefined });
    expect(segments[0]!.keys.map(({ attributes }) => attributes.get('URI')!.text)).toEqual([
      'data:text/plain;base64,AA==',
      'skd://key',
    ]);
    expect(segments[1]!.keys).toHaveLength(3);
    expect(segments[1]!.key!.uri!.href).toBe('https://keys.test/1');
  });

  it.each([
    ['2026-03-04T05:06:07.089Z', '2026-03-04T05:06:07.089Z'],
    ['2026-03-04T05:06:07.0891234+0000', '2026-03-04T05:06:07.089Z'],
    ['2026-03-04T05:06:07+02:30', '2026-03-04T02:36:07.000Z'],
    ['2026-03-04T05:06:07-05', '2026-03-04T10:06:07.000Z'],
    ['2026-03-04T05:06:07.5', '2026-03-04T05:06:07.500Z'],
    ['yesterday', undefined],
    ['2026-13-04T05:06:07Z', undefined],
  ])('reads the date %s', (text, expected) => {
    const [first, second] = parse(`#EXT-X-PROGRAM-DATE-TIME:${text}`, '#EXTINF:6,', 'a', '#EXTINF:6,', 'b').segments;
    const ms = first!.programDateTimeMs;
    expect(ms === undefined ? undefined : new Date(ms).toISOString()).toBe(expected);
    expect(second!.programDateTimeMs).toBeUndefined();
  });

  it('puts variables in before it makes addresses of them', () => {
    const text = [
      ...[
        '#EXTM3U',
        '#EXT-X-DEFINE:QUERYPARAM="user"',
        '#EXT-X-DEFINE:IMPORT="host"',
        '#EXT-X-DEFINE:NAME="n",VALUE="{$host}/x"',
      ],
      ...['#EXT-X-KEY:METHOD=AES-128,URI="{$n}/key"', '#EXT-X-VENDOR:{$user}', '#EXTINF:6,', '{$n}/a.ts?u={$user}'],
    ].join('\n');
    const [segment] = parseMediaPlaylist(text, base, new Map([['host', 'https://cdn.test']])).segments;
    expect(segment!.uri.href).toBe('https://cdn.test/x/a.ts?u=me%20too');
    expect(segment!.key!.uri!.href).toBe('https://cdn.test/x/key');
    expect(segment!.otherTags).toEqual(['#EXT-X-VENDOR:me too']);
    expect(hrefs('#EXTINF:6,', '{$n}.ts')).toEqual(['https://origin.test/live/ch1/%7B$n%7D.ts']);
    const defined = '#EXT-X-DEFINE:NAME="a",VALUE="1"';
    expect(() => parse(defined, '#EXTINF:6,', '{$b}.ts')).toThrow('line 5 of the playlist uses a variable');
    for (const bad of [
      defined,
      '#EXT-X-DEFINE:IMPORT="x"',
      '#EXT-X-DEFINE:QUERYPARAM="x"',
      '#EXT-X-DEFINE:NAME="b c",VALUE="1"',
    ]) {
      expect(() => parse(defined, bad), bad).toThrow('line 4 of the playlist defines no variable');
    }
  });
});

describe('a low-latency media playlist', () => {
  it('tells parts, the hint, the reports and what its server offers', () => {
    const playlist = parse(
      ...['#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=36,PART-HOLD-BACK=1.02,HOLD-BACK=18.5'],
      ...['#EXT-X-PART-INF:PART-TARGET=0.334', '#EXT-X-PART:DURATION=0.334,URI="p0",INDEPENDENT=YES'],
      ...['#EXT-X-PART:DURATION=0.2,URI="p1",GAP=YES', '#EXTINF:0.534,', 's0'],
      ...['#EXT-X-PART:DURATION=0.3,URI="s1",BYTERANGE="50@0"', '#EXT-X-PART:DURATION=0.3,URI="s1",BYTERANGE="60"'],
      ...['#EXT-X-PRELOAD-HINT:TYPE=MAP,URI="m"', '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="s1",BYTERANGE-START=110'],
      ...['#EXT-X-RENDITION-REPORT:URI="../low.m3u8",LAST-MSN=7,LAST-PART=1'],
    );
    expect(playlist).toMatchObject({
      serverControl: { canBlockReload: true, canSkipUntilMs: 36_000, partHoldBackMs: 1_020, holdBackMs: 18_500 },
      partTargetMs: 334,
      preloadHint: { byteRange: { offset: 110, length: undefined } },
      renditionReports: [{ lastSequence: 7, lastPart: 1 }],
    });
    expect(playlist.segments[0]!.parts).toMatchObject([
      { durationMs: 334, independent: true, gap: false, byteRange: undefined },
      { durationMs: 200, independent: false, gap: true },
    ]);
    expect(playlist.trailingParts.map(({ byteRange }) => byteRange)).toEqual([
      { offset: 0, length: 50 },
      { offset: 50, length: 60 },
    ]);
    expect(playlist.trailing).toMatchObject({ sequence: 1, parts: playlist.trailingParts });
  });
});
