import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/util/errors.ts';
import { PLAYLIST_LIMITS } from '../../../src/upstream/playlist/limits.ts';
import { parseMediaPlaylist } from '../../../src/upstream/playlist/media-playlist.ts';
import { parseMultivariant } from '../../../src/upstream/playlist/multivariant-playlist.ts';
import { isPlaylist, playlistKind } from '../../../src/upstream/playlist/playlist-text.ts';

const base = new URL('http://origin.test/a/index.m3u8');

function refusal(read: () => unknown): string {
  try {
    read();
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(AppError);
    expect((thrown as AppError).code).toBe('BAD_MEDIA');
    return (thrown as AppError).message;
  }
  return 'none';
}

function refusalOf(...lines: string[]): string {
  return refusal(() => parseMediaPlaylist(['#EXTM3U', ...lines].join('\n'), base));
}

function list(count: number, lines: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => lines(index)).join('\n');
}

describe('what is no playlist', () => {
  it.each(['', '<html>', '#EXTM3U8\n#EXTINF:1,\na', 'x\n#EXTM3U', '\0#EXTM3U'])('%j is refused', (text) => {
    expect(isPlaylist(text)).toBe(false);
    expect(refusal(() => playlistKind(text))).toContain('not #EXTM3U');
    expect(refusal(() => parseMediaPlaylist(text, base))).toContain('not #EXTM3U');
    expect(refusal(() => parseMultivariant(text, base))).toContain('not #EXTM3U');
  });

  it('tells lists of variants from lists of segments', () => {
    expect(playlistKind('#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na')).toBe('multivariant');
    expect(playlistKind('#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO')).toBe('multivariant');
    expect(playlistKind('#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:4\n#EXTINF:1,\na')).toBe('media');
  });
});

describe('a media playlist is refused', () => {
  it.each([
    ['without anything in it', [], 'neither segments nor a target duration'],
    [
      'with a segment without a duration',
      ['a.ts'],
      'line 2 of the playlist is the address of a segment without EXTINF',
    ],
    ['with a duration that is no number', ['#EXTINF:abc,', 'a'], 'line 2 of the playlist has a duration of "abc"'],
    ['with a duration in another notation', ['#EXTINF:1e3,', 'a'], 'duration of "1e3"'],
    ['with a duration without end', ['#EXTINF:1e999,', 'a'], 'duration of "1e999"'],
    ['with a segment of eleven minutes', ['#EXTINF:660,', 'a'], 'duration of "660"'],
    ['for a list of channels', ['#EXTINF:-1 tvg-id="x",News', 'http://a/b'], 'a list of channels'],
    ['with a target duration that is none', ['#EXT-X-TARGETDURATION:NaN'], 'target duration of "NaN"'],
    ['with a sequence number beyond all', ['#EXT-X-MEDIA-SEQUENCE:100000000000000000000000'], 'sequence number'],
    ['with a sequence number at the end of all', ['#EXT-X-MEDIA-SEQUENCE:9007199254740991'], 'sequence number'],
    ['with a negative sequence number', ['#EXT-X-DISCONTINUITY-SEQUENCE:-1'], 'sequence number'],
    ['that leaves segments out', ['#EXT-X-SKIP:SKIPPED-SEGMENTS=3'], 'was not asked for'],
    ['that lists variants', ['#EXT-X-STREAM-INF:BANDWIDTH=1', 'a'], 'lead to variants again'],
    ['with a file', ['#EXTINF:1,', 'file:///etc/passwd'], 'line 3 of the playlist holds an address with "file:"'],
    ['with data', ['#EXTINF:1,', 'data:text/plain,x'], '"data:"'],
    ['with an address that is none', ['#EXTINF:1,', 'http://[::1'], 'an address that is none'],
    ['with a map that is a file', ['#EXT-X-MAP:URI="file:///x"'], '"file:"'],
    ['with a map without address', ['#EXT-X-MAP:BYTERANGE="1@0"'], 'a map without URI'],
    ['with a key without address', ['#EXT-X-KEY:METHOD=AES-128'], 'a key without URI'],
    ['with a key without method', ['#EXT-X-KEY:URI="k"'], 'a key without METHOD'],
    ['with a key that is a file', ['#EXT-X-KEY:METHOD=AES-128,URI="file:///k"'], '"file:"'],
    ['with an IV of 17 bytes', [`#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x${'0'.repeat(33)}1`], 'no number of 128 bits'],
    ['with an IV that is none', ['#EXT-X-KEY:METHOD=AES-128,URI="k",IV=12'], 'no number of 128 bits'],
    ['with a part without duration', ['#EXT-X-PART:URI="p"'], 'a part without URI or DURATION'],
    ['with a quote that does not end', ['#EXT-X-MAP:URI="abc'], 'a quoted string that does not end'],
    ['with an attribute without value', ['#EXT-X-MAP:URI'], 'an attribute without a value'],
  ])('%s', (_, lines, message) => {
    expect(refusalOf(...lines)).toContain(message);
  });

  it('without telling its addresses', () => {
    expect(refusalOf('#EXTINF:1,', 'ftp://user:secret@host/x?token=secret')).not.toContain('secret');
    expect(refusalOf('http://user:secret@host/x?token=secret')).not.toContain('secret');
  });
});

