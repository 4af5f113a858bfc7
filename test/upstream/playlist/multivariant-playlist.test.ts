import { describe, expect, it } from 'vitest';
import { chooseVariant } from '../../../src/upstream/playlist/choose-variant.ts';
import { parseMultivariant } from '../../../src/upstream/playlist/multivariant-playlist.ts';

const base = new URL('https://origin.test/live/master.m3u8');

function parse(...lines: string[]): ReturnType<typeof parseMultivariant> {
  return parseMultivariant(['#EXTM3U', ...lines].join('\n'), base);
}

function variant(attributes: string, uri = attributes.replaceAll(/[^\w=.]/g, '-')): string[] {
  return [`#EXT-X-STREAM-INF:${attributes}`, uri];
}

describe('a multivariant playlist', () => {
  it('tells its variants with all their attributes', () => {
    const { variants, iFrames, version, independentSegments, otherTags } = parse(
      ...['#EXT-X-VERSION:9', '#EXT-X-INDEPENDENT-SEGMENTS', '#EXT-X-SESSION-DATA:DATA-ID="x",VALUE="y"'],
      '#EXT-X-STREAM-INF:BANDWIDTH=5000000,AVERAGE-BANDWIDTH=4000000,CODECS="avc1.64001f, mp4a.40.2",' +
        'RESOLUTION=1280x720,FRAME-RATE=29.970,AUDIO="aac",SUBTITLES="subs",CLOSED-CAPTIONS=NONE,X-OWN="a,b=c",VIDEO-RANGE=SDR',
      'v/720.m3u8?t=1',
      '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=90000,RESOLUTION=640x360,URI="i.m3u8"',
      ...variant('BANDWIDTH=1e999,RESOLUTION=wide', 'b.m3u8'),
    );
    expect({ version, independentSegments, otherTags }).toEqual({
      ...{ version: 9, independentSegments: true, otherTags: ['#EXT-X-SESSION-DATA:DATA-ID="x",VALUE="y"'] },
    });
    expect(variants[0]).toMatchObject({
      ...{ bandwidth: 5_000_000, averageBandwidth: 4_000_000, codecs: ['avc1.64001f', 'mp4a.40.2'], frameRate: 29.97 },
      ...{ resolution: { width: 1280, height: 720 }, audioGroup: 'aac', subtitlesGroup: 'subs' },
      ...{ closedCaptionsGroup: 'NONE', videoRange: 'SDR' },
    });
    expect(variants[0]!.uri.href).toBe('https://origin.test/live/v/720.m3u8?t=1');
    expect(variants[0]!.attributes.get('X-OWN')).toEqual({ text: 'a,b=c', isQuoted: true });
    expect(variants[0]!.attributes.get('CLOSED-CAPTIONS')).toEqual({ text: 'NONE', isQuoted: false });
    expect(variants[1]).toMatchObject({ bandwidth: 0, resolution: undefined, codecs: [] });
    expect(iFrames).toMatchObject([{ bandwidth: 90_000, resolution: { width: 640, height: 360 } }]);
  });

  it('tells its renditions, keys and variables', () => {
    const { media, sessionKeys, variables } = parse(
      ...['#EXT-X-DEFINE:NAME="p",VALUE="path"', '#EXT-X-SESSION-KEY:METHOD=AES-128,URI="k"'],
      '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="Deutsch",LANGUAGE="de",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="{$p}/de.m3u8"',
      '#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="CC",INSTREAM-ID="CC1"',
      ...['#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="inside",URI=""', '#EXT-X-MEDIA:TYPE=SMELLS,URI="x"'],
      ...variant('BANDWIDTH=1'),
    );
    expect(media).toMatchObject([
      {
        type: 'audio',
        groupId: 'a',
        name: 'Deutsch',
        language: 'de',
        isDefault: true,
        isAutoselect: true,
        channels: '2',
      },
      { type: 'closed-captions', instreamId: 'CC1', uri: undefined, isDefault: false },
      { type: 'audio', name: 'inside', uri: undefined },
    ]);
    expect(media[0]!.uri!.pathname).toBe('/live/path/de.m3u8');
    expect(sessionKeys).toMatchObject([{ method: 'AES-128' }]);
    expect([...variables]).toEqual([['p', 'path']]);
  });
});

describe('the variant that is chosen', () => {
  const choose = (...attributes: string[]): string =>
    chooseVariant(parse(...attributes.flatMap((each, index) => variant(each, `${index}`)))).variant.uri.pathname.slice(
      6,
    );

  it('is the largest picture, then SDR, then the highest bandwidth', () => {
    expect(choose('BANDWIDTH=9,RESOLUTION=640x360', 'BANDWIDTH=5,RESOLUTION=1920x1080', 'BANDWIDTH=8')).toBe('1');
    expect(choose('BANDWIDTH=5,RESOLUTION=640x360', 'BANDWIDTH=6,RESOLUTION=640x360')).toBe('1');
    expect(choose('BANDWIDTH=9,RESOLUTION=2x2,VIDEO-RANGE=PQ', 'BANDWIDTH=6,RESOLUTION=2x2,VIDEO-RANGE=SDR')).toBe('1');
    expect(choose('BANDWIDTH=5', 'BANDWIDTH=6')).toBe('1');
  });

  it('is no larger than 4096x2304, lying or standing', () => {
    expect(choose('BANDWIDTH=9,RESOLUTION=7680x4320', 'BANDWIDTH=5,RESOLUTION=4096x2304')).toBe('1');
    expect(choose('BANDWIDTH=9,RESOLUTION=4320x7680', 'BANDWIDTH=5,RESOLUTION=2160x3840')).toBe('1');
    expect(() => choose('BANDWIDTH=9,RESOLUTION=4098x2304')).toThrow('none of the 1 variants can be used');
  });

  it('has a codec that is known or not told; sound alone only without any picture', () => {
    const sound = 'BANDWIDTH=9,CODECS="mp4a.40.2"';
    expect(
      choose('BANDWIDTH=9,RESOLUTION=8x8,CODECS="dvh1.05,mp4a.40.2"', 'BANDWIDTH=5,RESOLUTION=4x4,CODECS="hvc1.1"'),
    ).toBe('1');
    expect(choose(sound, 'BANDWIDTH=5,CODECS="avc1.4d001f,mp4a.40.2"')).toBe('1');
    expect(choose(sound, 'BANDWIDTH=5,CODECS="mp4a.40.2",RESOLUTION=4x4')).toBe('1');
    expect(choose('BANDWIDTH=1,CODECS="mp4a.40.5"', sound)).toBe('1');
    expect(() => choose('BANDWIDTH=9,CODECS="stpp.ttml"')).toThrow('none of the 1 variants can be used');
  });

  it('comes with the default sound of its group', () => {
    const media = (group: string, name: string, more = ''): string =>
      `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="${group}",NAME="${name}",URI="${name}.m3u8"${more}`;
    const audioOf = (...lines: string[]): string | undefined =>
      chooseVariant(parse(...lines, ...variant('BANDWIDTH=1,AUDIO="a"'))).audio?.name;
    expect(audioOf(media('b', '0', ',DEFAULT=YES'), media('a', '1'), media('a', '2', ',DEFAULT=YES'))).toBe('2');
    expect(audioOf(media('a', '1'), media('a', '2', ',AUTOSELECT=YES'))).toBe('2');
    expect(audioOf(media('a', '1'), media('a', '2'))).toBe('1');
    expect(audioOf(media('b', '0'))).toBeUndefined();
  });
});
