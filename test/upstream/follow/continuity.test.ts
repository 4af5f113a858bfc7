import { describe, expect, it } from 'vitest';
import { type Continuation, Continuity, type PlaylistOrigin } from '../../../src/upstream/follow/continuity.ts';
import { DiscontinuityShifts } from '../../../src/upstream/follow/discontinuity-shifts.ts';
import type { KnownSegment } from '../../../src/upstream/follow/known-segment.ts';
import { listed, type Listed } from './listed.ts';

const ERA = 1_000;
const DATE = 1_700_000_000_000;
const FIRST: PlaylistOrigin = { index: 0, switches: 0, hasStalled: false };
const BACKUP: PlaylistOrigin = { index: 1, switches: 1, hasStalled: false };

class Followed {
  readonly continuity: Continuity;

  constructor(shifts = new DiscontinuityShifts()) {
    this.continuity = new Continuity({ shifts, firstEra: ERA });
  }

  take(options: Listed, origin = FIRST): Continuation {
    return this.continuity.apply(listed(options), origin);
  }

  get numbers(): number[] {
    return this.continuity.segments.map(({ number }) => number);
  }

  get eras(): number[] {
    return this.continuity.segments.map(({ era }) => era - ERA);
  }

  get breaks(): number[] {
    return this.continuity.segments.filter(({ discontinuity }) => discontinuity).map(({ number }) => number);
  }

  get discontinuitySequences(): number[] {
    return this.continuity.segments.map(({ discontinuitySequence }) => discontinuitySequence);
  }

  at(number: number): KnownSegment | undefined {
    return this.continuity.segments.find((segment) => segment.number === number);
  }
}

function numbersFrom(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}

