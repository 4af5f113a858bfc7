/** What may be fetched ahead. */
export interface PrefetchWindow {
  /** How long each thing in the playlist plays, in order. */
  readonly durationsMs: readonly number[];
  /** Where players are, as indexes of what they asked for last; -1 for one whose place has left the playlist. */
  readonly positions: readonly number[];
  /** How many may be fetched ahead of a player. */
  readonly ahead: number;
  /** Media that may be fetched ahead of a player; the next thing always may. */
  readonly maxAheadMs: number;
}

/**
 * Indexes of what players will want next, in the order in which it should be fetched: what is nearest to any player first,
 * of equal distance in the order of `positions`. Never beyond the end of the playlist.
 */
export function prefetchOrder({ durationsMs, positions, ahead, maxAheadMs }: PrefetchWindow): number[] {
  const order = new Set<number>();
  const aheadMs = positions.map(() => 0);
  for (let distance = 1; distance <= ahead; distance++) {
    for (const [player, position] of positions.entries()) {
      const index = position + distance;
      const durationMs = durationsMs[index];
      if (durationMs === undefined) continue;
      const totalMs = (aheadMs[player] ?? 0) + durationMs;
      aheadMs[player] = totalMs;
      if (distance === 1 || totalMs <= maxAheadMs) order.add(index);
    }
  }
  return [...order];
}
