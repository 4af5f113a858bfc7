import { AppError } from '../../util/errors.ts';

/** How many sessions may be active; 0 in the last two: any number. */
export interface SessionLimits {
  readonly maxSessions: number;
  /** Soft: the oldest session of the user makes room. */
  readonly maxPerUser: number;
  /** Hard: others are refused, unless a session of the same user can make room. */
  readonly maxPerSource: number;
}

/** What counts of a session. */
export interface Occupant {
  readonly user: string | undefined;
  /** Equal for sessions of the same source. */
  readonly sourceKey: string;
  /** The source for people. */
  readonly label: string;
  readonly startedAtMs: number;
}

/**
 * Which active sessions have to end so that another one may become active.
 * @throws AppError `LIMIT_REACHED` if none may end for it
 */
export function makeRoom<T extends Occupant>(
  active: readonly T[],
  newcomer: Pick<Occupant, 'user' | 'sourceKey' | 'label'>,
  { maxSessions, maxPerUser, maxPerSource }: SessionLimits,
): T[] {
  const { user, sourceKey, label } = newcomer;
  const own = user === undefined ? [] : active.filter((session) => session.user === user).sort(byAge);
  const leaving = new Set<T>();
  const ofSource = active.filter((session) => session.sourceKey === sourceKey);
  if (maxPerSource > 0 && ofSource.length >= maxPerSource) {
    const ownOfSource = own.filter((session) => session.sourceKey === sourceKey);
    const excess = ofSource.length - maxPerSource + 1;
    if (ownOfSource.length < excess) {
      const message = `${JSON.stringify(label)} is played by ${ofSource.length} sessions already, and ${maxPerSource} may be`;
      throw new AppError('LIMIT_REACHED', `${message} (vod.maxPerSource); try again when one of them has ended`);
    }
    for (const session of ownOfSource.slice(0, excess)) leaving.add(session);
  }
  if (maxPerUser > 0) {
    for (const session of own) {
      if (own.filter((other) => !leaving.has(other)).length < maxPerUser) break;
      leaving.add(session);
    }
  }
  if (active.length - leaving.size >= maxSessions) {
    const message = `${active.length} sessions are active already, and ${maxSessions} may be (vod.maxSessions)`;
    throw new AppError('LIMIT_REACHED', `${message}; try again when one of them has ended`);
  }
  return [...leaving];
}

function byAge(a: Occupant, b: Occupant): number {
  return a.startedAtMs - b.startedAtMs;
}
