import { describe, expect, it } from 'vitest';
import { renderMultivariantPlaylist } from '../../../src/hls/multivariant-playlist.ts';
import { listTitle } from '../../../src/vod/session/title-listing.ts';
import type { SubtitleChoice } from '../../../src/vod/session/track-choice.ts';
import type { Title } from '../../../src/vod/source/title.ts';
import type { VodRendition } from '../../../src/vod/vod-rendition.ts';
import { audioFacts, fakeTitle, subtitleFacts, vodAudio, vodVideo } from '../../support/fake-vod.ts';

function lines(renditions: readonly VodRendition[], title: Partial<Title> = {}, subtitles?: SubtitleChoice): string[] {
  const sounds = renditions.filter((rendition) => rendition.kind === 'audio');
  const audio = [0, 1].map((track) =>
    audioFacts({ title: sounds.find(({ trackIndex }) => trackIndex === track)?.title }),
  );
  const listing = listTitle({ title: fakeTitle('film', { audio, ...title }), renditions, subtitles });
  return renderMultivariantPlaylist(listing).trim().split('\n').slice(3);
}

const rungs = [vodVideo('720p', 720, 2_500_000), vodVideo('360p', 360, 800_000)];

describe('the multivariant playlist of a title', () => {
  it('lists the picture with its one sound', () => {
    expect(lines([...rungs, vodAudio(0, 2, { language: 'de', title: 'Deutsch' })])).toEqual([
      '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="stereo",NAME="Deutsch",LANGUAGE="de",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio-0/index.m3u8"',
      '#EXT-X-STREAM-INF:BANDWIDTH=2640000,AVERAGE-BANDWIDTH=1378000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=24.000,AUDIO="stereo",CLOSED-CAPTIONS=NONE',
      '720p/index.m3u8',
      '#EXT-X-STREAM-INF:BANDWIDTH=940000,AVERAGE-BANDWIDTH=528000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=24.000,AUDIO="stereo",CLOSED-CAPTIONS=NONE',
      '360p/index.m3u8',
    ]);
  });

  it('lists a picture without sound without any group', () => {
    expect(lines([rungs[1]!], { audio: [] })).toEqual([
      '#EXT-X-STREAM-INF:BANDWIDTH=800000,AVERAGE-BANDWIDTH=400000,CODECS="avc1.64001f",RESOLUTION=640x360,FRAME-RATE=24.000,CLOSED-CAPTIONS=NONE',
      '360p/index.m3u8',
    ]);
  });

  it('lists one sound without a picture as a variant, and several as a group as well', () => {
    const alone = { video: undefined };
    expect(lines([vodAudio(0, 2)], alone)).toEqual([
      '#EXT-X-STREAM-INF:BANDWIDTH=140000,AVERAGE-BANDWIDTH=128000,CODECS="mp4a.40.2",CLOSED-CAPTIONS=NONE',
      'audio-0/index.m3u8',
    ]);
    expect(lines([vodAudio(0, 2), vodAudio(1, 1)], alone)).toEqual([
      expect.stringMatching(/GROUP-ID="stereo",NAME="Track 1",DEFAULT=YES.*URI="audio-0\/index.m3u8"/),
      expect.stringMatching(/GROUP-ID="stereo",NAME="Track 2",DEFAULT=NO.*URI="audio-1\/index.m3u8"/),
      '#EXT-X-STREAM-INF:BANDWIDTH=140000,AVERAGE-BANDWIDTH=128000,CODECS="mp4a.40.2",AUDIO="stereo",CLOSED-CAPTIONS=NONE',
      'audio-0/index.m3u8',
    ]);
  });

  it('lists each rung with stereo first, then with surround, and both groups with the same members', () => {
    const sounds = [
      vodAudio(0, 2, { language: 'de', title: 'Deutsch' }),
      vodAudio(0, 6, { language: 'de', title: 'Deutsch' }),
      vodAudio(1, 2, { language: 'en', title: 'English' }),
    ];
    const listed = lines([...rungs, ...sounds]);
    expect(listed.slice(0, 4)).toEqual([
      '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="stereo",NAME="Deutsch",LANGUAGE="de",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio-0/index.m3u8"',
      '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="stereo",NAME="English",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="2",URI="audio-1/index.m3u8"',
      '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="surround",NAME="Deutsch",LANGUAGE="de",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="6",URI="audio-0-surround/index.m3u8"',
      '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="surround",NAME="English",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="2",URI="audio-1/index.m3u8"',
    ]);
    const streams = listed
      .filter((line) => line.startsWith('#EXT-X-STREAM-INF'))
      .map((line) => ({
        bandwidth: /BANDWIDTH=(\d+)/.exec(line)?.[1],
        group: /AUDIO="(\w+)"/.exec(line)?.[1],
      }));
    expect(streams).toEqual([
      { bandwidth: '2640000', group: 'stereo' },
      { bandwidth: '940000', group: 'stereo' },
      { bandwidth: '2920000', group: 'surround' },
      { bandwidth: '1220000', group: 'surround' },
    ]);
  });

  it('puts the sound that plays first, gives each a name of its own, and lets one of a language be chosen by it', () => {
    const listed = lines([
      ...rungs,
      vodAudio(0, 2, { isDefault: false, language: 'en', title: 'English' }),
      vodAudio(1, 2, { isDefault: true, language: 'en', title: 'English' }),
    ]);
    expect(listed.slice(0, 2)).toEqual([
      expect.stringMatching(/NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES.*audio-1/),
      expect.stringMatching(/NAME="English \(2\)",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=NO.*audio-0/),
    ]);
  });

  it('calls a sound what the file calls it, else by its language', () => {
    const audio = [audioFacts({ title: 'Commentary', language: 'en' }), audioFacts({ language: 'fr' }), audioFacts()];
    const sounds = audio.map(({ language, title }, track) => vodAudio(track, 2, { language, ...(title && { title }) }));
    const listed = lines([rungs[0]!, ...sounds], { audio });
    expect(listed.slice(0, 3).map((line) => /NAME="([^"]*)"/.exec(line)?.[1])).toEqual([
      'Commentary',
      'French',
      'Track 3',
    ]);
  });

  it('states the formats of all sounds that a variant has', () => {
    const [, , stream] = lines([rungs[0]!, vodAudio(0, 2), vodAudio(1, 2, { codec: 'mp4a.40.5' })]);
    expect(stream).toContain('CODECS="avc1.64001f,mp4a.40.2,mp4a.40.5"');
  });
});

