import { describe, expect, it } from 'vitest';
import { RelayLadder } from '../../src/relay/relay-ladder.ts';
import { ladderOf } from '../../src/upstream/follow/upstream-ladder.ts';
import { parseMultivariant } from '../../src/upstream/playlist/multivariant-playlist.ts';
import { UPSTREAM } from '../support/relay-snapshots.ts';

describe('what a source offers', () => {
  it('has each playlist once, also if sound is a variant too', () => {
    const text = `#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="sound.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=2,AUDIO="a"
picture.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1
sound.m3u8
`;
    const { multivariant, renditions } = new RelayLadder(ladderOf(parseMultivariant(text, UPSTREAM)), (id) => `${id}!`);
    expect([...renditions.keys()]).toEqual(['v0', 'a0']);
    expect(multivariant.plain.toString()).toMatch(/URI="a0!"\n.*\nv0!\n.*\na0!\n$/);
  });
});