describe('a multivariant playlist is refused', () => {
  it.each([
    ['without a variant', '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="n"', 'lists no variant'],
    ['with segments', '#EXT-X-STREAM-INF:BANDWIDTH=1\na\n#EXTINF:1,\nb', 'line 4 of the playlist belongs to segments'],
    ['with an address alone', 'a', 'without EXT-X-STREAM-INF'],
    ['with a variant that is a file', '#EXT-X-STREAM-INF:BANDWIDTH=1\nfile:///a', '"file:"'],
    ['with a rendition without group', '#EXT-X-MEDIA:TYPE=AUDIO,NAME="n"', 'without GROUP-ID'],
  ])('%s', (_, lines, message) => {
    expect(refusal(() => parseMultivariant(`#EXTM3U\n${lines}`, base))).toContain(message);
  });
});

describe('a playlist may have', () => {
  const segments = (count: number): string[] => [list(count, (index) => `#EXTINF:6.006,\nseg-${index}.ts?token=abc`)];
  const variants = (count: number): string =>
    `#EXTM3U\n${list(count, (index) => `#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="g"\nv${index}`)}`;

  it('20,000 segments, which cost less than a second, and not one more', () => {
    const startedMs = performance.now();
    const text = ['#EXTM3U', ...segments(PLAYLIST_LIMITS.segments)].join('\n');
    expect(parseMediaPlaylist(text, base).segments).toHaveLength(20_000);
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    expect(refusalOf(...segments(20_001))).toContain('one segment too many; 20000 are the limit');
    expect(refusalOf(...segments(100_000))).toContain('one segment too many');
  });

  it('20,000 parts and not one more', () => {
    const parts = (count: number): string => list(count, (index) => `#EXT-X-PART:DURATION=1,URI="p${index}"`);
    expect(refusalOf('#EXT-X-TARGETDURATION:1', parts(20_000))).toBe('none');
    expect(refusalOf('#EXT-X-TARGETDURATION:1', parts(20_001))).toContain('one part too many');
  });

  it('500 variants and renditions together', () => {
    expect(parseMultivariant(variants(500), base).variants).toHaveLength(500);
    expect(refusal(() => parseMultivariant(variants(501), base))).toContain('too many; 500 are the limit');
    const media = list(499, (index) => `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="${index}",URI="a${index}"`);
    expect(parseMultivariant(`${variants(1)}\n${media}`, base).media).toHaveLength(499);
    expect(refusal(() => parseMultivariant(`${variants(2)}\n${media}`, base))).toContain('too many');
  });

  it('lines of 16,384 characters, 100 attributes, 16 keys, 500 reports and 500 variables', () => {
    const long = (chars: number): string => `#EXT-X-VENDOR:${'x'.repeat(chars - 14)}`;
    const target = '#EXT-X-TARGETDURATION:1';
    expect(refusalOf(target, long(16_384))).toBe('none');
    expect(refusalOf(target, long(16_385))).toContain('line 3 of the playlist has 16385 characters');
    const map = (count: number): string =>
      `#EXT-X-MAP:URI="m",${Array.from({ length: count - 1 }, (_, at) => `A${at}=1`).join(',')}`;
    expect(refusalOf(target, map(100))).toBe('none');
    expect(refusalOf(target, map(101))).toContain('more than 100 attributes');
    const keys = (count: number): string => list(count, (at) => `#EXT-X-KEY:METHOD=X,URI="skd:k",KEYFORMAT="${at}"`);
    expect(refusalOf(target, keys(16))).toBe('none');
    expect(refusalOf(target, keys(17))).toContain('more than 16 keys');
    const reports = (count: number): string => list(count, (at) => `#EXT-X-RENDITION-REPORT:URI="r${at}"`);
    expect(refusalOf(target, reports(500))).toBe('none');
    expect(refusalOf(target, reports(501))).toContain('one report too many');
    const variables = (count: number): string => list(count, (at) => `#EXT-X-DEFINE:NAME="v${at}",VALUE=""`);
    expect(refusalOf(target, variables(500))).toBe('none');
    expect(refusalOf(target, variables(501))).toContain('more than 500 variables');
  });

  it('8 MiB of text, variables put in', () => {
    const filler = (chars: number): string =>
      list(Math.ceil(chars / 10_001), () => `#${'x'.repeat(9_999)}`).slice(0, chars);
    const head = '#EXTM3U\n#EXT-X-TARGETDURATION:1\n';
    expect(parseMediaPlaylist(head + filler(PLAYLIST_LIMITS.bytes - head.length), base).segments).toHaveLength(0);
    expect(refusal(() => parseMediaPlaylist(head + filler(PLAYLIST_LIMITS.bytes), base))).toContain(
      'characters; 8388608',
    );
    const bomb = ['#EXT-X-TARGETDURATION:1', `#EXT-X-DEFINE:NAME="a",VALUE="${'x'.repeat(16_000)}"`];
    expect(refusalOf(...bomb, '#EXT-X-VENDOR:{$a}{$a}')).toContain(
      'line 4 of the playlist has more than 16384 characters with',
    );
    expect(
      refusalOf(
        ...bomb,
        list(523, () => '#EXT-X-VENDOR:{$a}'),
      ),
    ).toBe('none');
    expect(
      refusalOf(
        ...bomb,
        list(525, () => '#EXT-X-VENDOR:{$a}'),
      ),
    ).toContain('too long by variables');
  });

  it('addresses of 32 MiB together', () => {
    const far = new URL(`http://origin.test/${'x'.repeat(8_000)}/index.m3u8`);
    const names = (count: number): string => `#EXTM3U\n${list(count, (index) => `#EXTINF:1,\n${index}.ts`)}`;
    expect(parseMediaPlaylist(names(4_000), far).segments).toHaveLength(4_000);
    expect(refusal(() => parseMediaPlaylist(names(5_000), far))).toContain('all addresses together too long');
  });
});

