import { describe, expect, it } from 'vitest';
import { orderVariants, renderMultivariantPlaylist, type Variant } from '../../src/hls/multivariant-playlist.ts';

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

describe('renderMultivariantPlaylist', () => {
  it('states all that a player chooses by', () => {
    const text = renderMultivariantPlaylist({
      audioGroups: [{ groupId: 'audio', uri: 'audio/audio.m3u8', channels: 2 }],
      variants: [
        variant('720p/video.m3u8', 720, 3_000_000),
        variant('1080p/video.m3u8', 1080, 6_000_000, { frameRate: 60000 / 1001 }),
        variant('voice/audio.m3u8', undefined, 64_000, {
          codecs: ['mp4a.40.2'],
          audioGroup: undefined,
          frameRate: undefined,
        }),
      ],
    });
    expect(text).toMatchInlineSnapshot(`
      "#EXTM3U
      #EXT-X-VERSION:8
      #EXT-X-INDEPENDENT-SEGMENTS
      #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="audio",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio/audio.m3u8"
      #EXT-X-STREAM-INF:BANDWIDTH=3000000,AVERAGE-BANDWIDTH=1500000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=30.000,AUDIO="audio"
      720p/video.m3u8
      #EXT-X-STREAM-INF:BANDWIDTH=6000000,AVERAGE-BANDWIDTH=3000000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=59.940,AUDIO="audio"
      1080p/video.m3u8
      #EXT-X-STREAM-INF:BANDWIDTH=64000,AVERAGE-BANDWIDTH=32000,CODECS="mp4a.40.2"
      voice/audio.m3u8
      "
    `);
  });
});

describe('orderVariants', () => {
  const order = (...heights: (number | undefined)[]): (number | undefined)[] =>
    orderVariants(heights.map((height) => variant(`${height}`, height, (height ?? 1) * 1_000))).map(
      ({ height }) => height,
    );

  it('starts with the middle rung and goes on from high to low, audio alone last', () => {
    expect(order(1080, 720, 480, 240)).toEqual([720, 1080, 480, 240]);
    expect(order(240, 480, undefined, 720)).toEqual([480, 720, 240, undefined]);
    expect(order(240, 720)).toEqual([720, 240]);
    expect(order(undefined)).toEqual([undefined]);
    expect(order()).toEqual([]);
  });
});
