import { describe, expect, it } from 'vitest';
import { renderRelayMultivariant } from '../../src/relay/relay-multivariant.ts';
import { ladderOf } from '../../src/upstream/follow/upstream-ladder.ts';
import { parseMultivariant } from '../../src/upstream/playlist/multivariant-playlist.ts';

const UPSTREAM = new URL('https://origin.example/live/master.m3u8?token=SECRET');

function render(text: string): string[] {
  const ladder = ladderOf(parseMultivariant(text, UPSTREAM));
  return renderRelayMultivariant(ladder, ({ id }) => `${id}/index.m3u8?s=x`)
    .trimEnd()
    .split('\n');
}

describe('a relayed multivariant playlist', () => {
  it('keeps all attributes and changes all addresses', () => {
    const lines = render(`#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-START:TIME-OFFSET=-6
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English, 5.1",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="6",URI="a/en.m3u8?token=SECRET"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="Inside",LANGUAGE="de",AUTOSELECT=YES,BIT-DEPTH=16
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="Deutsch",LANGUAGE="de",URI="https://subs.example/de.m3u8?SECRET"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="CC",INSTREAM-ID="CC1"
#EXT-X-STREAM-INF:BANDWIDTH=2000000,AVERAGE-BANDWIDTH=1500000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=25.000,AUDIO="a",SUBTITLES="s",X-OWN="1"
hi.m3u8?token=SECRET
#EXT-X-STREAM-INF:BANDWIDTH=800000,CODECS="avc1.64001e,mp4a.40.2",RESOLUTION=640x360,AUDIO="a"
lo.m3u8?token=SECRET
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=90000,CODECS="avc1.64001e",URI="i.m3u8?token=SECRET"
`);
    expect(lines).toEqual([
      ...['#EXTM3U', '#EXT-X-VERSION:7', '#EXT-X-INDEPENDENT-SEGMENTS', '#EXT-X-START:TIME-OFFSET=-6'],
      '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English, 5.1",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="6",URI="a0/index.m3u8?s=x"',
      '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="Inside",LANGUAGE="de",AUTOSELECT=YES,BIT-DEPTH=16',
      '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="Deutsch",LANGUAGE="de",URI="s0/index.m3u8?s=x"',
      '#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="CC",INSTREAM-ID="CC1"',
      '#EXT-X-STREAM-INF:BANDWIDTH=2000000,AVERAGE-BANDWIDTH=1500000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=25.000,AUDIO="a",SUBTITLES="s",X-OWN="1"',
      'v0/index.m3u8?s=x',
      '#EXT-X-STREAM-INF:BANDWIDTH=800000,CODECS="avc1.64001e,mp4a.40.2",RESOLUTION=640x360,AUDIO="a"',
      'v1/index.m3u8?s=x',
      '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=90000,CODECS="avc1.64001e",URI="i0/index.m3u8?s=x"',
    ]);
  });

  it('leaves out what leads elsewhere, and keeps what only players of a DRM system understand', () => {
    const lines = render(`#EXTM3U
#EXT-X-CONTENT-STEERING:SERVER-URI="/steering?SECRET",PATHWAY-ID="a"
#EXT-X-SESSION-KEY:METHOD=AES-128,URI="key.bin?SECRET"
#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI="skd://asset",KEYFORMAT="com.apple.streamingkeydelivery"
#EXT-X-SESSION-DATA:DATA-ID="title",VALUE="A title"
#EXT-X-SESSION-DATA:DATA-ID="more",URI="more.json?SECRET"
#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=1000,URI="tiles.m3u8?SECRET"
#EXT-X-VENDOR:https://origin.example/SECRET
#EXT-X-VENDOR-FLAG:1
#EXT-X-STREAM-INF:BANDWIDTH=800000,X-LOGO="https://origin.example/SECRET",X-MORE-URI="SECRET"
lo.m3u8
`);
    expect(lines).toEqual([
      ...['#EXTM3U', '#EXT-X-VERSION:1'],
      '#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI="skd://asset",KEYFORMAT="com.apple.streamingkeydelivery"',
      '#EXT-X-SESSION-DATA:DATA-ID="title",VALUE="A title"',
      '#EXT-X-VENDOR-FLAG:1',
      ...['#EXT-X-STREAM-INF:BANDWIDTH=800000', 'v0/index.m3u8?s=x'],
    ]);
  });

  it('has no line that a source has put into the name or the value of an attribute', () => {
    const lines = render(`#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH=2,A\r//evil.example/x.m3u8?=1,"B"=2,NAME="a\u2028b",X-Uri="evil.m3u8"
v.m3u8
`);
    expect(lines.slice(2)).toEqual(['#EXT-X-STREAM-INF:BANDWIDTH=2,NAME="a b"', 'v0/index.m3u8?s=x']);
  });

  it('gives entries with the same address the same playlist', () => {
    const lines = render(
      '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=2,AUDIO="x"\nv.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="y"\nv.m3u8\n',
    );
    expect(lines.filter((line) => !line.startsWith('#'))).toEqual(['v0/index.m3u8?s=x', 'v0/index.m3u8?s=x']);
  });

  it('is made for a source that has none', () => {
    const playlist = renderRelayMultivariant(ladderOf(), ({ id }) => `${id}/index.m3u8`);
    expect(playlist).toBe('#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-STREAM-INF:BANDWIDTH=2000000\nv0/index.m3u8\n');
  });
});
