import { describe, expect, it } from 'vitest';
import { streamKind } from '../../../src/upstream/follow/stream-kind.ts';

const LABEL = 'http://upstream.test/live';

function packets(count: number, from = 0): Buffer {
  const bytes = Buffer.alloc(count * 188, 0xff);
  for (let at = 0; at < bytes.length; at += 188) bytes[at] = 0x47;
  return bytes.subarray(from);
}

describe('what an address answers with', () => {
  it.each([
    { what: 'a playlist', bytes: Buffer.from('#EXTM3U\n#EXT-X-VERSION:3\n'), kind: 'hls' },
    { what: 'a playlist behind a byte order mark', bytes: Buffer.from('\uFEFF#EXTM3U\r\n'), kind: 'hls' },
    { what: 'a transport stream', bytes: packets(4), kind: 'mpegts' },
    { what: 'a transport stream from within a packet', bytes: packets(4, 100), kind: 'mpegts' },
  ])('is $what', ({ bytes, kind }) => {
    expect(streamKind(bytes, LABEL)).toBe(kind);
  });

  it.each([
    { what: 'a web page', bytes: Buffer.from('<!DOCTYPE html><title>Log in</title>') },
    { what: 'a DASH manifest', bytes: Buffer.from('<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011">') },
    { what: 'an MP4 file', bytes: Buffer.from('\0\0\0\x18ftypisom') },
    { what: 'nothing', bytes: Buffer.alloc(0) },
    { what: 'something else', bytes: noise() },
    { what: 'something else', bytes: Buffer.from('G') },
  ])('is refused if it is $what', ({ what, bytes }) => {
    expect(() => streamKind(bytes, LABEL)).toThrow(
      `"${LABEL}" answers with ${what}; an HLS playlist or MPEG-TS is needed`,
    );
  });
});

/** No sync byte at any place. */
function noise(): Buffer {
  return Buffer.from(Array.from({ length: 752 }, (_, index) => (index * 7) % 64));
}
