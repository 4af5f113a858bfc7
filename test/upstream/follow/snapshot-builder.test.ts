import { describe, expect, it } from 'vitest';
import { Continuity } from '../../../src/upstream/follow/continuity.ts';
import { DiscontinuityShifts } from '../../../src/upstream/follow/discontinuity-shifts.ts';
import type { PlaylistSnapshot } from '../../../src/upstream/follow/playlist-snapshot.ts';
import { SnapshotBuilder } from '../../../src/upstream/follow/snapshot-builder.ts';
import { listed, type Listed } from './listed.ts';

const ERA = 1_000;
const LOW_LATENCY = [
  '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5',
  '#EXT-X-PART-INF:PART-TARGET=0.5',
];

class Taken {
  readonly #continuity = new Continuity({ shifts: new DiscontinuityShifts(), firstEra: ERA });
  readonly builder = new SnapshotBuilder('u0/v0');

  take(options: Listed): PlaylistSnapshot {
    const playlist = listed(options);
    this.#continuity.apply(playlist, { index: 0, switches: 0, hasStalled: false });
    return this.builder.build(this.#continuity, playlist, { ended: playlist.ended });
  }
}

function part(uri: string, more = ''): string {
  return `#EXT-X-PART:DURATION=0.5,URI="${uri}"${more}`;
}

describe('a snapshot', () => {
  it('names each segment by era and number, at its newest address', () => {
    const taken = new Taken();
    const uri = (token: string) => (number: number) => `/live/${number}.ts?t=${token}`;
    const before = taken.take({ first: 7, uri: uri('a') });
    const now = taken.take({ first: 8, uri: uri('b') });
    expect(before.segments[1]?.item.id).toBe('u0/v0/1000-8');
    expect(now.segments[0]?.item.id).toBe('u0/v0/1000-8');
    expect(now.segments[0]?.item.target.url.search).toBe('?t=b');
    expect(taken.builder.item('u0/v0/1000-8')?.target.url.search).toBe('?t=b');
    expect(taken.builder.item('u0/v0/1000-7')).toBeUndefined();
    expect([before.version, now.version]).toEqual([0, 1]);
  });

  it('takes the same items again where nothing has changed', () => {
    const taken = new Taken();
    const before = taken.take({ first: 7 });
    const now = taken.take({ first: 8 });
    expect(now.segments[0]?.item.target).toBe(before.segments[1]?.item.target);
  });

  it('has one initialization section for each era', () => {
    const tags = (number: number): string[] => {
      if (number === 0) return ['#EXT-X-MAP:URI="init-0.mp4"'];
      return number === 3 ? ['#EXT-X-DISCONTINUITY', '#EXT-X-MAP:URI="init-1.mp4",BYTERANGE="100@20"'] : [];
    };
    const { segments } = new Taken().take({ first: 0, count: 5, tags });
    expect(segments.map(({ init }) => init?.id)).toEqual([
      ...Array<string>(3).fill('u0/v0/1000-init'),
      ...Array<string>(2).fill('u0/v0/1001-init'),
    ]);
    expect(segments[4]?.init).toBe(segments[3]?.init);
    expect(segments[4]?.init).toMatchObject({ kind: 'init', byteRange: { offset: 20, length: 100 } });
  });

  it('counts the breaks before its first segment, whose own has its tag', () => {
    const taken = new Taken();
    const tags = (number: number): string[] => (number === 2 ? ['#EXT-X-DISCONTINUITY'] : []);
    const head = ['#EXT-X-DISCONTINUITY-SEQUENCE:4'];
    expect(taken.take({ first: 0, tags, head }).discontinuitySequence).toBe(4);
    expect(taken.take({ first: 2, tags, head }).discontinuitySequence).toBe(4);
    expect(taken.take({ first: 3, head: ['#EXT-X-DISCONTINUITY-SEQUENCE:5'] }).discontinuitySequence).toBe(5);
  });

  it('has no segments where upstream has none', () => {
    const { segments, firstNumber, trailing } = new Taken().take({ first: 9, count: 0 });
    expect(segments).toEqual([]);
    expect([firstNumber, trailing.number]).toEqual([9, 9]);
  });
});

describe('a snapshot with parts', () => {
  it('names the part that is hinted at as it will be named, whichever segment it belongs to', () => {
    const taken = new Taken();
    const hint = '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="7.0.ts?t=a"';
    const tail = [part('6.0.ts'), part('6.1.ts')];
    const before = taken.take({ first: 0, head: LOW_LATENCY, tail: [...tail, hint] });
    expect(before.lowLatency?.trailingParts.map(({ item }) => item.id)).toEqual([
      ...['u0/v0/1000-6.0', 'u0/v0/1000-6.1'],
    ]);
    expect(before.lowLatency?.preloadHint).toMatchObject({ id: 'u0/v0/hint-0', kind: 'part', byteRange: undefined });
    const again = taken.take({ first: 0, head: LOW_LATENCY, tail: [...tail, hint] });
    expect(again.lowLatency?.preloadHint?.id).toBe('u0/v0/hint-0');
    const tags = (number: number): string[] => (number === 6 ? [part('6.0.ts'), part('6.1.ts')] : []);
    for (let listing = 0; listing < 2; listing++) {
      const now = taken.take({ first: 1, head: LOW_LATENCY, tags, tail: [part('7.0.ts?t=a'), part('7.1.ts')] });
      expect(now.segments.at(-1)?.parts.map(({ item }) => item.id)).toEqual([...['u0/v0/1000-6.0', 'u0/v0/1000-6.1']]);
      expect(now.lowLatency?.trailingParts.map(({ item }) => item.id)).toEqual([...['u0/v0/hint-0', 'u0/v0/1000-7.1']]);
    }
    taken.take({ first: 2, head: LOW_LATENCY });
    const later = taken.take({ first: 2, head: LOW_LATENCY, tail: [part('7.0.ts?t=a')] });
    expect(later.lowLatency?.trailingParts[0]?.item.id).toBe('u0/v0/1000-8.0');
  });

  it('tells hints by their queries where all parts have one path', () => {
    const taken = new Taken();
    const listing = (count: number): PlaylistSnapshot => {
      const parts = Array.from({ length: count }, (_, n) => part(`part.ts?n=${n}`));
      const hint = `#EXT-X-PRELOAD-HINT:TYPE=PART,URI="part.ts?n=${count}"`;
      return taken.take({ first: 0, head: LOW_LATENCY, tail: [...parts, hint] });
    };
    listing(0);
    listing(1);
    const { lowLatency } = listing(2);
    expect(lowLatency?.trailingParts.map(({ item }) => item.id)).toEqual(['u0/v0/hint-0', 'u0/v0/hint-1']);
    expect(lowLatency?.preloadHint?.id).toBe('u0/v0/hint-2');
  });

  it('hints at no rest of a file, which would be more than the part', () => {
    const parts = [part('6.ts', ',BYTERANGE="100@0"')];
    const hintAt = (more: string): PlaylistSnapshot =>
      new Taken().take({
        ...{ first: 0, head: LOW_LATENCY },
        tail: [...parts, `#EXT-X-PRELOAD-HINT:TYPE=PART,URI="6.ts"${more}`],
      });
    expect(hintAt(',BYTERANGE-START=100').lowLatency?.preloadHint).toBeUndefined();
    expect(hintAt('').lowLatency?.preloadHint).toBeUndefined();
    expect(hintAt(',BYTERANGE-START=100,BYTERANGE-LENGTH=50').lowLatency?.preloadHint?.byteRange).toEqual({
      ...{ offset: 100, length: 50 },
    });
  });

  it('has none where the server tells no part target', () => {
    expect(new Taken().take({ first: 0, tail: [part('6.0.ts')] }).lowLatency).toBeUndefined();
  });
});
