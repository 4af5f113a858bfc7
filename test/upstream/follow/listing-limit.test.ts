import { describe, expect, it } from 'vitest';
import { ListingLimit, MAX_LISTED } from '../../../src/upstream/follow/listing-limit.ts';

const playlist = (count: number): string => `#EXTM3U\n${'#EXTINF:1,\na.ts\n'.repeat(count)}`;

describe('what all playlists of an upstream list', () => {
  it('is bounded, and a playlist that was taken may go on', () => {
    const limit = new ListingLimit();
    const share = MAX_LISTED / 6;
    for (let index = 0; index < 6; index += 1) limit.take(`v${index}`, playlist(share));
    expect(() => limit.take('v6', playlist(1))).toThrow(expect.objectContaining({ code: 'LIMIT_REACHED' }) as Error);
    expect(() => limit.take('v0', playlist(share))).not.toThrow();
    limit.take('v0', playlist(share - 1));
    expect(() => limit.take('v6', playlist(1))).not.toThrow();
    expect(() => limit.take('v7', '#EXTM3U\n#EXT-X-PART:DURATION=1,URI="a"\n')).toThrow(/fewer of its renditions/);
  });
});
