import { describe, expect, it } from 'vitest';
import { PublishedFiles } from '../../src/relay/published-files.ts';
import type { PlaylistSnapshot } from '../../src/upstream/follow/playlist-snapshot.ts';
import { snapshotOf } from '../support/relay-snapshots.ts';

function playlist({
  first = 0,
  segments = 3,
  durationS = 2,
  token = 1,
  keys = false,
  end = false,
} = {}): PlaylistSnapshot {
  const lines = ['#EXTM3U', `#EXT-X-TARGETDURATION:${durationS}`, `#EXT-X-MEDIA-SEQUENCE:${first}`];
  for (let number = first; number < first + segments; number += 1) {
    // A new key with every second segment.
    if (keys) lines.push(`#EXT-X-KEY:METHOD=AES-128,URI="key?n=${number >> 1}&token=${token}"`);
    lines.push(`#EXTINF:${durationS},`, `seg${number}.ts?token=${token}`);
  }
  return snapshotOf([{ text: [...lines, ...(end ? ['#EXT-X-ENDLIST'] : [])].join('\n'), era: 7 }], { isRecorded: end });
}

function files(): PublishedFiles {
  return new PublishedFiles('variant', (name) => `${name}?s=x`);
}

describe('what relayed playlists name', () => {
  it('keeps its name when its address changes, and is fetched from the newest one', () => {
    const published = files();
    published.take(playlist({ token: 1 }), 0);
    published.take(playlist({ token: 2 }), 0);
    expect(published.find('7-1.ts')?.item.target.url.href).toMatch(/seg1\.ts\?token=2$/);
    expect(published.size).toBe(3);
  });

  it('has as many keys as there are, although their addresses change with each playlist', () => {
    const published = files();
    const keyOf = (snapshot: PlaylistSnapshot): string[] =>
      snapshot.segments.map(({ item, segment }) => published.keyUriOf(item, segment.keys[0]!));
    const first = playlist({ keys: true, segments: 4, token: 1 });
    published.take(first, 0);
    const [one, two] = ['7-0-key0.key?s=x', '7-2-key0.key?s=x'];
    expect(keyOf(first)).toEqual([one, one, two, two]);
    const second = playlist({ keys: true, first: 1, segments: 5, token: 2 });
    published.take(second, 0);
    expect(keyOf(second)).toEqual([one, two, two, '7-4-key0.key?s=x', '7-4-key0.key?s=x']);
    expect(published.find('7-2-key0.key')?.item).toMatchObject({
      ...{ kind: 'key', target: { url: { search: '?n=1&token=2' } } },
    });
  });

  it('can be had for as long as its playlist and a segment last after it has left, and no longer', () => {
    const published = files();
    published.take(playlist({ first: 0 }), 0);
    published.take(playlist({ first: 3 }), 7_999);
    expect(published.find('7-0.ts')).toBeDefined();
    published.take(playlist({ first: 4 }), 8_001);
    expect(published.find('7-0.ts')).toBeUndefined();
    expect(published.find('7-3.ts')).toBeDefined();
  });

  it('is bounded, whatever upstream lists', () => {
    const published = files();
    for (let first = 0; first < 30_000; first += 1_500) {
      published.take(playlist({ first, segments: 1_500, durationS: 600 }), 0);
    }
    expect(published.size).toBe(3_500);
    expect(published.find('7-29999.ts')).toBeDefined();
  });

  it('is called the same in a recording, whenever that is looked at', () => {
    const [one, other] = [files(), files()];
    one.take(playlist({ end: true, token: 1 }), 0);
    const later = playlist({ end: true, token: 2 });
    other.take({ ...later, segments: later.segments.map((segment) => ({ ...segment, era: 99 })) }, 0);
    const name = one.uriOf(later.segments[1]!.item).replace('?s=x', '');
    expect(name).toMatch(/^[0-9a-f]{12}-1\.ts$/);
    expect(other.find(name)?.item.target.url.search).toBe('?token=2');
  });

  it('keeps its name from the hint to the playlist', () => {
    const published = files();
    const text = (tail: string): string =>
      `#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n#EXT-X-PART-INF:PART-TARGET=1\n${tail}`;
    published.take(snapshotOf([{ text: text('#EXT-X-PRELOAD-HINT:TYPE=PART,URI="p0.ts"\n'), era: 7 }]), 0);
    const listed = snapshotOf([{ text: text('#EXT-X-PART:DURATION=1,URI="p0.ts"\n'), era: 7 }]);
    published.take(listed, 0);
    expect(published.uriOf(listed.lowLatency!.trailingParts[0]!.item)).toBe('7-0.0.ts?s=x');
    expect(published.size).toBe(1);
  });
});
