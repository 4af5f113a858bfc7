import { describe, expect, it } from 'vitest';
import {
  type MediaRendition,
  orderVariants,
  renderMultivariantPlaylist,
  type Variant,
} from '../../src/hls/multivariant-playlist.ts';

function variant(
  uri: string,
  height: number | undefined,
  bandwidth: number,
  overrides: Partial<Variant> = {},
): Variant {
  return {
    uri,
    bandwidth,
    averageBandwidth: bandwidth / 2,
    codecs: ['avc1.64001f', 'mp4a.40.2'],
    width: height === undefined ? undefined : (height * 16) / 9,
    height,
    frameRate: 30,
    audioGroup: 'audio',
    ...overrides,
  };
}

function sound(groupId: string, channels: number): MediaRendition {
  const uri = `${groupId}/audio.m3u8`;
  return { type: 'AUDIO', groupId, name: 'audio', uri, isDefault: true, isAutoselect: true, channels };
}

describe('renderMultivariantPlaylist', () => {
  it('states all that a player chooses by', () => {
    const text = renderMultivariantPlaylist({
      media: [sound('audio', 2)],
      variants: [
        variant('720p/video.m3u8', 720, 3_000_000),
        variant('1080p/video.m3u8', 1080, 6_000_000, { frameRate: 60000 / 1001 }),
        variant('voice/audio.m3u8', undefined, 64_000, {
          codecs: ['mp4a.40.2'],
          audioGroup: undefined,
          frameRate: undefined,
        }),
      ],
      iframeVariants: [
        {
          uri: '720p/iframes.m3u8',
          bandwidth: 200_000,
          averageBandwidth: 150_000,
          codecs: ['avc1.64001f'],
          width: 1280,
          height: 720,
        },
      ],
    });
    expect(text).toMatchInlineSnapshot(`
      "#EXTM3U
      #EXT-X-VERSION:8
      #EXT-X-INDEPENDENT-SEGMENTS
      #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="audio",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio/audio.m3u8"
      #EXT-X-STREAM-INF:BANDWIDTH=3000000,AVERAGE-BANDWIDTH=1500000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=30.000,AUDIO="audio",CLOSED-CAPTIONS=NONE
      720p/video.m3u8
      #EXT-X-STREAM-INF:BANDWIDTH=6000000,AVERAGE-BANDWIDTH=3000000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=59.940,AUDIO="audio",CLOSED-CAPTIONS=NONE
      1080p/video.m3u8
      #EXT-X-STREAM-INF:BANDWIDTH=64000,AVERAGE-BANDWIDTH=32000,CODECS="mp4a.40.2",CLOSED-CAPTIONS=NONE
      voice/audio.m3u8
      #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=200000,AVERAGE-BANDWIDTH=150000,CODECS="avc1.64001f",RESOLUTION=1280x720,URI="720p/iframes.m3u8"
      "
    `);
  });

  it('states sounds and subtitles of several languages, whatever their names hold', () => {
    const uri = (name: string): string => `${name}/index.m3u8`;
    const plain = { isDefault: false, isAutoselect: false };
    const text = renderMultivariantPlaylist({
      media: [
        { ...sound('stereo', 2), name: 'Deutsch', language: 'de', uri: uri('audio-0') },
        {
          ...plain,
          type: 'AUDIO',
          groupId: 'stereo',
          name: 'a "b"\r\nc',
          language: 'en',
          uri: uri('audio-1'),
          channels: 2,
        },
        {
          ...plain,
          type: 'SUBTITLES',
          groupId: 'subtitles',
          name: 'English',
          isAutoselect: true,
          uri: uri('subtitles-0'),
        },
        { ...plain, type: 'SUBTITLES', groupId: 'subtitles', name: 'Forced', isForced: true, uri: uri('subtitles-1') },
      ],
      variants: [variant('720p/index.m3u8', 720, 3_000_000, { audioGroup: 'stereo', subtitleGroup: 'subtitles' })],
      iframeVariants: [],
    });
    expect(text.split('\n').slice(3)).toEqual([
      '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="stereo",NAME="Deutsch",LANGUAGE="de",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio-0/index.m3u8"',
      '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="stereo",NAME="a \'b\' c",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=NO,CHANNELS="2",URI="audio-1/index.m3u8"',
      '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subtitles",NAME="English",DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,URI="subtitles-0/index.m3u8"',
      '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subtitles",NAME="Forced",DEFAULT=NO,AUTOSELECT=NO,FORCED=YES,URI="subtitles-1/index.m3u8"',
      '#EXT-X-STREAM-INF:BANDWIDTH=3000000,AVERAGE-BANDWIDTH=1500000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=30.000,AUDIO="stereo",SUBTITLES="subtitles",CLOSED-CAPTIONS=NONE',
      '720p/index.m3u8',
      '',
    ]);
  });

  it('hands a query on to every playlist', () => {
    const text = renderMultivariantPlaylist(
      {
        media: [sound('audio', 2)],
        variants: [variant('720p/video.m3u8', 720, 3_000_000)],
        iframeVariants: [{ ...variant('720p/iframes.m3u8', 720, 200_000) }],
      },
      'dvr=0',
    );
    expect(text.match(/[\w/]+\.m3u8[^"\n]*/g)).toEqual([
      'audio/audio.m3u8?dvr=0',
      '720p/video.m3u8?dvr=0',
      '720p/iframes.m3u8?dvr=0',
    ]);
  });
});

describe('orderVariants', () => {
  const order = (...rungs: (readonly [number | undefined, number])[]): (number | undefined)[] =>
    orderVariants(rungs.map(([height, kbps]) => variant(`${height}`, height, kbps * 1_000))).map(
      ({ height }) => height,
    );

  it('starts with the rung nearest to 2 Mbit/s and goes on from high to low, audio alone last', () => {
    expect(order([1080, 6_000], [720, 2_600], [480, 1_200], [240, 400])).toEqual([720, 1080, 480, 240]);
    expect(order([240, 400], [480, 1_900], [undefined, 2_000], [720, 3_500])).toEqual([480, 720, 240, undefined]);
    expect(order([240, 100], [720, 900])).toEqual([720, 240]);
    expect(order([1080, 9_000], [720, 4_000])).toEqual([720, 1080]);
    expect(order([undefined, 64])).toEqual([undefined]);
    expect(order()).toEqual([]);
  });
});
