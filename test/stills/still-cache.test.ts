import { describe, expect, it } from 'vitest';
import { StillCache } from '../../src/stills/still-cache.ts';

describe('StillCache', () => {
  it('keeps exactly its limit, and drops what was used longest ago', () => {
    const cache = new StillCache<string>({ maxBytes: 30 });
    cache.set('a', 'A', 10);
    cache.set('b', 'B', 10);
    cache.set('c', 'C', 10);
    expect([cache.get('a'), cache.bytes]).toEqual(['A', 30]);
    cache.set('d', 'D', 1);
    expect(['a', 'b', 'c', 'd'].map((key) => cache.get(key))).toEqual(['A', undefined, 'C', 'D']);
    expect(cache.bytes).toBe(21);
  });

  it('counts a value once that takes the place of another', () => {
    const cache = new StillCache<number>({ maxBytes: 30 });
    for (let round = 0; round < 10; round += 1) cache.set('a', round, 20);
    expect([cache.get('a'), cache.bytes]).toEqual([9, 20]);
    cache.delete('a');
    cache.delete('a');
    expect([cache.get('a'), cache.bytes]).toEqual([undefined, 0]);
  });

  it('keeps nothing that is larger than its limit', () => {
    const cache = new StillCache<string>({ maxBytes: 30 });
    cache.set('a', 'A', 10);
    cache.set('a', 'larger', 31);
    expect([cache.get('a'), cache.bytes]).toEqual([undefined, 0]);
  });
});
