import { describe, expect, it } from 'vitest';
import { readClip, readDirectives, readToken } from '../../src/http/playback-query.ts';
import { withToken } from '../../src/http/playlist-token.ts';
import { RenderedPlaylist } from '../../src/hls/rendered-playlist.ts';

describe('delivery directives', () => {
  it('are read', () => {
    expect(readDirectives({ _HLS_msn: '7', _HLS_part: '0', _HLS_skip: 'YES', dvr: '0', x: 'y' })).toEqual({
      view: { window: 'live', skip: true },
      position: { msn: 7, part: 0 },
      fault: undefined,
    });
    expect(readDirectives({ _HLS_skip: 'v2', _HLS_msn: '007' })).toMatchObject({
      view: { window: 'dvr', skip: true },
      position: { msn: 7, part: undefined },
    });
    expect(readDirectives({ dvr: '1' })).toMatchObject({ view: { window: 'dvr', skip: false }, position: undefined });
  });

  it.each([
    [{ _HLS_msn: 'x' }, /_HLS_msn="x" is not a whole number/],
    [{ _HLS_msn: '' }, /_HLS_msn="" is not/],
    [{ _HLS_msn: '-1' }, /"-1"/],
    [{ _HLS_msn: '+1' }, /"\+1"/],
    [{ _HLS_msn: '1.0' }, /"1\.0"/],
    [{ _HLS_msn: '1e3' }, /"1e3"/],
    [{ _HLS_msn: '0x10' }, /"0x10"/],
    [{ _HLS_msn: ' 1' }, /" 1"/],
    [{ _HLS_msn: '9'.repeat(400) }, /"9{50}" is not/],
    [{ _HLS_msn: ['1', '1'] }, /given 2 times/],
    [{ _HLS_msn: '1', _HLS_part: 'a' }, /_HLS_part="a"/],
    [{ _HLS_msn: '1', _HLS_part: '-0' }, /_HLS_part="-0"/],
    [{ _HLS_part: '1' }, /_HLS_part is of no use alone/],
    [{ _HLS_skip: 'NO' }, /_HLS_skip="NO" is not YES or v2/],
    [{ _HLS_skip: 'yes' }, /"yes"/],
  ])('that are wrong are told: %j', (query, message) => {
    const { fault, position, view } = readDirectives(query);
    expect(fault).toMatchObject({ code: 'BAD_REQUEST', message: expect.stringMatching(message) as string });
    expect([position, view.skip]).toEqual([undefined, false]);
  });
});

describe('the range of a clip', () => {
  it('is read in any zone', () => {
    expect(readClip({})).toBeUndefined();
    expect(readClip({ start: '2026-11-21T07:00:00Z', end: '2026-11-21T08:00:01.5 01:00' })).toEqual({
      startMs: Date.UTC(2026, 10, 21, 7),
      endMs: Date.UTC(2026, 10, 21, 7, 0, 1, 500),
    });
  });

  it.each([
    { start: '2026-11-21T07:00:00Z' },
    { end: '2026-11-21T07:00:00Z' },
    { start: 'now', end: '2026-11-21T07:00:00Z' },
    { start: '2026-11-21', end: '2026-11-21T07:00:00Z' },
    { start: '2026-11-21T07:00:00', end: '2026-11-21T07:00:00Z' },
    { start: '2026-13-41T07:00:00Z', end: '2026-11-21T07:00:00Z' },
    { start: ['2026-11-21T07:00:00Z', '2026-11-21T07:00:00Z'], end: '2026-11-21T08:00:00Z' },
  ])('is refused unless both ends are dates with a zone: %j', (query) => {
    expect(() => readClip(query)).toThrow(/start|end/);
  });
});

describe('a token', () => {
  it.each(['', 'a b', 'a\n', 'ü', 'x'.repeat(1025)])('is refused if it is not printable or too long (%#)', (token) => {
    expect(() => readToken({ token })).toThrow(/printable ASCII/);
    expect(() => readToken({ token: ['a', 'a'] })).toThrow(/2 times/);
  });

  it('goes to the end of every URI of a playlist, and nowhere else', () => {
    const text = [
      '#EXTM3U',
      '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",URI="audio/audio.m3u8"',
      '#EXT-X-STREAM-INF:BANDWIDTH=1',
      '720p/video.m3u8?dvr=0',
      '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="720p/iframes.m3u8"',
      '#EXT-X-MAP:URI="init.mp4"',
      '#EXT-X-PART:DURATION=0.5,URI="p1.m4s",INDEPENDENT=YES',
      '#EXTINF:2.00000,',
      'video-1.m4s',
      '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="p2.m4s"',
      '#EXT-X-RENDITION-REPORT:URI="../audio/audio.m3u8?dvr=0",LAST-MSN=1,LAST-PART=0',
      '',
    ].join('\n');
    const wanted = text
      .replaceAll(/(?<=\.m3u8|\.mp4|\.m4s)(?=["\n])/g, '?token=a%2F%22b~c')
      .replaceAll('?dvr=0', '?dvr=0&token=a%2F%22b~c');
    expect(withToken(new RenderedPlaylist(text), 'a/"b~c').plain.toString()).toBe(wanted);
  });

  it('makes one version for all who have the same one, and few in all', () => {
    const playlist = new RenderedPlaylist('#EXTM3U\na.m3u8\n');
    const first = withToken(playlist, 'a');
    expect(withToken(playlist, 'a')).toBe(first);
    expect(withToken(playlist, 'b')).not.toBe(first);
    for (let index = 0; index < 40; index += 1) withToken(playlist, `c${index}`);
    expect(withToken(playlist, 'a')).not.toBe(first);
    expect(withToken(playlist, 'a').etag).toBe(first.etag);
  });
});