describe('subtitles of a title', () => {
  const subtitles = [
    subtitleFacts({ language: 'de', isForced: true }),
    subtitleFacts({ language: 'de', isDefault: true }),
    subtitleFacts({ codec: 'hdmv_pgs_subtitle', kind: 'picture', language: 'en' }),
    subtitleFacts({ language: 'en', title: 'English "SDH"', isForHearingImpaired: true }),
    subtitleFacts(),
  ];
  const media = (choice?: SubtitleChoice): string[] =>
    lines([rungs[0]!], { subtitles }, choice).filter((line) => line.includes('TYPE=SUBTITLES'));

  it('are a group of the text tracks', () => {
    expect(media()).toEqual([
      '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subtitles",NAME="German (forced)",LANGUAGE="de",DEFAULT=NO,AUTOSELECT=YES,FORCED=YES,URI="subtitles-0/index.m3u8"',
      '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subtitles",NAME="German",LANGUAGE="de",DEFAULT=YES,AUTOSELECT=YES,FORCED=NO,URI="subtitles-1/index.m3u8"',
      `#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subtitles",NAME="English 'SDH'",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,CHARACTERISTICS="public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound",URI="subtitles-3/index.m3u8"`,
      '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subtitles",NAME="Subtitles 5",DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,URI="subtitles-4/index.m3u8"',
    ]);
    expect(lines([rungs[0]!], { subtitles })[4]).toContain('SUBTITLES="subtitles",CLOSED-CAPTIONS=NONE');
  });

  it.each([
    ['the chosen one is on', 3, ['subtitles-3']],
    ['none is on where pictures are burned in', { burn: 2 }, []],
  ])('%s', (_what, choice, expected) => {
    const on = media(choice).filter((line) => line.includes('DEFAULT=YES'));
    expect(on.map((line) => /URI="([^/]+)/.exec(line)?.[1])).toEqual(expected);
    expect(media(choice)).toHaveLength(4);
  });

  it('are left out on request', () => {
    expect(lines([rungs[0]!], { subtitles }, 'off').join()).not.toContain('SUBTITLES');
  });
});