describe('our numbers', () => {
  it('begin with those of upstream and go on with each new segment', () => {
    const followed = new Followed();
    expect(followed.take({ first: 100 })).toEqual({ kind: 'grown', brokeBecause: undefined });
    expect(followed.numbers).toEqual(numbersFrom(100, 6));
    expect(followed.take({ first: 100 }).kind).toBe('refreshed');
    expect(followed.take({ first: 102 }).kind).toBe('grown');
    expect(followed.numbers).toEqual(numbersFrom(102, 6));
    expect(followed.eras).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('stay when only tokens change, and the newest addresses count', () => {
    const followed = new Followed();
    followed.take({ first: 100, uri: (number) => `/live/${number}.ts?token=a` });
    followed.take({ first: 101, uri: (number) => `/live/${number}.ts?token=b` });
    expect(followed.numbers).toEqual(numbersFrom(101, 6));
    expect(followed.continuity.segments.map(({ segment }) => segment.uri.search)).toEqual(Array(6).fill('?token=b'));
    expect(followed.breaks).toEqual([]);
  });

  it('are not moved by a server that is behind', () => {
    const followed = new Followed();
    followed.take({ first: 100, uri: (number) => `/live/${number}.ts?token=a` });
    expect(followed.take({ first: 97, uri: (number) => `/live/${number}.ts?token=old` }).kind).toBe('stale');
    expect(followed.numbers).toEqual(numbersFrom(100, 6));
    expect(followed.at(100)?.segment.uri.search).toBe('?token=a');
    expect(followed.take({ first: 101 }).kind).toBe('grown');
    expect(followed.numbers).toEqual(numbersFrom(101, 6));
  });

  it('go on behind a hole, with a break', () => {
    const followed = new Followed();
    followed.take({ first: 100 });
    expect(followed.take({ first: 114 })).toEqual({ kind: 'grown', brokeBecause: 'segments were missed: 8' });
    expect(followed.numbers).toEqual(numbersFrom(106, 6));
    expect(followed.breaks).toEqual([106]);
    expect(followed.eras).toEqual([1, 1, 1, 1, 1, 1]);
    expect(followed.take({ first: 115 }).brokeBecause).toBeUndefined();
    expect(followed.numbers).toEqual(numbersFrom(107, 6));
    expect(followed.at(107)?.segment.sequence).toBe(115);
  });

  it('go on without a break right behind the last segment', () => {
    const followed = new Followed();
    followed.take({ first: 100 });
    followed.take({ first: 106 });
    expect(followed.numbers).toEqual(numbersFrom(106, 6));
    expect(followed.breaks).toEqual([]);
  });

  it('stay when the same paths get other numbers', () => {
    const followed = new Followed();
    followed.take({ first: 100 });
    followed.take({ first: 7, uri: (number) => `/live/${number + 94}.ts?session=2` });
    expect(followed.numbers).toEqual(numbersFrom(101, 6));
    expect(followed.breaks).toEqual([]);
    expect(followed.at(106)?.segment.sequence).toBe(12);
    followed.take({ first: 8, uri: (number) => `/live/${number + 94}.ts?session=2` });
    expect(followed.numbers).toEqual(numbersFrom(102, 6));
  });

  it('stay when the paths of a session change while the numbers go on', () => {
    const followed = new Followed();
    followed.take({ first: 100, uri: (number) => `/session-1/x/${number}.ts` });
    followed.take({ first: 101, uri: (number) => `/session-2/y/${number}.ts` });
    expect(followed.numbers).toEqual(numbersFrom(101, 6));
    expect(followed.breaks).toEqual([]);
    expect(followed.at(101)?.segment.uri.pathname).toBe('/session-2/y/101.ts');
  });

  it('are right when all segments have the same path', () => {
    const followed = new Followed();
    followed.take({ first: 100, uri: (number) => `/seg.ts?n=${number}` });
    followed.take({ first: 102, uri: (number) => `/seg.ts?n=${number}` });
    expect(followed.numbers).toEqual(numbersFrom(102, 6));
    expect(followed.breaks).toEqual([]);
  });

  it('take names that come round again for what they are', () => {
    const followed = new Followed();
    followed.take({ first: 100, uri: (number) => `/live/${number % 10}.ts` });
    followed.take({ first: 101, uri: (number) => `/live/${number % 10}.ts` });
    expect(followed.take({ first: 108, uri: (number) => `/live/${number % 10}.ts` }).brokeBecause).toBe(
      'segments were missed: 1',
    );
  });

  it.each([
    { what: 'a restart at 0', first: 0, count: 2, taken: 2 },
    { what: 'another encoder at 500000', first: 500_000, count: 6, taken: 3 },
    { what: 'another encoder far below', first: 20, count: 6, taken: 3 },
  ])('go on behind $what, with a break', ({ first, count, taken }) => {
    const followed = new Followed();
    followed.take({ first: 100 });
    const uri = (number: number): string => `/other/${number}.ts`;
    expect(followed.take({ first, count, uri }).brokeBecause).toMatch(/sequence numbers/);
    expect(followed.numbers.slice(-taken)).toEqual(numbersFrom(106, taken));
    expect(followed.breaks).toEqual([106]);
    expect(followed.numbers).toHaveLength(6);
    expect(followed.continuity.segments.at(-1)?.segment.sequence).toBe(first + count - 1);
    expect(followed.take({ first: first + 1, count, uri }).brokeBecause).toBeUndefined();
    expect(followed.numbers.at(-1)).toBe(106 + taken);
  });

  it('leave segments from before a break alone when upstream lists what was not taken behind it', () => {
    const followed = new Followed();
    followed.take({ first: 100 });
    const uri = (number: number): string => `/b/${number}.ts`;
    followed.take({ first: 500_000, uri });
    followed.take({ first: 500_000, uri });
    expect(followed.continuity.segments.map(({ segment }) => segment.sequence)).toEqual([
      ...[103, 104, 105, 500_003, 500_004, 500_005],
    ]);
  });

  it('take a playlist that is behind for a new beginning when nothing else has come for long', () => {
    const followed = new Followed();
    followed.take({ first: 3 });
    expect(followed.take({ first: 0, count: 4 }).kind).toBe('stale');
    expect(followed.take({ first: 0, count: 5 }, { ...FIRST, hasStalled: true }).kind).toBe('grown');
    expect(followed.breaks).toEqual([9]);
  });

  it('go on with a break when the same numbers have other program date-times', () => {
    const followed = new Followed();
    followed.take({ first: 0, dateMs: DATE });
    const restarted = { first: 0, dateMs: DATE + 3_600_000 };
    expect(followed.take(restarted).brokeBecause).toBe('other program date-times');
    expect(followed.numbers.slice(-3)).toEqual([6, 7, 8]);
    expect(followed.breaks).toEqual([6]);
  });

  it('are unmoved by a playlist without segments', () => {
    const followed = new Followed();
    expect(followed.take({ first: 5, count: 0 }).kind).toBe('refreshed');
    followed.take({ first: 100 });
    expect(followed.take({ first: 200, count: 0 }).kind).toBe('refreshed');
    expect(followed.numbers).toEqual(numbersFrom(100, 6));
  });

  it('ignore older segments that a server lists later', () => {
    const followed = new Followed();
    followed.take({ first: 100, count: 3 });
    followed.take({ first: 90, count: 14 });
    expect(followed.numbers).toEqual([100, 101, 102, 103]);
  });
});

describe('eras and discontinuities', () => {
  it('are those of upstream', () => {
    const followed = new Followed();
    const tags = (number: number): string[] => (number === 103 ? ['#EXT-X-DISCONTINUITY'] : []);
    followed.take({ first: 100, tags, head: ['#EXT-X-DISCONTINUITY-SEQUENCE:7'] });
    expect(followed.eras).toEqual([0, 0, 0, 1, 1, 1]);
    expect(followed.breaks).toEqual([103]);
    expect(followed.discontinuitySequences).toEqual([7, 7, 7, 8, 8, 8]);
    followed.take({ first: 104, head: ['#EXT-X-DISCONTINUITY-SEQUENCE:8'] });
    expect(followed.eras).toEqual([1, 1, 1, 1, 1, 1]);
    expect(followed.discontinuitySequences).toEqual([8, 8, 8, 8, 8, 8]);
  });

  it('begin with another initialization section, without a break', () => {
    const followed = new Followed();
    const map = (name: string): string => `#EXT-X-MAP:URI="${name}"`;
    const tags = (number: number): string[] =>
      number === 100 ? [map('init-0.mp4')] : number === 103 ? [map('init-1.mp4')] : [];
    followed.take({ first: 100, tags });
    expect(followed.eras).toEqual([0, 0, 0, 1, 1, 1]);
    expect(followed.breaks).toEqual([]);
  });

  it('do not begin with another token of the same initialization section', () => {
    const followed = new Followed();
    const tags = (token: string) => (number: number) =>
      number % 100 === 0 || number === 106 ? [`#EXT-X-MAP:URI="/session/${token}/init.mp4?token=${token}"`] : [];
    followed.take({ first: 100, tags: tags('a') });
    followed.take({ first: 106, tags: tags('b') });
    expect(followed.eras).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('are foreseen for the segment that is being made', () => {
    const followed = new Followed();
    followed.take({ first: 100 });
    const playlist = listed({ first: 100, tail: ['#EXT-X-DISCONTINUITY', '#EXT-X-PART:DURATION=0.5,URI="p.ts"'] });
    expect(followed.continuity.trailing(playlist)).toEqual({
      ...{ number: 106, era: ERA + 1, discontinuity: true, discontinuitySequence: 1 },
    });
  });
});

describe('another address', () => {
  it('goes on with its newest 3 segments and a break', () => {
    const followed = new Followed();
    followed.take({ first: 100 });
    const uri = (number: number): string => `/backup/${number}.ts`;
    expect(followed.take({ first: 500_000, uri }, BACKUP).brokeBecause).toBe('another address');
    expect(followed.numbers).toEqual(numbersFrom(103, 6));
    expect(followed.breaks).toEqual([106]);
    expect(followed.at(106)?.segment.sequence).toBe(500_003);
    expect(followed.discontinuitySequences).toEqual([0, 0, 0, 1, 1, 1]);
    followed.take({ first: 500_001, uri }, BACKUP);
    expect(followed.numbers).toEqual(numbersFrom(104, 6));
  });

  it('breaks also if its names and numbers are the same, since its encoder is another one', () => {
    const followed = new Followed();
    followed.take({ first: 100 });
    followed.take({ first: 100 }, BACKUP);
    expect(followed.breaks).toEqual([106]);
    expect(followed.at(106)?.segment.sequence).toBe(103);
  });

  it('goes on where the first one stopped, by program date-time', () => {
    const followed = new Followed();
    followed.take({ first: 100, dateMs: DATE });
    const backup: Listed = { first: 500, dateMs: DATE + 4_700, uri: (number) => `/backup/${number}.ts` };
    followed.take(backup, BACKUP);
    // What overlaps by more than half is dropped: 504 begins at 12.7 s, 503 at 10.7 s, and known is up to 12 s.
    expect(followed.at(106)?.segment.sequence).toBe(504);
    expect(followed.numbers.at(-1)).toBe(107);
  });

  it('waits for something new while it is a little behind, by program date-time', () => {
    const followed = new Followed();
    followed.take({ first: 100, dateMs: DATE });
    const backup: Listed = { first: 500, dateMs: DATE - 4_000, uri: (number) => `/backup/${number}.ts` };
    expect(followed.take(backup, BACKUP).kind).toBe('stale');
    expect(followed.numbers).toEqual(numbersFrom(100, 6));
    expect(followed.take({ ...backup, count: 9 }, BACKUP).brokeBecause).toBe('another address');
    expect(followed.at(106)?.segment.sequence).toBe(508);
  });

  it.each([
    { what: 'far behind', dateMs: DATE - 3_600_000 },
    { what: 'far ahead', dateMs: DATE + 3_600_000 },
  ])('goes on with its newest 3 segments if its clock is $what', ({ dateMs }) => {
    const followed = new Followed();
    followed.take({ first: 100, dateMs });
    followed.take({ first: 500, dateMs: DATE, uri: (number) => `/backup/${number}.ts` }, BACKUP);
    expect(followed.at(106)?.segment.sequence).toBe(503);
  });

  it('goes on without a break if it serves the same files of the same times', () => {
    const followed = new Followed();
    followed.take({ first: 100, dateMs: DATE });
    followed.take({ first: 40, dateMs: DATE + 2_000, uri: (number) => `/cdn2/${number + 61}.ts` }, BACKUP);
    expect(followed.numbers).toEqual(numbersFrom(101, 6));
    expect(followed.breaks).toEqual([]);
  });

  it('goes on without a break with the same recording', () => {
    const followed = new Followed();
    const tail = ['#EXT-X-ENDLIST'];
    followed.take({ first: 0, count: 20, tail });
    followed.take({ first: 1, count: 20, tail, uri: (number) => `/mirror/${number}.ts` }, BACKUP);
    expect(followed.breaks).toEqual([]);
    expect(followed.numbers).toEqual(numbersFrom(0, 20));
    expect(followed.at(0)?.segment.uri.pathname).toBe('/mirror/1.ts');
  });

  it('keeps the breaks of all renditions in step', () => {
    const shifts = new DiscontinuityShifts();
    const [video, audio] = [new Followed(shifts), new Followed(shifts)];
    const head = ['#EXT-X-DISCONTINUITY-SEQUENCE:5'];
    video.take({ first: 100, head });
    audio.take({ first: 100, head });
    video.take({ first: 500, uri: (number) => `/b/v${number}.ts` }, BACKUP);
    audio.take({ first: 500, uri: (number) => `/b/a${number}.ts` }, BACKUP);
    const late = new Followed(shifts);
    late.take({ first: 500, uri: (number) => `/b/l${number}.ts` }, BACKUP);
    expect([video, audio, late].map(({ discontinuitySequences }) => discontinuitySequences.at(-1))).toEqual([6, 6, 6]);
    audio.take({ first: 0, count: 1, uri: (number) => `/c/a${number}.ts` }, BACKUP);
    video.take({ first: 0, count: 1, uri: (number) => `/c/v${number}.ts` }, BACKUP);
    expect([video, audio].map(({ discontinuitySequences }) => discontinuitySequences.at(-1))).toEqual([7, 7]);
  });

  it('gives a rendition that comes first there the next break of the others', () => {
    const shifts = new DiscontinuityShifts();
    const [video, late] = [new Followed(shifts), new Followed(shifts)];
    video.take({ first: 100, head: ['#EXT-X-DISCONTINUITY-SEQUENCE:5'] });
    late.take({ first: 500, uri: (number) => `/b/l${number}.ts` }, BACKUP);
    video.take({ first: 500, uri: (number) => `/b/v${number}.ts` }, BACKUP);
    expect([video, late].map(({ discontinuitySequences }) => discontinuitySequences.at(-1))).toEqual([6, 6]);
  });
});

describe('the memory of a playlist', () => {
  it('keeps what it had before a break until enough has come', () => {
    const followed = new Followed();
    followed.take({ first: 100 });
    const lengths = [1, 2, 3, 4].map((count) => {
      followed.take({ first: 0, count, uri: (number) => `/b/${number}.ts` });
      return followed.numbers.length;
    });
    expect(lengths).toEqual([6, 6, 6, 6]);
    expect(followed.numbers.at(-1)).toBe(109);
    for (let first = 1; first < 10; first++) followed.take({ first, count: 4, uri: (number) => `/b/${number}.ts` });
    expect(followed.numbers).toEqual(numbersFrom(115, 4));
  });

  it('is bounded by what upstream lists', () => {
    const followed = new Followed();
    for (let first = 0; first < 500; first++) followed.take({ first, count: 5 });
    expect(followed.numbers).toEqual(numbersFrom(499, 5));
    for (let round = 0; round < 100; round++) {
      followed.take({ first: round * 1_000 + 10_000, count: 5, uri: (number) => `/${round}/${number}.ts` });
    }
    expect(followed.numbers).toHaveLength(5);
  });

  it('keeps the parts of a segment that are not listed any more', () => {
    const followed = new Followed();
    const part = (name: string): string => `#EXT-X-PART:DURATION=0.5,URI="${name}"`;
    const parts = (number: number): string[] => (number === 105 ? [part('105.0.ts'), part('105.1.ts')] : []);
    followed.take({ first: 100, tags: parts });
    followed.take({ first: 101 });
    expect(followed.at(105)?.segment.parts).toHaveLength(2);
  });
});
