/** Where the picture was at one moment. */
export interface PlayerSample {
  readonly wallMs: number;
  /** Number of the video element; another one when the page put another one in its place. */
  readonly element: number;
  readonly timeS: number;
  /** Wall-clock time of the picture, by EXT-X-PROGRAM-DATE-TIME. */
  readonly dateMs?: number;
  readonly latencyS?: number;
  readonly height: number;
  readonly frames: number;
  /** Paused or ended: standing still is right. */
  readonly idle: boolean;
}

/** What a recorder in a page noted. */
export interface PlayerRecord {
  readonly samples: readonly PlayerSample[];
  readonly errors: readonly { readonly fatal: boolean; readonly what: string }[];
  readonly ended: boolean;
}

/** A time in which the picture stood still although it should have moved. */
export interface FrozenSpell {
  readonly startedAtMs: number;
  readonly durationMs: number;
}

/** What a viewer saw of a player. */
export class PlayerReport {
  readonly record: PlayerRecord;

  constructor(record: PlayerRecord) {
    this.record = record;
  }

  get last(): PlayerSample | undefined {
    return this.record.samples.at(-1);
  }

  get fatalErrors(): string[] {
    return this.record.errors.filter(({ fatal }) => fatal).map(({ what }) => what);
  }

  /** The same from this moment on. */
  since(wallMs: number): PlayerReport {
    return new PlayerReport({
      ...this.record,
      samples: this.record.samples.filter((sample) => sample.wallMs >= wallMs),
    });
  }

  /** Standstills after the first movement; one that is still going on is among them. */
  frozenSpells(leastMs = 500): FrozenSpell[] {
    const spells: FrozenSpell[] = [];
    let lastMove: PlayerSample | undefined;
    const note = (until: PlayerSample): void => {
      const durationMs = until.wallMs - (lastMove?.wallMs ?? until.wallMs);
      if (lastMove !== undefined && durationMs >= leastMs) spells.push({ startedAtMs: lastMove.wallMs, durationMs });
    };
    for (const [before, now] of pairs(this.record.samples)) {
      if (!moves(before, now)) continue;
      note(before);
      lastMove = now;
    }
    if (this.last !== undefined) note(this.last);
    return spells;
  }

  /** How long the picture stood still at most, ms. */
  get longestFreezeMs(): number {
    return Math.max(0, ...this.frozenSpells().map(({ durationMs }) => durationMs));
  }

  /** Steps back of the wall-clock time of the picture, ms; what a viewer saw twice. */
  stepsBack(leastMs = 250): number[] {
    return pairs(this.record.samples)
      .map(([before, now]) => (before.dateMs ?? NaN) - (now.dateMs ?? NaN))
      .filter((stepMs) => stepMs >= leastMs);
  }

  /** Media time that was played from this moment on, in seconds; jumps do not count. */
  playedS(sinceWallMs = 0): number {
    const steps = pairs(this.record.samples.filter(({ wallMs }) => wallMs >= sinceWallMs));
    return steps
      .filter(([before, now]) => before.element === now.element && moves(before, now) && now.timeS - before.timeS < 2)
      .reduce((sum, [before, now]) => sum + Math.max(0, now.timeS - before.timeS), 0);
  }
}

/** A player that jumps about without finding a picture does not move. */
function moves(before: PlayerSample, now: PlayerSample): boolean {
  if (now.element !== before.element || now.idle) return true;
  return now.height > 0 ? now.frames !== before.frames : now.timeS !== before.timeS;
}

function pairs<T>(items: readonly T[]): [T, T][] {
  return items.slice(1).map((item, index) => [items[index]!, item]);
}
