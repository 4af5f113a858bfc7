import { describe, expect, it } from 'vitest';
import { compareToEdge } from '../../src/hls/playlist-position.ts';

/** Segment 9 is complete with 4 parts; of segment 10 there are `openParts`. */
function ask(msn: number, part: number | undefined, openParts: number, partTargetMs = 502): string {
  return compareToEdge({ msn, part }, { msn: 9, parts: 4, openParts }, partTargetMs);
}

describe('compareToEdge', () => {
  it('has what is old, whatever part is asked for', () => {
    expect([ask(0, undefined, 0), ask(8, 3, 0), ask(8, 1e9, 0), ask(9, undefined, 0), ask(9, 3, 0)]).toEqual(
      Array.from({ length: 5 }, () => 'reached'),
    );
  });

  it('waits for a whole segment until it is complete', () => {
    expect([ask(10, undefined, 0), ask(10, undefined, 3), ask(11, undefined, 0)]).toEqual(['ahead', 'ahead', 'ahead']);
  });

  it('waits for a part until it is there', () => {
    expect([ask(10, 0, 0), ask(10, 0, 1), ask(10, 2, 2), ask(10, 2, 3), ask(11, 0, 3)]).toEqual([
      'ahead',
      'reached',
      'ahead',
      'reached',
      'ahead',
    ]);
  });

  it('takes a part beyond the last of a segment for the first of the next', () => {
    expect([ask(9, 4, 0), ask(9, 4, 1), ask(9, 5, 1)]).toEqual(['ahead', 'reached', 'reached']);
  });

  it('refuses segments more than two beyond the newest, which counts from its first part on', () => {
    expect([ask(11, undefined, 0), ask(12, undefined, 0), ask(12, undefined, 1), ask(13, undefined, 1)]).toEqual([
      'ahead',
      'too-far',
      'ahead',
      'too-far',
    ]);
    expect(ask(Number.MAX_SAFE_INTEGER, 0, 1)).toBe('too-far');
  });

  it('refuses parts beyond the advance part limit: 3 s, or three parts of a second and more', () => {
    expect([ask(10, 7, 2), ask(10, 8, 2), ask(10, 5, 0), ask(10, 6, 0)]).toEqual([
      'ahead',
      'too-far',
      'ahead',
      'too-far',
    ]);
    expect([ask(10, 4, 2, 1_002), ask(10, 5, 2, 1_002)]).toEqual(['ahead', 'too-far']);
    expect([ask(9, 9, 0), ask(9, 10, 0), ask(11, 5, 2), ask(11, 6, 2)]).toEqual([
      'ahead',
      'too-far',
      'ahead',
      'too-far',
    ]);
  });

  it('has all parts of a gap', () => {
    expect(compareToEdge({ msn: 9, part: 3 }, { msn: 9, parts: Infinity, openParts: 0 }, 502)).toBe('reached');
  });
});