describe('lists that other parsers choke on', () => {
  it.each([
    [
      '3,000 renditions for 3,000 variants',
      `#EXTM3U\n${list(3_000, (at) => `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="${at}",URI="a"`)}\n` +
        list(3_000, () => '#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="g"\nv'),
    ],
    ['200,000 commas in an open quote', `#EXTM3U\n#EXT-X-STREAM-INF:CODECS="${','.repeat(200_000)}\nv`],
    [
      '16,000 commas in an open quote, 100 times',
      `#EXTM3U\n${list(100, () => `#EXT-X-STREAM-INF:A="${','.repeat(16_000)}\nv`)}`,
    ],
    ['16,000 commas, 100 times', `#EXTM3U\n${list(100, () => `#EXT-X-STREAM-INF:${','.repeat(16_000)}\nv`)}`],
    ['16,000 equals signs, 100 times', `#EXTM3U\n${list(100, () => `#EXT-X-STREAM-INF:${'='.repeat(16_000)}\nv`)}`],
    ['2 million blank lines', `#EXTM3U${'\n'.repeat(2_000_000)}`],
    ['7 million blanks', `#EXTM3U${`${' '.repeat(16_000)}\n`.repeat(430)}`],
    [
      'open variables',
      `#EXTM3U\n#EXT-X-DEFINE:NAME="a",VALUE=""\n${list(500, () => `#EXT-X-VENDOR:${'{$'.repeat(8_000)}`)}`,
    ],
  ])('%s end within a second', (_, text) => {
    const startedMs = performance.now();
    refusal(() => parseMultivariant(text, base));
    refusal(() => parseMediaPlaylist(text, base));
    refusal(() => playlistKind(text));
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });
});
